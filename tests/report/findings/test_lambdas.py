"""Findings of studies of λ whose curves are known."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import numpy as np
import pandas as pd
import pytest
from report_data import record, study

from grad_ext.report.findings.lambdas import (
    AgainstChance,
    AgainstMajority,
    BestLambdas,
    ChosenOnTest,
    Curve,
    Diverged,
    FirstByBalancedDelta,
    FlatRange,
    NoPlainNetwork,
    ReversalEffect,
    SingleModels,
    caveats,
    findings,
)
from grad_ext.report.findings.models import ConstantModels, OneSplit
from grad_ext.report.tables import results, saturating_strengths
from grad_ext.training.settings import Settings


def one(found, kind):
    """Return the only finding of a class."""
    (finding,) = (each for each in found if isinstance(each, kind))
    return finding


def flat(records):
    return one(findings(results(records)), FlatRange)


def test_where_the_curve_is_flat():
    found = flat(study({1: 0.80, 10: 0.75, 100: 0.752, 1000: 0.748}))
    assert (found.first, found.last, found.inside, found.lams) == (10, 1000, 3, 4)
    assert found.spread == pytest.approx(
        {"accuracy": 0.004, "balanced_accuracy": 0.0, "discrimination": 0.0}
    )
    assert found.spread_overall["accuracy"] == pytest.approx(0.052)
    assert set(found.tolerance.values()) == {0.01}
    assert not found.constant
    whole = flat(study({1: 0.75, 10: 0.75}))
    assert (whole.first, whole.last) == (1, 10)
    nowhere = flat(study({1: 0.7, 10: 0.8, 100: 0.7}))
    assert nowhere.first == nowhere.last


@pytest.mark.parametrize(
    ("settings", "strengths"),
    [
        # 35 λ / (λ + 1); λ = 0 has no reversal.
        (Settings(recipe="steady"), (35 * 10 / 11, 35 * 100 / 101)),
        (Settings(recipe="steady", saturation=(4.0, 10.0)), (2.0, 4 * 100 / 110)),
        # The penalty grows with λ, and the paper's strength is λ itself.
        (Settings(recipe="smooth"), None),
        (Settings(recipe="paper"), None),
        (Settings("auto", "smooth"), (35 * 10 / 11, 35 * 100 / 101)),
    ],
)
def test_where_lambda_saturates(settings, strengths):
    records = [record(lam, s, settings=settings) for lam in (0, 10, 100) for s in range(2)]
    frame = results(records).assign(saturating_strength=saturating_strengths(records))
    found = one(findings(frame), FlatRange)
    assert (found.first, found.last) == (0, 100)
    assert found.strengths == (None if strengths is None else pytest.approx(strengths))
    # A λ alone has no range of strengths.
    alone = frame[frame["lam"] < 100]
    assert one(findings(alone), FlatRange).strengths is None
    # What a study's records do not say is not claimed.
    assert flat(records).strengths is None


def test_the_tolerance_is_the_least_significant_difference():
    found = flat(study({1: 0.80, 10: 0.75}, noise=0.05))
    assert found.seeds == 4
    assert found.tolerance["accuracy"] > 0.05
    assert found.tolerance["discrimination"] == 0.01


def test_all_metrics_have_to_be_flat():
    frame = results(study({1: 0.80, 10: 0.80, 100: 0.80}))
    frame["balanced_accuracy"] = frame["lam"].map({1: 0.7, 10: 0.65, 100: 0.65})
    found = findings(frame)
    assert (one(found, FlatRange).first, one(found, FlatRange).last) == (10, 100)
    first = one(found, FirstByBalancedDelta)
    assert (first.lam, first.reference, first.constant) == (1, 100, 0)
    assert first.differences.metrics["balanced_accuracy"] == pytest.approx((0.05, 0.05, 0.05))
    assert first.differences.metrics["discrimination"].estimate == 0.0


def test_constant_models_can_be_first_by_balanced_delta():
    dull = [record(1, s, 0.7, 0.0, constant=True) for s in range(2)]
    worse = [record(lam, s, 0.7, 0.3) for lam in (10, 100) for s in range(2)]
    first = one(findings(results([*dull, *worse])), FirstByBalancedDelta)
    assert (first.lam, first.models, first.constant) == (1, 2, 2)
    # The first of equals is the paper's own, so nothing is compared.
    alike = one(findings(results(study({100: 0.8, 200: 0.8}))), FirstByBalancedDelta)
    assert (alike.lam, alike.differences) == (100, None)


def test_noise_alone_is_flat_however_many_values_there_are():
    """Of eleven means of ten models the highest and the lowest lie further apart than two do."""
    rng, whole = np.random.default_rng(0), 0
    for _ in range(40):
        records = [
            record(lam, s, 0.75 + 0.02 * rng.normal()) for lam in range(1, 12) for s in range(10)
        ]
        whole += flat(records).inside == 11
    assert whole >= 36


def test_which_lambdas_differ_significantly_from_the_best():
    records = [
        record(lam, s, accuracy + 0.004 * (-1) ** s, gap)
        for lam, accuracy, gap in ((1, 0.80, 0.2), (10, 0.795, 0.1), (100, 0.75, 0.04))
        for s in range(4)
    ]
    accuracy, balanced, gap = one(findings(results(records)), BestLambdas).best
    assert (accuracy.lam, accuracy.different, accuracy.others) == (1, (100,), 2)
    assert accuracy.value == pytest.approx(0.8)
    assert (balanced.lam, balanced.different) == (1, ())
    assert (gap.lam, gap.different) == (100, (1, 10))
    # With single models there is no spread to compare with.
    single = results([record(1, 0, 0.8), record(10, 0, 0.7, 0.0, constant=True)])
    best = one(findings(single), BestLambdas).best
    assert [each.different for each in best] == [None] * 3
    assert (best[2].lam, best[2].constant, best[2].models) == (10, 1, 1)
    assert SingleModels() in caveats(single)


def test_constant_models_are_counted():
    constant = [record(lam, s, 0.7, 0.0, constant=True) for lam in (10, 100) for s in range(3)]
    found = findings(results(constant))
    assert one(found, FlatRange).constant
    assert one(found, ConstantModels) == ConstantModels(constant=6, models=6, more_accurate=0)
    found = findings(results([record(1, 0), record(1, 1)]))
    assert one(found, ConstantModels) == ConstantModels(constant=0, models=2, more_accurate=2)


def test_models_against_the_majority_class_and_chance():
    found = findings(results([record(100, s, 0.68, 0.04) for s in range(3)]))
    majority, chance = one(found, AgainstMajority), one(found, AgainstChance)
    assert (majority.lam, majority.majority_accuracy) == (100, 0.7)
    assert majority.accuracy == pytest.approx(0.68)
    assert (chance.chance_level, chance.decision) == (pytest.approx(0.05), "below")
    # Of 0.04 and 0.08 the mean is known to 2 · 0.02 only.
    for gaps, decision in (((0.06, 0.06, 0.06), "above"), ((0.04, 0.08), "no difference")):
        records = [record(100, s, 0.75, gap) for s, gap in enumerate(gaps)]
        assert one(findings(results(records)), AgainstChance).decision == decision


def test_the_effect_of_reversal_is_that_of_the_lambda_nearest_to_the_papers():
    plain = [record(0, s, 0.80, 0.20) for s in range(4)]
    grad = [record(50, s, 0.78 - 0.01 * s, 0.15) for s in range(3)]
    frame = results([*plain, *grad, *(record(2000, s, 0.5, 0.0) for s in range(3))])
    effect = one(findings(frame), ReversalEffect)
    assert (effect.lam, effect.differences.n) == (50, 3)
    assert effect.differences.metrics["accuracy"].estimate == pytest.approx(-0.03)
    for alone in (plain, grad, [plain[0], grad[1]]):
        found = findings(results(alone))
        assert not any(isinstance(each, ReversalEffect) for each in found)


def test_each_curve_has_its_findings():
    frame = results(study({1: 0.8, 10: 0.7}))
    both = [frame, frame.assign(recipe="paper", diverged=True), frame.assign(recipe="other")]
    found = findings(pd.concat(both), ["recipe"])
    # All models of the paper's recipe diverged.
    assert [type(each) for each in found] == [Curve, Curve]
    assert [each.name for each in found] == ["recipe other", "recipe smooth"]
    assert list(found[1].findings) == findings(frame)


def test_caveats():
    frame = results(study({1: 0.8, 100: 0.75}, noise=0.02))
    assert caveats(frame) == [ChosenOnTest(), NoPlainNetwork(), OneSplit()]
    plain = results([*study({1: 0.8}), record(0, 0), record(0, 1)])
    assert NoPlainNetwork() not in caveats(plain)
    assert OneSplit() not in caveats(frame.assign(split_seed=range(len(frame))))


def test_diverged_models_are_left_out_and_counted():
    frame = results([record(1, 0), record(1, 1, diverged=True), record(10, 0), record(10, 1)])
    assert caveats(frame)[0] == Diverged(diverged=1, models=4)
    assert one(findings(frame), ConstantModels).models == 3
    none = results([record(1, 0, diverged=True), record(10, 0, diverged=True)])
    assert findings(none) == []
    assert caveats(none) == [Diverged(2, 2)]
