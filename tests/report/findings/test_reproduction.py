"""Findings of reproductions whose metrics are known."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import numpy as np
import pandas as pd
import pytest
from report_data import reproduced

from grad_ext.report.findings.reproduction import (
    Case,
    ConstantAlgorithm,
    NoConstantModel,
    OtherAttribute,
    PublishedConstant,
    SharedSplit,
    claims,
    constant_lines,
    insensitivity,
    shared_splits,
    studied,
    tally,
)
from grad_ext.report.published import TABLES
from grad_ext.report.statistics.intervals import interval

ABOUT = {"adult": "sex"}
PUBLISHED = {"adult": TABLES["table1"]["adult"]}
CASE = Case("adult", ("sex",), "paper")


def test_which_claims_hold():
    (claim,) = claims(reproduced())
    assert (claim.case, claim.plain, claim.grad) == (CASE, "NN-Pred", "GRAD-Pred")
    effects = claim.effects
    assert {metric: effect.decision for metric, effect in effects.items()} == {
        "delta": "improves",
        "consistency": "no difference",
        "discrimination": "improves",
    }
    assert effects["delta"].interval.estimate == pytest.approx(0.1005)
    assert effects["discrimination"].interval.estimate == pytest.approx(-0.1)
    worse = reproduced()
    worse["delta"] = -worse["delta"]
    assert claims(worse)[0].effects["delta"].decision == "worsens"


def test_claims_are_counted():
    worse = reproduced(dataset="german")
    worse["delta"] = -worse["delta"]
    (counted,) = tally(pd.concat([reproduced(), worse]))
    assert counted.comparisons == 2
    assert counted.decisions == {
        "delta": {"improves": 1, "worsens": 1, "no difference": 0},
        "consistency": {"improves": 0, "worsens": 0, "no difference": 2},
        "discrimination": {"improves": 2, "worsens": 0, "no difference": 0},
    }
    alone = reproduced()
    assert tally(alone[alone["algorithm"] == "NN-Pred"]) == []


def test_the_models_and_their_splits():
    german = [reproduced(dataset="german", split_seed=split) for split in (0, 1)]
    frame = pd.concat([reproduced(), *german])
    (found,) = studied(frame)
    assert (found.models, found.algorithms) == (12, ("NN-Pred", "GRAD-Pred"))
    assert found.cases == (("adult", ("sex",)), ("german", ("sex",)))
    assert (found.recipes, found.seeds, found.splits) == (("paper",), 2, 2)
    assert shared_splits(frame) == [SharedSplit(("adult",))]
    assert shared_splits(frame[frame["dataset"] == "german"]) == []


def test_models_of_one_split_share_its_error():
    """Two splits whose seeds agree: two observations, and not four."""
    frame = reproduced()
    other = frame.assign(split_seed=1)
    other.loc[other["algorithm"] == "GRAD-Pred", "delta"] += 0.1
    (claim,) = claims(pd.concat([frame, other]))
    assert claim.effects["delta"].interval == pytest.approx(interval([0.1005, 0.2005]))


def test_protecting_one_attribute_is_compared_with_the_plain_network():
    frame = reproduced(attributes="race,gender")
    frame["discrimination_race"] = [0.02, 0.03, 0.01, 0.02]
    frame["discrimination_gender"] = 0.04
    alone = frame[frame["algorithm"] == "GRAD-Pred"].assign(algorithm="GRAD-Pred-G")
    alone["discrimination_race"] = [0.12, 0.131]
    (other,) = (
        each for each in claims(pd.concat([frame, alone])) if isinstance(each, OtherAttribute)
    )
    assert (other.protected, other.other, other.algorithm) == ("gender", "race", "GRAD-Pred-G")
    assert (other.decision, other.plain) == ("raises", "NN-Pred")
    assert other.interval.estimate == pytest.approx(0.1005)


def test_how_far_lambda_moves_the_metrics():
    """The ends of the paper's range, model by model; λ outside of it do not count."""
    rows = [
        reproduced().iloc[:2].assign(lam=lam, accuracy=accuracy, discrimination=[gap, gap + 0.02])
        for lam, accuracy, gap in [
            (20.0, 0.9, 0.5),
            (50.0, 0.8, 0.03),
            (100.0, 0.82, 0.01),
            (2000.0, 0.77, 0.04),
        ]
    ]
    (effect,) = insensitivity(pd.concat(rows))
    assert effect.case == CASE
    np.testing.assert_allclose(effect.differences["accuracy"], -0.03)
    np.testing.assert_allclose(effect.differences["discrimination"], 0.01)
    assert effect.means["accuracy"] == pytest.approx((0.77, 0.82))
    assert effect.means["discrimination"] == pytest.approx((0.02, 0.05))
    assert insensitivity(pd.concat(rows[:3])) == []


def test_constant_lines_are_named():
    found = constant_lines(reproduced(), PUBLISHED, ABOUT)
    assert found[0] == ConstantAlgorithm(CASE, "GRAD-Pred", constant=1, models=2)
    published = [each for each in found if isinstance(each, PublishedConstant)]
    assert [each.algorithm for each in published] == ["GRAD-Pred"]
    whole = constant_lines(reproduced(constant=False, majority_accuracy=0.7), PUBLISHED, ABOUT)
    assert whole == [NoConstantModel()]
