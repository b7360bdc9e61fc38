"""Sentences about any set of models."""

from __future__ import annotations

from collections.abc import Sequence

from grad_ext.report.findings import models
from grad_ext.report.sentences.english import MOST_LISTED, count, listed, sentence
from grad_ext.report.tables import value_text


@sentence.register
def _studied(finding: models.Studied) -> str:
    number = "1 model" if finding.models == 1 else f"{finding.models:,} models"
    methods, datasets = (listed(n, MOST_LISTED) for n in (finding.methods, finding.datasets))
    protected = listed((" and ".join(names) for names in finding.protected), MOST_LISTED)
    parts = [f"{name} {_range(values)}" for name, values in finding.varying.items()]
    parts += [count(finding.seeds, "seed"), count(finding.splits, "division")]
    return (
        f"{number} of {methods} on {datasets}, protecting {protected}; {'; '.join(parts)} of the rows. "
        "All figures are those of test rows."
    )


def _range(values: Sequence[object]) -> str:
    distinct = list(dict.fromkeys(map(value_text, values)))
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(distinct) <= MOST_LISTED or len(numbers) < len(values):
        return listed(distinct, MOST_LISTED)
    return f"from {min(numbers):g} to {max(numbers):g} ({len(distinct)} values)"


@sentence.register
def _data_set(finding: models.DataSetKnown) -> str:
    rows = f", {finding.rows:,} rows before they are divided" if finding.rows else ""
    return (
        f"{finding.name} is {finding.title}{rows}; grad-ext data info {finding.name} says what the label "
        "and the groups are."
    )


@sentence.register
def _constant(finding: models.ConstantModels) -> str:
    n = finding.models
    better = f"the majority class is less accurate than {finding.more_accurate or 'none'} of them."
    if not finding.constant:
        return f"None of the {n} models gives everybody the same label; {better}"
    return (
        f"{finding.constant} of {n} models give everybody the same label, and so a Discrimination "
        f"of 0 and a Consistency of 1 that mean nothing. Of all {n} {better}"
    )


@sentence.register
def _references(finding: models.References) -> str:
    return (
        f"On {finding.dataset} the majority class has accuracy {finding.majority_accuracy:.3f}: "
        f"{finding.more_accurate} of {finding.models} models are more accurate. Discrimination above "
        f"the level of chance (in the mean {finding.chance_level:.3f}) have {finding.above_chance}."
    )


@sentence.register
def _frontier(finding: models.FrontierSize) -> str:
    objectives = " and ".join(finding.objectives).replace("_", " ")
    return (
        f"{finding.on_frontier} of {finding.settings} choices of settings are on the frontier (*): no "
        f"other is better in {objectives} on the validation rows. A model that gives everybody the "
        "same label is on it for nothing."
    )


@sentence.register
def _without_metrics(finding: models.WithoutMetrics) -> str:
    return (
        f"{finding.without} of {finding.models} models failed or diverged to numbers that are none."
    )


@sentence.register
def _best_of_many(finding: models.BestOfMany) -> str:
    return (
        "These are test rows, and many models: the best of them is best partly by luck. Choose by "
        "settings, over seeds, and not a single model."
    )


@sentence.register
def _one_split(finding: models.OneSplit) -> str:
    return "All models share one division of the rows, whose own error no spread over seeds shows."


@sentence.register
def _different_cases(finding: models.DifferentCases) -> str:
    return (
        "The studies differ in their data or protected attributes: set side by side only models of "
        "the same."
    )
