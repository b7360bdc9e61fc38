"""Intervals and tests of distances between scores: by loops, and coverage by simulation."""

import numpy as np
import pandas as pd
import pytest

from grad_ext import intervals, paired_test
from grad_ext.errors import InputError
from grad_ext.metrics.registry import METRICS
from grad_ext.metrics.resampling import Units
from grad_ext.metrics.score_distances import ks_distance, wasserstein_distance

SCORED = [name for name, metric in METRICS.items() if metric.scores and metric.cells]


def drawn(n=120, seed=0):
    rng = np.random.default_rng(seed)
    y, sex = rng.integers(0, 2, n), rng.choice(["f", "m"], n)
    scores = np.clip(0.5 * y + 0.5 * rng.random((2, n)), 0, 1).round(2)
    return y, scores, sex, rng.uniform(0.5, 2.0, n)


def test_what_labels_alone_do_not_tell_is_left_out():
    y, scores, sex, _ = drawn()
    given = {"sensitive_features": {"sex": sex}, "resamples": 50}
    labels = (scores[0] >= 0.5) * 1
    assert "ks_distance" not in intervals(y, labels, **given).index
    table = intervals(y, labels, y_score=scores[0], **given)
    assert {*SCORED[:2], *(f"{name}_sex" for name in SCORED)} <= set(table.index)
    assert table.notna().all().all()
    # Scores as predictions are scores.
    again = intervals(y, scores[0], **given)
    names = [f"{name}_sex" for name in SCORED]
    pd.testing.assert_frame_equal(again.loc[names], table.loc[names])
    assert (table["low"] <= table["estimate"]).all()
    assert (table["estimate"] <= table["high"]).all()


@pytest.mark.parametrize("units", [None, 3])
def test_the_ends_by_loops(units):
    y, scores, sex, weight = drawn()
    unit = None if units is None else np.arange(120) // units
    table = intervals(
        y, scores[0], sensitive_features={"sex": sex}, sample_weight=weight, groups=unit,
        resamples=99,
    )  # fmt: skip
    counts = np.concatenate(list(Units.of(unit, 120).draws(99, 0)))
    counts = counts if unit is None else counts[:, unit]
    at = np.unique(scores[0])

    def gaps(times, rows):
        shares = []
        for name in ("f", "m"):
            inside = (sex == name) & rows
            w = (weight * times)[inside]
            shares.append([np.average(scores[0][inside] <= t, weights=w) for t in at])
        return shares[0] - np.array(shares[1])

    everybody, favorable = np.ones(120, bool), y == 1
    for rows, prefix in ((everybody, ""), (favorable, "equal_opportunity_")):
        sample = gaps(np.ones(120), rows)
        off = np.array([gaps(times, rows) for times in counts]) - sample
        for name, value, errors in (
            ("ks_distance", abs(sample).max(), abs(off).max(axis=1)),
            (
                "wasserstein_distance",
                abs(sample[:-1]) @ np.diff(at),
                abs(off[:, :-1]) @ np.diff(at),
            ),
        ):
            width = np.sort(errors)[94]  # of 99, so that 5 % of 100 lie above
            found = table.loc[f"{prefix}{name}_sex"].tolist()
            assert found == pytest.approx([value, max(0, value - width), min(1, value + width)])


def test_several_attributes_and_models():
    y, scores, sex, _ = drawn()
    frame = pd.DataFrame({"sex": sex, "age": np.random.default_rng(1).random(120)})
    given = {"sensitive_features": frame, "continuous": ["age"], "resamples": 60}
    both = intervals(y, scores, **given)
    for p in (0, 1):
        pd.testing.assert_frame_equal(both.loc[p], intervals(y, scores[p], **given), atol=1e-12)
        assert both.loc[(p, "ks_distance"), "estimate"] == pytest.approx(
            ks_distance(y, scores[p], sensitive_features=frame, continuous=["age"])
        )
    assert both.loc[(0, "equalized_odds_wasserstein_distance_sex"), "estimate"] == pytest.approx(
        wasserstein_distance(y, scores[0], sensitive_features=sex, constraint="equalized_odds")
    )


def test_few_rows_of_a_fifth_have_no_interval():
    y, scores, _, _ = drawn(60)
    age = np.arange(60.0)
    table = intervals(y, scores[0], sensitive_features={"age": age}, continuous=[0], resamples=60)
    assert table.loc["ks_distance_age"].notna().all()
    assert np.isnan(table.loc["equalized_odds_ks_distance_age", "low"])


