"""The permutation test: against all permutations, its level, and what it finds."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from grad_ext import permutation_test
from grad_ext.errors import InputError


def test_two_groups_against_fishers_exact_test():
    group, labels = np.repeat([0, 1], [8, 10]), np.array([0] * 6 + [1] * 2 + [0] * 3 + [1] * 7)
    table = [[6, 2], [3, 7]]
    found = permutation_test(None, labels, sensitive_features=group, permutations=4999)
    row = found.loc["sensitive_feature"]
    assert row["value"] == pytest.approx(7 / 10 - 2 / 8)
    assert row["p_value"] == pytest.approx(stats.fisher_exact(table).pvalue, abs=0.02)


def test_six_rows_against_all_orders():
    scores, weight = np.array([0.1, 0.4, 0.35, 0.8, 0.7, 0.2]), np.array([1.0, 2, 1, 1, 3, 1])
    group = np.array([0, 0, 0, 1, 1, 1])

    def gap(codes):
        means = [np.average(scores[codes == g], weights=weight[codes == g]) for g in (0, 1)]
        return abs(means[1] - means[0])

    every = np.array([gap(np.array(codes)) for codes in itertools.permutations(group)])
    found = permutation_test(
        None, scores, sensitive_features=group, sample_weight=weight, permutations=2000
    ).iloc[0]
    assert found["value"] == pytest.approx(gap(group))
    assert found["by_chance"] == pytest.approx(every.mean(), rel=0.05)
    assert found["p_value"] == pytest.approx((every >= gap(group) - 1e-12).mean(), abs=0.04)


def test_what_linear_dependence_does_not_show():
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 70, 400)
    middle = (np.abs(age - 45) < 12).astype(float)
    p = {
        metric: permutation_test(
            None, middle, sensitive_features={"age": age}, continuous=["age"], metric=metric,
            permutations=199,
        ).loc["age", "p_value"]
        for metric in ("correlation", "discrimination", "quintile_difference", "ks_distance")
    }  # fmt: skip
    assert p.pop("correlation") > 0.05
    assert set(p.values()) == {1 / 200}


def test_values_change_places_within_the_strata_of_a_constraint():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 200)
    # Within a label predictions do not depend on the group, which goes with the label.
    group = (rng.random(400) < 0.3 + 0.4 * y).astype(int)
    labels = (rng.random(400) < 0.2 + 0.6 * y).astype(int)
    given = {"sensitive_features": {"sex": group}, "permutations": 199}
    assert permutation_test(y, labels, **given).loc["sex", "p_value"] < 0.02
    within = permutation_test(
        y, labels, metric="equalized_odds_difference", constraint="equalized_odds", **given
    )
    assert within.loc["sex", "p_value"] > 0.05
    signed = permutation_test(y, labels, metric="statistical_parity_difference", **given)
    assert signed.loc["sex", "value"] < 0
    assert signed.loc["sex", "p_value"] < 0.02


def test_missing_values_and_attributes_that_a_metric_does_not_know():
    sex = np.array(["f", "m", None, "f", "m", "m"] * 10, dtype=object)
    frame = pd.DataFrame({"sex": sex, "age": np.arange(60.0)})
    labels = np.arange(60) % 2
    both = permutation_test(
        None, labels, sensitive_features=frame, continuous=["age"], permutations=20
    )
    assert both.index.tolist() == ["sex", "age"]
    fifths = permutation_test(
        None, labels, sensitive_features=frame, continuous=["age"], permutations=20,
        metric="quintile_difference",
    )  # fmt: skip
    assert fifths.index.tolist() == ["age"]
    nothing = permutation_test(None, labels, sensitive_features=np.zeros(60), permutations=20)
    assert nothing.isna().all().all()


def test_p_values_are_uniform_at_most():
    rng = np.random.default_rng(0)
    age = rng.random(60)
    p = [
        permutation_test(
            None, rng.random(60) < 0.4, sensitive_features=age, continuous=[0], permutations=19,
            metric="quintile_difference", seed=seed,
        )["p_value"].iloc[0]
        for seed in range(200)
    ]  # fmt: skip
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(np.array(p) <= 0.5) > 0.35


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "accuracy"}, "unknown metric of attributes 'accuracy'"),
        ({"metric": "quintile_difference"}, "of the kinds continuous, got"),
        ({"constraint": "odds"}, "unknown constraint"),
        ({"metric": "equalized_odds_difference"}, "expected labels"),
        ({"permutations": 0}, "permutations"),
        ({"y_pred": [[1, 0] * 5]}, "one prediction a row"),
        ({"sensitive_features": [0, 1]}, "expected 10 rows, got 2"),
    ],
)
def test_bad_input(change, message):
    given = {"y_true": None, "y_pred": [1, 0] * 5, "sensitive_features": [0, 1, 0, 0, 1] * 2}
    with pytest.raises(InputError, match=message):
        permutation_test(**given | change)
