"""Sentences about a study of λ."""

from __future__ import annotations

from collections.abc import Mapping

from grad_ext.report.findings import lambdas
from grad_ext.report.sentences.english import (
    METRIC_NAMES,
    MOST_LISTED,
    count,
    differences,
    listed,
    sentence,
)
from grad_ext.report.statistics.lambdas import PairedDifferences


@sentence.register
def _curve(finding: lambdas.Curve) -> str:
    return f"With {finding.name}: {' '.join(map(sentence, finding.findings))}"


@sentence.register
def _flat_range(finding: lambdas.FlatRange) -> str:
    limits = f"{lambdas.TOLERANCE:.3f}"
    if any(limit > lambdas.TOLERANCE for limit in finding.tolerance.values()):
        limits = (
            f"{_values(finding.tolerance)} (what {count(finding.seeds, 'seed')} can tell apart at 5 % "
            f"for all pairs of λ and these figures together, and {lambdas.TOLERANCE:g} at least)"
        )
    if finding.first == finding.last:
        return (
            f"The curve is flat nowhere: between neighbouring λ a mean moves by more than {limits}."
        )
    within = f"there {_moves(finding.spread)}, no more than {limits}"
    ends = f"{finding.first:g} to {finding.last:g}"
    whole = finding.inside == finding.lams
    if whole:
        text = f"The curve is flat over the whole range, λ from {ends}: {within}."
    else:
        text = (
            f"The curve is flat for λ from {ends} ({finding.inside} of {finding.lams} values): "
            f"{within}."
        )
    if finding.constant:
        text += " It is flat because most of those models are constant predictors."
    else:
        text += " That gives no reason to prefer one of these λ."
    return text if whole else f"{text} Over all λ {_moves(finding.spread_overall)}."


def _values(metrics: Mapping[str, float]) -> str:
    """Return the values of the metrics, such as "0.010, 0.020 and 0.030"."""
    return listed(f"{value:.3f}" for value in metrics.values())


def _moves(spread: Mapping[str, float]) -> str:
    names = listed(METRIC_NAMES[name] for name in spread)
    return f"the means of {names} move by {_values(spread)}"


@sentence.register
def _best(finding: lambdas.BestLambdas) -> str:
    labels = {
        "accuracy": "The highest mean accuracy",
        "balanced_accuracy": "the highest mean balanced accuracy",
        "discrimination": "the least mean Discrimination",
    }
    parts = []
    for best in finding.best:
        constant = _constant(best.constant, best.models)
        part = f"{labels[best.metric]}, {best.value:.3f}, has λ = {best.lam:g}{constant}"
        if best.different is not None:
            which = "from no other"
            if len(best.different) == best.others:
                which = "from every other"
            elif best.different:
                lams = listed((f"{lam:g}" for lam in best.different), MOST_LISTED)
                which = f"only from λ = {lams}"
            part += f", which the seeds can tell apart {which}"
        parts.append(part)
    return f"{'; '.join(parts)}."


def _constant(constant: int, models: int) -> str:
    """Return how many of some models are constant, in brackets; nothing if none is."""
    return f" ({constant} of its {count(models, 'model')} constant)" if constant else ""


@sentence.register
def _first(finding: lambdas.FirstByBalancedDelta) -> str:
    constant = _constant(finding.constant, finding.models)
    text = f"By balanced accuracy less Discrimination λ = {finding.lam:g}{constant} is first here"
    if finding.differences is None:
        return f"{text}."
    more = _paired(finding.differences)
    return f"{text}; it has more than λ = {finding.reference:g} with the same seed{more}."


@sentence.register
def _reversal_effect(finding: lambdas.ReversalEffect) -> str:
    return (
        f"What reversal costs and brings, λ = {finding.lam:g} less the plain network of the same seed"
        f"{_paired(finding.differences)}."
    )


def _paired(paired: PairedDifferences) -> str:
    over = "divisions of the rows" if paired.over_splits else "seeds"
    known = f", with 95 % intervals over {over} of this one pair" if paired.n > 1 else ""
    return f"{known}: {differences(paired.metrics)}"


@sentence.register
def _against_majority(finding: lambdas.AgainstMajority) -> str:
    above = finding.accuracy - finding.majority_accuracy
    return (
        f"At λ = {finding.lam:g} the mean accuracy is {finding.accuracy:.3f}, {abs(above):.3f} "
        f"{'below' if above < 0 else 'above'} the majority class's {finding.majority_accuracy:.3f}; "
        f"balanced accuracy {finding.balanced_accuracy:.3f} (0.5 is a constant)."
    )


@sentence.register
def _against_chance(finding: lambdas.AgainstChance) -> str:
    relation = {
        "above": "is above",
        "below": "is below",
        "no difference": "cannot be told from",
    }[finding.decision]
    return (
        f"There the mean Discrimination, {finding.discrimination:.3f}, {relation} the "
        f"{finding.chance_level:.3f} that chance alone would show on these test rows for predictions "
        "that ignore the protected attribute."
    )


@sentence.register
def _diverged(finding: lambdas.Diverged) -> str:
    return f"{finding.diverged} of {finding.models} models diverged to numbers that are none."


@sentence.register
def _single(finding: lambdas.SingleModels) -> str:
    return "Each λ has a single model: how far chance alone moves it is not known."


@sentence.register
def _chosen_on_test(finding: lambdas.ChosenOnTest) -> str:
    return (
        "The figures are those of test rows: a λ that is chosen by them is chosen partly by luck, and "
        "its own figures flatter it."
    )


@sentence.register
def _no_plain(finding: lambdas.NoPlainNetwork) -> str:
    return (
        "No model without reversal (λ = 0) is among these, so what reversal costs and what it brings "
        "cannot be read off them: 0 among the values of λ adds such models."
    )