def test_one_group_has_no_distance():
    y, scores, _, _ = drawn(60)
    table = intervals(y, scores[0], sensitive_features=np.zeros(60), resamples=60)
    assert table.loc["ks_distance"].isna().all()
    test = paired_test(y, *scores, sensitive_features=np.zeros(60), resamples=60)
    assert test.loc["ks_distance"].isna().all()


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(0)
    group, y = np.arange(200) % 2, np.arange(200) // 2 % 2
    for shift, ks in ((0.0, 0.0), (0.2, 0.2)):
        scores = (rng.random((150, 200)) + shift * group) / 1.2
        table = intervals(y, scores, sensitive_features=group, resamples=100)
        for name, truth in (("ks_distance", ks), ("wasserstein_distance", shift / 1.2)):
            ends = table.xs(name, level="metric")
            assert ((ends["low"] <= truth) & (truth <= ends["high"])).mean() > 0.9


def test_the_swaps_by_loops():
    y, scores, sex, weight = drawn(80)
    test = paired_test(
        y, *scores, sensitive_features={"sex": sex}, sample_weight=weight, resamples=60
    )
    swaps = np.concatenate(list(Units.of(None, 80).swaps(60, 0))).astype(bool)
    for metric in (ks_distance, wasserstein_distance):

        def differ(swap, metric=metric):
            one, other = np.where(swap, scores[::-1], scores)
            given = {"sensitive_features": sex, "sample_weight": weight}
            return metric(y, other, **given) - metric(y, one, **given)

        value = differ(np.zeros(80, bool))
        as_much = sum(abs(differ(swap)) >= abs(value) - 1e-12 for swap in swaps)
        name = f"{metric.__name__}_sex"
        assert test.loc[name, "difference"] == pytest.approx(value)
        assert test.loc[name, "p_value"] == pytest.approx((1 + as_much) / 61)
        assert test.loc[name, "low"] < value < test.loc[name, "high"]


def test_a_clear_difference_of_two_models_is_significant():
    rng = np.random.default_rng(0)
    group, y = np.arange(400) % 2, np.arange(400) // 2 % 2
    fair, unfair = rng.random(400), (rng.random(400) + group) / 2
    given = {"sensitive_features": group, "resamples": 100}
    labels = [(s >= 0.5) * 1 for s in (fair, unfair)]
    test = paired_test(y, *labels, first_score=fair, second_score=unfair, **given)
    assert test.loc["ks_distance", "difference"] > 0.3
    assert test.loc["ks_distance", "p_value"] < 0.02
    same = paired_test(y, fair, fair, **given).loc["ks_distance"]
    assert same["p_value"] == 1.0
    assert same["difference"] == 0.0


def test_many_scores_are_compared_at_some():
    rng = np.random.default_rng(0)
    group, y = np.arange(4000) % 2, np.arange(4000) // 2 % 2
    scores = rng.random(4000)
    table = intervals(y, scores, sensitive_features=group, resamples=60)
    low, high = table.loc["ks_distance", ["low", "high"]]
    assert low == 0.0
    # About 1.36 standard deviations of two halves on either side.
    width = 1.36 * np.sqrt(2 / 2000)
    assert high - table.loc["ks_distance", "estimate"] == pytest.approx(width, rel=0.25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_score": [0.5] * 19}, "y_score: expected 20 rows, got 19"),
        ({"y_score": [1.5] * 20}, r"y_score: expected values in \[0, 1\], got 1.5"),
        ({"y_score": [np.nan] * 20}, r"y_score: expected values in \[0, 1\], got nan"),
        ({"y_score": np.zeros((2, 20))}, r"y_score: .* shape \(1, 20\), got \(2, 20\)"),
    ],
)
def test_bad_input(change, message):
    given = {"y_true": [1, 0] * 10, "y_pred": [1] * 20, "sensitive_features": [0, 1] * 10}
    with pytest.raises(InputError, match=message):
        intervals(**given | change)


def test_a_test_needs_the_scores_of_both():
    with pytest.raises(InputError, match="both or neither of first_score and second_score"):
        paired_test([1, 0], [1, 0], [1, 1], sensitive_features=[0, 1], first_score=[0.1, 0.2])
