"""Findings of comparisons whose metrics are known."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import numpy as np
import pytest
from report_data import failed, frame, model, pair
from scipy import stats

from grad_ext.report.findings.comparison import (
    BelowMajority,
    ChanceLevels,
    ClearlyDefined,
    Compared,
    ConstantLine,
    ConstantLines,
    DeterministicMethods,
    EqualMethods,
    Failed,
    FewModels,
    Frontier,
    FrontierMethod,
    GridEnds,
    ManyMethods,
    MethodResult,
    NeedsAttributes,
    NoConstantModels,
    caveats,
    findings,
    hyperparameter_frontier,
    pairwise,
    studied,
)
from grad_ext.report.findings.models import OneSplit


def of(found, kind):
    """Return the findings of a class."""
    return [each for each in found if isinstance(each, kind)]


ROWS = frame(
    model("majority", 0, 0.7, 0.0, hyperparameter="", constant=True),
    *pair("GRAD-Pred", 0.80, 0.10, 0.001, hyperparameter="λ", lam=100.0),
    *pair("beaten", 0.75, 0.15, 0.001),
    *pair("beats", 0.85, 0.06, 0.02),
    *pair("dear", 0.90, 0.20, needs_attributes=True),
    *pair("cheap", 0.65, 0.01),
    model("dull", 0, 0.7, 0.0, constant=True),
    failed("gone"),
)


def test_what_is_compared():
    assert studied(ROWS) == [Compared(13, 7, 6, "german", ("age",))]
    quoted = ROWS.assign(protected='"age, in years",sex')
    assert studied(quoted)[0].protected == ("age, in years", "sex")


def test_the_result_of_grad():
    (result,) = of(findings(ROWS), MethodResult)
    # Balanced accuracy less Discrimination: 0.69 of BEATS, then 0.60.
    assert (result.method, result.rank, result.methods) == ("GRAD-PRED, λ = 100", 2, 6)
    assert (result.frontiers, result.plain) == ((), "")
    assert result.metrics == pytest.approx(
        {
            "accuracy": 0.8,
            "balanced_accuracy": 0.7,
            "discrimination": 0.1,
            "chance_level": 0.05,
            "delta": 0.7,
        }
    )
    assert [pair.metric for pair in result.comparisons] == ["balanced_accuracy", "accuracy"]
    assert list(result.comparisons) == pairwise(ROWS, "GRAD-PRED")[::-1]


def test_pairwise_comparisons_by_hand():
    accuracy, balanced = pairwise(ROWS, "GRAD-PRED")
    assert (accuracy.method, accuracy.metric) == ("GRAD-PRED", "accuracy")
    (win,), (loss,) = accuracy.wins, accuracy.losses
    assert (win.name, win.clearly) == ("BEATEN", True)
    assert (win.metric, win.discrimination) == pytest.approx((-0.05, 0.05))
    assert (loss.name, loss.clearly) == ("BEATS", False)
    assert (loss.metric, loss.discrimination) == pytest.approx((0.05, -0.04))
    # DEAR is more accurate with more Discrimination, CHEAP and DULL the opposite.
    assert (accuracy.higher, accuracy.lower, accuracy.rest) == (1, 2, 0)
    assert balanced.metric == "balanced_accuracy"


def test_frontiers_leave_out_constant_models():
    (accuracy,) = (each for each in of(findings(ROWS), Frontier) if each.metric == "accuracy")
    assert [each.name for each in accuracy.methods] == ["DEAR", "BEATS", "CHEAP"]
    assert accuracy.methods[0] == FrontierMethod("DEAR", True, 0.9, 0.2)
    names = [name for name, *_ in hyperparameter_frontier(ROWS).methods]
    assert names == ["BEATS", "DEAR", "CHEAP"]
    dull = frame(model("dull", 0, 0.7, 0.0, constant=True))
    assert [each.methods for each in of(findings(dull), Frontier)] == [(), ()]
    assert hyperparameter_frontier(dull).methods == ()


def test_chance_levels_and_constant_models():
    found = findings(ROWS)
    (chance,) = of(found, ChanceLevels)
    assert chance.chance_level == pytest.approx(0.05)
    assert chance.within == (("CHEAP", False),)
    assert ClearlyDefined() in found
    assert NoConstantModels() not in found
    assert of(caveats(ROWS), ConstantLines) == [
        ConstantLines((ConstantLine("DULL, beta = 0", 1.0, 1, not_chosen=False),))
    ]
    varied = findings(frame(model("GRAD-Pred")))
    assert NoConstantModels() in varied
    # A single method has no other to be compared with.
    assert ClearlyDefined() not in varied
    assert of(varied, MethodResult)[0].comparisons == ()


def test_caveats_name_the_methods():
    found = caveats(ROWS)
    (below,) = of(found, BelowMajority)
    assert (below.metric, below.methods) == ("accuracy", ("CHEAP, beta = 0",))
    assert below.majority == pytest.approx(0.7)
    assert NeedsAttributes(("DEAR",)) in found
    assert Failed("fairlearn is not installed", {"GONE": 1}) in found
    assert ManyMethods() in found
    assert OneSplit() in found
    (few,) = of(found, FewModels)
    assert few.models == 1
    assert np.isnan(few.reach)
    (behind,) = of(caveats(frame(model("a", 0, 0.8, 0.25))), BelowMajority)
    assert (behind.metric, behind.majority) == ("balanced_delta", 0.5)


def test_chosen_ends_of_grids_are_a_caveat():
    rows = frame(
        *(model("edge", 0, lam=lam, chosen=lam == 3.0) for lam in (0.0, 1.0, 3.0)),
        *(model("inner", 0, lam=lam, chosen=lam == 1.0) for lam in (0.0, 1.0, 3.0)),
    )
    assert of(caveats(rows), GridEnds) == [GridEnds((("EDGE, beta = 3", "greatest", 3),))]
    assert not of(caveats(ROWS), GridEnds)


def test_grad_is_compared_with_its_plain_network():
    rows = frame(
        *(model("GRAD-Pred", s, 0.80 + 0.01 * s, 0.05) for s in range(2)),
        *(model("NN-Pred", s, 0.85 + 0.01 * s, 0.15) for s in range(2)),
    ).replace({"title": {"GRAD-PRED": "GRAD-Pred", "NN-PRED": "NN-Pred"}})
    # Welch's: standard errors of 0.005 each, two degrees of freedom.
    reach = stats.t.ppf(0.975, 2) * (2 * 0.005**2) ** 0.5
    (result,) = of(findings(rows), MethodResult)
    assert (result.plain, result.rank) == ("NN-Pred", 1)
    assert result.frontiers == ("accuracy", "balanced_accuracy")
    assert result.effects["accuracy"] == pytest.approx((-0.05, -0.05 - reach, -0.05 + reach))
    estimate, low, _ = result.effects["discrimination"]
    assert estimate == pytest.approx(-0.1)
    assert np.isnan(low)


def test_methods_with_equal_metrics_are_named():
    rows = frame(
        model("a", 0, 0.8, 0.1, seeded=False),
        model("b", 0, 0.8, 0.1, seeded=False),
        model("c", 0, 0.8, 0.2),
        model("dull", 0, 0.7, 0.0, constant=True, chosen=False, lam=1.0),
        model("dull", 0, 0.75, 0.1, lam=2.0),
    )
    found = caveats(rows)
    # 0.7 less 0.1 is above the 0.5 of the majority class; 0.65 less 0.1 is, too.
    assert of(found, BelowMajority) == []
    assert EqualMethods((("A", "B"),)) in found
    (constant,) = of(found, ConstantLines)
    assert constant.lines == (ConstantLine("DULL, beta = 1", 1.0, 1, not_chosen=True),)
    assert DeterministicMethods() in found
    (chance,) = of(findings(rows), ChanceLevels)
    assert chance.within == ()
    different = caveats(frame(*pair("a", 0.8, 0.1), *pair("b", 0.8, 0.2)))
    assert [type(each) for each in different] == [FewModels, OneSplit]


def test_few_models_have_wide_intervals():
    better = [row for i in range(6) for row in pair(f"m{i}", 0.85 + 0.01 * i, 0.06, 0.0001)]
    rows = frame(*pair("GRAD-Pred", 0.80, 0.10, 0.0001), *better)
    (result,) = of(findings(rows), MethodResult)
    assert len(result.comparisons[0].losses) == 6
    assert all(opponent.clearly for opponent in result.comparisons[0].losses)
    assert NoConstantModels() in findings(rows)
    (few,) = of(caveats(rows), FewModels)
    assert (few.models, few.reach) == (2, pytest.approx(12.706, abs=1e-3))
    several = [model("a", s, split_seed=d) for s in range(5) for d in range(2)]
    assert caveats(frame(*several)) == []
