"""Sentences about any set of models."""

from __future__ import annotations

from collections.abc import Sequence

from grad_ext.report.findings import models
from grad_ext.report.sentences.english import (
    MOST_LISTED,
    ONE_SPLIT,
    are_constant,
    count,
    listed,
    register_text,
    sentence,
)
from grad_ext.report.tables import value_text


@sentence.register
def _studied(finding: models.Studied) -> str:
    number = "1 model" if finding.models == 1 else f"{finding.models:,} models"
    methods, datasets = (listed(n, MOST_LISTED) for n in (finding.methods, finding.datasets))
    protected = listed((" and ".join(names) for names in finding.protected), MOST_LISTED)
    parts = [f"{name} {_range(values)}" for name, values in finding.varying.items()]
    parts += [count(finding.seeds, "seed"), count(finding.splits, "train/test split")]
    return (
        f"{number} of {methods} on {datasets}, protecting {protected}; {'; '.join(parts)}. "
        "All metrics are computed on the test set."
    )


def _range(values: Sequence[object]) -> str:
    distinct = list(dict.fromkeys(map(value_text, values)))
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(distinct) <= MOST_LISTED or len(numbers) < len(values):
        return listed(distinct, MOST_LISTED)
    return f"from {min(numbers):g} to {max(numbers):g} ({len(distinct)} values)"


@sentence.register
def _data_set(finding: models.DataSetKnown) -> str:
    rows = f", {finding.rows:,} rows before splitting" if finding.rows else ""
    return (
        f"{finding.name} is {finding.title}{rows}; grad-ext data info {finding.name} describes the label "
        "and the groups."
    )


@sentence.register
def _constant(finding: models.ConstantModels) -> str:
    text = f"{are_constant(finding.constant, finding.models)}"
    if finding.constant:
        text += (
            " (the same label for all or nearly all rows, or a balanced accuracy at chance level): a "
            "low Discrimination and a Consistency near 1 are meaningless there"
        )
    return f"{text}; {finding.more_accurate} are more accurate than the majority class."


@sentence.register
def _references(finding: models.References) -> str:
    return (
        f"On {finding.dataset} the majority class has an accuracy of {finding.majority_accuracy:.3f}: "
        f"{finding.more_accurate} of {finding.models} models are more accurate. The Discrimination of "
        f"{finding.above_chance} is above the chance level (mean {finding.chance_level:.3f})."
    )


@sentence.register
def _frontier(finding: models.FrontierSize) -> str:
    objectives = " and ".join(finding.objectives).replace("_", " ")
    return (
        f"{finding.on_frontier} of {finding.settings} choices of settings are on the Pareto frontier (*): no "
        f"other is better in {objectives} on the validation set. Constant models are always on it."
    )


@sentence.register
def _without_metrics(finding: models.WithoutMetrics) -> str:
    return f"{finding.without} of {finding.models} models failed or diverged."


register_text(
    models.BestOfMany,
    "These are test metrics of many models, so the best of them is partly the luckiest. Choose by "
    "settings, averaged over seeds, and not by a single model.",
)
register_text(models.OneSplit, f"All models {ONE_SPLIT}")
register_text(
    models.DifferentCases,
    "The studies differ in their data or protected attributes: compare only models of the same data "
    "and attributes.",
)
