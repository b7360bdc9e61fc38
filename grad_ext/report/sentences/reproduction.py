"""Sentences about a reproduction of the paper."""

from __future__ import annotations

from grad_ext.report.findings import reproduction
from grad_ext.report.sentences.english import METRIC_NAMES, count, sentence
from grad_ext.report.statistics.intervals import Interval


def _case(case: reproduction.Case) -> str:
    return f"{case.dataset} ({' and '.join(case.attributes)}), {case.recipe} recipe"


def _difference(interval: Interval) -> str:
    return f"({interval.estimate:+.3f}, {interval.low:+.3f} to {interval.high:+.3f})"


@sentence.register
def _reproduced(finding: reproduction.Reproduced) -> str:
    cases = ", ".join(f"{name} (judged by {' and '.join(a)})" for name, a in finding.cases)
    return (
        f"{finding.models:,} models of {', '.join(finding.algorithms)} on {cases}; recipes: "
        f"{', '.join(finding.recipes)}; {count(finding.seeds, 'seed')}, up to "
        f"{count(finding.splits, 'division')} of the rows. All figures are those of test rows."
    )


@sentence.register
def _claim(finding: reproduction.PaperClaim) -> str:
    parts = []
    for metric, effect in finding.effects.items():
        decision = "is not told apart" if effect.decision == "no difference" else effect.decision
        parts.append(f"{METRIC_NAMES[metric]} {decision} {_difference(effect.interval)}")
    return f"{_case(finding.case)}: from {finding.plain} to {finding.grad} {', '.join(parts)}."


@sentence.register
def _other_attribute(finding: reproduction.OtherAttribute) -> str:
    decision = "does not move" if finding.decision == "no difference" else finding.decision
    return (
        f"{_case(finding.case)}: protecting {finding.protected} alone ({finding.algorithm}) {decision} "
        f"the Discrimination by {finding.other} against {finding.plain} "
        f"{_difference(finding.interval)}."
    )


@sentence.register
def _tally(finding: reproduction.ClaimTally) -> str:
    parts = [
        f"{METRIC_NAMES[metric]} improves in {n['improves']}, worsens in {n['worsens']} and is not told "
        f"apart in {n['no difference']}"
        for metric, n in finding.decisions.items()
    ]
    return (
        "The paper claims that GRAD always raises Delta and Consistency and lowers Discrimination. "
        f"Of {count(finding.comparisons, 'comparison')} of GRAD with its plain network here: "
        f"{'; '.join(parts)}."
    )


@sentence.register
def _lambda_effect(finding: reproduction.LambdaEffect) -> str:
    parts = []
    for metric, moved in finding.differences.items():
        low, high = finding.means[metric]
        parts.append(
            f"{METRIC_NAMES[metric]} by {moved.estimate:+.3f} ({moved.low:+.3f} to {moved.high:+.3f}), "
            f"its means from {low:.3f} to {high:.3f}"
        )
    first, last = reproduction.EQUIVALENT
    return f"{_case(finding.case)}: from λ = {first:.0f} to {last:.0f} moves {'; '.join(parts)}."


@sentence.register
def _shared_split(finding: reproduction.SharedSplit) -> str:
    return (
        f"On {' and '.join(finding.datasets)} all models share one division of the rows, whose own "
        "error no spread over seeds shows."
    )


@sentence.register
def _constant(finding: reproduction.ConstantAlgorithm) -> str:
    return (
        f"{_case(finding.case)}: {finding.constant} of {finding.models} models of {finding.algorithm} "
        "give everybody the same label."
    )


@sentence.register
def _no_constant(finding: reproduction.NoConstantModel) -> str:
    return "No model here gives everybody the same label."


@sentence.register
def _published_constant(finding: reproduction.PublishedConstant) -> str:
    return (
        f"The paper's {finding.algorithm} on {finding.dataset} (accuracy {finding.accuracy:.4f}, "
        f"Discrimination {finding.discrimination:.4f}) is the majority class of these test rows, "
        f"{finding.majority_accuracy:.4f}."
    )
