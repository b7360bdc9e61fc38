"""Sentences about a reproduction of the paper."""

from __future__ import annotations

from grad_ext.report.findings import reproduction
from grad_ext.report.sentences.english import (
    METRIC_NAMES,
    ONE_SPLIT,
    are_constant,
    count,
    register_text,
    sentence,
)
from grad_ext.report.statistics.intervals import Interval


def _case(case: reproduction.Case) -> str:
    return f"{case.dataset} ({' and '.join(case.attributes)}), {case.recipe} recipe"


def _difference(interval: Interval) -> str:
    return f"({interval.estimate:+.3f}, {interval.low:+.3f} to {interval.high:+.3f})"


@sentence.register
def _reproduced(finding: reproduction.Reproduced) -> str:
    cases = ", ".join(f"{name} (evaluated by {' and '.join(a)})" for name, a in finding.cases)
    return (
        f"{finding.models:,} models of {', '.join(finding.algorithms)} on {cases}; recipes: "
        f"{', '.join(finding.recipes)}; {count(finding.seeds, 'seed')}, up to "
        f"{count(finding.splits, 'train/test split')}. All metrics are computed on the test set."
    )


@sentence.register
def _claim(finding: reproduction.PaperClaim) -> str:
    parts = []
    for metric, effect in finding.effects.items():
        decision = "does not change significantly"
        if effect.decision != "no difference":
            decision = effect.decision
        parts.append(f"{METRIC_NAMES[metric]} {decision} {_difference(effect.interval)}")
    return f"{_case(finding.case)}: from {finding.plain} to {finding.grad} {', '.join(parts)}."


@sentence.register
def _other_attribute(finding: reproduction.OtherAttribute) -> str:
    decision = "does not significantly change"
    if finding.decision != "no difference":
        decision = finding.decision
    return (
        f"{_case(finding.case)}: protecting {finding.protected} alone ({finding.algorithm}) {decision} "
        f"the Discrimination by {finding.other}, compared with {finding.plain} "
        f"{_difference(finding.interval)}."
    )


@sentence.register
def _tally(finding: reproduction.ClaimTally) -> str:
    parts = [
        f"{METRIC_NAMES[metric]} improves in {n['improves']}, worsens in {n['worsens']} and does not "
        f"change significantly in {n['no difference']}"
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
            f"{METRIC_NAMES[metric]} changes by {moved.estimate:+.3f} ({moved.low:+.3f} to "
            f"{moved.high:+.3f}), with means from {low:.3f} to {high:.3f}"
        )
    first, last = reproduction.EQUIVALENT
    return f"{_case(finding.case)}: from λ = {first:.0f} to {last:.0f}, {'; '.join(parts)}."


@sentence.register
def _shared_split(finding: reproduction.SharedSplit) -> str:
    return f"On {' and '.join(finding.datasets)} all models {ONE_SPLIT}"


@sentence.register
def _constant(finding: reproduction.ConstantAlgorithm) -> str:
    return (
        f"{_case(finding.case)}, {finding.algorithm}: "
        f"{are_constant(finding.constant, finding.models)}."
    )


register_text(reproduction.NoConstantModel, "No model is constant.")


@sentence.register
def _published_constant(finding: reproduction.PublishedConstant) -> str:
    return (
        f"The paper's {finding.algorithm} on {finding.dataset} (accuracy {finding.accuracy:.4f}, "
        f"Discrimination {finding.discrimination:.4f}) is the majority class of this test set, "
        f"{finding.majority_accuracy:.4f}."
    )
