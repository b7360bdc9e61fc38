"""Sentences about a comparison of methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grad_ext.report.findings import comparison
from grad_ext.report.findings.pairwise import Opponent, PairwiseComparison
from grad_ext.report.sentences.english import (
    METRIC_NAMES,
    MOST_LISTED,
    count,
    differences,
    listed,
    marked,
    register_text,
    sentence,
)


@sentence.register
def _compared(finding: comparison.Compared) -> str:
    known = ""
    if finding.with_metrics < finding.methods:
        known = f"; {finding.with_metrics} of the methods have metrics"
    return (
        f"{count(finding.models, 'model')} of {count(finding.methods, 'method')} on {finding.dataset}, "
        f"protecting {' and '.join(finding.protected)}{known}. Unless stated otherwise, each has "
        "the value of its hyperparameter that was chosen on the validation set; all metrics are means "
        "on the test set."
    )


@sentence.register
def _result(finding: comparison.MethodResult) -> str:
    rank = ""
    if finding.comparisons:
        on = listed(METRIC_NAMES[metric] for metric in finding.frontiers)
        rank = (
            f", number {finding.rank} of {finding.methods} methods by balanced accuracy minus "
            f"Discrimination and on {f'the frontier of {on}' if on else 'neither frontier'}"
        )
    m = finding.metrics
    text = (
        f"{finding.method}{rank}: accuracy {m['accuracy']:.3f}, balanced accuracy "
        f"{m['balanced_accuracy']:.3f}, Discrimination {m['discrimination']:.3f} (chance level "
        f"{m['chance_level']:.3f}), Delta {m['delta']:.3f}."
    )
    parts = [text, *map(_tally, finding.comparisons)]
    if finding.plain:
        effects = differences(finding.effects)
        parts.append(
            f"Difference from {finding.plain}, the same network without reversal: {effects}."
        )
    return " ".join(parts)


def _tally(pair: PairwiseComparison) -> str:
    """Return which of the others a method dominates, and which dominate it."""
    parts = []
    for opponents, verb in ((pair.wins, "beats"), (pair.losses, "loses to")):
        for clearly in (True, False):
            names = [marked(o.name, o.needs_attributes) for o in opponents if o.clearly == clearly]
            if names:
                which = listed(names) if len(names) <= MOST_LISTED else f"{len(names)} methods"
                parts.append(
                    f"clearly {verb} {which}" if clearly else f"{verb} {which}, not clearly"
                )
    # "It" is the subject of the verbs alone.
    clauses = [f"it {'; '.join(parts)}"] if parts else []
    if others := pair.higher + pair.lower + pair.rest:
        how = "worse in one and better in the other, equal, or with constant models"
        clauses.append(f"{count(others, 'other method')} {'is' if others == 1 else 'are'} {how}")
    return f"In {METRIC_NAMES[pair.metric]} and Discrimination together {'; '.join(clauses)}."


@sentence.register
def _pairwise(finding: PairwiseComparison) -> str:
    name = METRIC_NAMES[finding.metric]
    counts = {
        f"of higher {name} and more Discrimination": finding.higher,
        f"of lower {name} and less Discrimination": finding.lower,
        "equal, or with constant models": finding.rest,
    }
    others = listed(f"{n} {kind}" for kind, n in counts.items() if n)
    return (
        f"{finding.method} in {name} and Discrimination (in brackets the other's values minus its own): it "
        f"beats {_opponents(finding.wins)}; it loses to {_opponents(finding.losses)}"
        + (f". The others: {others}." if others else ".")
    )


def _opponents(opponents: Sequence[Opponent]) -> str:
    return (
        listed(
            f"{o.name} ({o.metric:+.3f}, {o.discrimination:+.3f}{'; clearly' if o.clearly else ''})"
            for o in opponents
        )
        or "none"
    )


register_text(
    comparison.ClearlyDefined,
    "Clearly: better in one of the two by so much that the 95 % intervals do not overlap, and at least "
    "as good in the other.",
)


@sentence.register
def _frontier(finding: comparison.Frontier) -> str:
    name = METRIC_NAMES[finding.metric]
    if not finding.methods:
        return f"No method is on the frontier of {name} and Discrimination without constant models."
    methods = listed(
        f"{marked(m.name, m.needs_attributes)} ({m.metric:.3f}, {m.discrimination:.3f})"
        for m in finding.methods
    )
    return (
        f"On the frontier of {name} and Discrimination, where no other method is better in one and at "
        f"least as good in the other: {methods}."
    )


@sentence.register
def _hyperparameter_frontier(finding: comparison.HyperparameterFrontier) -> str:
    methods = listed(
        f"{name} ({hyperparameter} = {listed(f'{value:g}' for value in values)})"
        if hyperparameter
        else name
        for name, hyperparameter, values in finding.methods
    )
    return (
        "Over all values of the hyperparameters, chosen on the test set and so optimistic, the "
        f"frontier of accuracy and Discrimination is: {methods or 'empty'}."
    )


@sentence.register
def _chance_levels(finding: comparison.ChanceLevels) -> str:
    if finding.chance_level is None:
        return "All models are constant."
    which = "every method is above its chance level"
    if finding.within:
        names = listed(marked(name, flag) for name, flag in finding.within)
        which = f"at or below their chance level: {names}"
    return (
        "Predictions that ignore the protected attribute have a Discrimination of about "
        f"{finding.chance_level:.3f} on this test set by chance; {which}."
    )


register_text(comparison.NoConstantModels, "No model is constant.")


@sentence.register
def _below_majority(finding: comparison.BelowMajority) -> str:
    which = {
        "accuracy": "Less accurate than the majority class",
        "balanced_delta": "Behind the majority class by balanced accuracy minus Discrimination",
    }[finding.metric]
    return f"{which} ({finding.majority:.3f}): {listed(finding.methods)}."


@sentence.register
def _constant_lines(finding: comparison.ConstantLines) -> str:
    lines = listed(
        f"{line.method} ({line.constant:.0f} of {line.models}"
        f"{', not at the chosen value' if line.not_chosen else ''})"
        for line in finding.lines
    )
    return f"Constant or nearly constant models, whose low Discrimination is meaningless: {lines}."


@sentence.register
def _needs_attributes(finding: comparison.NeedsAttributes) -> str:
    need = "needs" if len(finding.methods) == 1 else "need"
    return (
        f"{listed(finding.methods)} (†) {need} the protected attributes for prediction, where they may "
        "be unknown, or using them unlawful: two people who differ only in them are treated "
        "differently."
    )


@sentence.register
def _grid_ends(finding: comparison.GridEnds) -> str:
    methods = listed(f"{name} ({end} of {n})" for name, end, n in finding.methods)
    return f"The chosen value is an end of its grid, beyond which a better one may lie: {methods}."


@sentence.register
def _failed(finding: comparison.Failed) -> str:
    return f"Failed: {_counts(finding.models)}. {finding.error}"


@sentence.register
def _diverged(finding: comparison.DivergedModels) -> str:
    return f"Models that diverged and have no metrics: {_counts(finding.models)}."


def _counts(models: Mapping[str, int]) -> str:
    return listed(f"{name} ({count(n, 'model')})" for name, n in models.items())


@sentence.register
def _equal(finding: comparison.EqualMethods) -> str:
    groups = "; ".join(map(listed, finding.groups))
    return f"Identical in these metrics, and so most likely in every prediction: {groups}."


@sentence.register
def _few(finding: comparison.FewModels) -> str:
    if finding.models == 1:
        return "Some methods have a single model and no interval: their variance over seeds is unknown."
    return (
        f"Some methods have only {finding.models} models: their 95 % intervals extend "
        f"{finding.reach:.1f} standard errors to either side, so more seeds may make further "
        "differences clear."
    )


register_text(
    comparison.DeterministicMethods,
    "Deterministic methods are run once and have no interval: their variance over samples of rows is "
    "unknown.",
)
register_text(
    comparison.ManyMethods,
    "The intervals are not corrected for multiple comparisons: among many methods, some differences "
    "are clear by chance.",
)
