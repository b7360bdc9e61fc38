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
    register_text,
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
            f"{_values(finding.tolerance)} (the least significant difference of "
            f"{count(finding.seeds, 'seed')} at 5 % for all pairs of λ and these metrics together, at "
            f"least {lambdas.TOLERANCE:g})"
        )
    if finding.first == finding.last:
        return f"Between all neighbouring λ a mean moves by more than {limits}."
    within = f"there {_moves(finding.spread)}, no more than {limits}"
    ends = f"{finding.first:g} to {finding.last:g}"
    whole = finding.inside == finding.lams
    values = "all" if whole else f"{finding.inside} of {finding.lams}"
    text = f"No difference is resolved for λ from {ends} ({values} values): {within}."
    if finding.constant:
        text += " Most of those models are constant predictors."
    elif finding.strengths is not None:
        low, high = finding.strengths
        text += (
            f" The strength of the reversal only goes from {low:.3g} to {high:.3g} there, so results "
            "hardly change by construction."
        )
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
        part = f"{labels[best.metric]}, {best.value:.3f}, is at λ = {best.lam:g}{constant}"
        if best.different is not None:
            which = "no other λ"
            if len(best.different) == best.others:
                which = "every other λ"
            elif best.different:
                lams = listed((f"{lam:g}" for lam in best.different), MOST_LISTED)
                which = f"λ = {lams}"
            part += f", significantly different (5 %, Bonferroni-corrected) from {which}"
        parts.append(part)
    return f"{'; '.join(parts)}."


def _constant(constant: int, models: int) -> str:
    """Return how many of some models are constant, in brackets; nothing if none is."""
    return f" ({constant} of its {count(models, 'model')} constant)" if constant else ""


@sentence.register
def _first(finding: lambdas.FirstByBalancedDelta) -> str:
    constant = _constant(finding.constant, finding.models)
    text = f"Best by balanced accuracy minus Discrimination is λ = {finding.lam:g}{constant}"
    if finding.differences is None:
        return f"{text}."
    more = _paired(finding.differences)
    return f"{text}; its difference from λ = {finding.reference:g} at the same seed{more}."


@sentence.register
def _reversal_effect(finding: lambdas.ReversalEffect) -> str:
    return (
        f"Effect of reversal, λ = {finding.lam:g} minus the plain network of the same seed"
        f"{_paired(finding.differences)}."
    )


def _paired(paired: PairedDifferences) -> str:
    over = "train/test splits" if paired.over_splits else "seeds"
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
        "no difference": "is not significantly different from",
    }[finding.decision]
    return (
        f"The mean Discrimination there, {finding.discrimination:.3f}, {relation} the chance level, "
        f"{finding.chance_level:.3f}: that of predictions that ignore the protected attribute."
    )


@sentence.register
def _diverged(finding: lambdas.Diverged) -> str:
    return f"{finding.diverged} of {finding.models} models diverged."


register_text(
    lambdas.SingleModels, "Each λ has a single model, so the variance over seeds is unknown."
)
register_text(
    lambdas.ChosenOnTest,
    "These are test metrics: a λ chosen by them is chosen partly by luck, and its own metrics are "
    "optimistic.",
)
register_text(
    lambdas.NoPlainNetwork,
    "No model without reversal (λ = 0) is included, so the effect of reversal is unknown: add 0 to the "
    "values of λ.",
)
