"""Distances between the groups' scores as functions of arrays."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from grad_ext import discrimination, ks_distance, wasserstein_distance, zemel_metrics
from grad_ext.constraints import CONSTRAINTS, Constraint
from grad_ext.errors import InputError
from grad_ext.metrics.score_distances import (
    distance_chance_levels,
    ks_distance_by_attribute,
    wasserstein_distance_by_attribute,
)

Y = [1, 1, 1, 0, 0, 0, 1, 0]
SEX = ["f", "f", "m", "m", "f", "m", "m", "f"]
SCORES = [0.9, 0.5, 0.6, 0.4, 0.2, 0.2, 0.8, 0.1]


def test_the_rows_that_a_constraint_compares_by_hand():
    # Label 1: f .5, .9 and m .6, .8; label 0: f .1, .2 and m .2, .4.
    for constraint, ks, area in (
        ("equal_opportunity", 1 / 2, 0.1),
        ("equalized_odds", 1 / 2, 0.15),
        # f .1, .2, .5, .9 and m .2, .4, .6, .8.
        ("demographic_parity", 1 / 4, 0.125),
    ):
        given = {"sensitive_features": SEX, "constraint": constraint}
        assert ks_distance(Y, SCORES, **given) == pytest.approx(ks), constraint
        assert wasserstein_distance(Y, SCORES, **given) == pytest.approx(area), constraint


def test_a_constraint_of_ones_own(monkeypatch):
    class Unfavorable(Constraint):
        """Equal scores among the rows of the unfavorable label."""

        name, summary = "unfavorable", "unfavorable rows"

        def strata(self, classes):
            return 0, None

    monkeypatch.setitem(CONSTRAINTS, "unfavorable", Unfavorable())
    given = {"sensitive_features": SEX, "constraint": "unfavorable"}
    assert wasserstein_distance(Y, SCORES, **given) == pytest.approx(0.15)


def test_several_attributes_models_and_weights():
    rng = np.random.default_rng(0)
    scores, weight = rng.random((3, 60)), rng.uniform(0.5, 2.0, 60)
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], 60), "old": rng.integers(0, 2, 60)})
    found = wasserstein_distance_by_attribute(
        None, scores, sensitive_features=frame, sample_weight=weight
    )
    assert found.shape == (2, 3)
    for k, column in enumerate(frame):
        inside = (frame[column] == frame[column][0]).to_numpy()
        for p, one in enumerate(scores):
            parts = one[inside], one[~inside], weight[inside], weight[~inside]
            assert found[k, p] == pytest.approx(stats.wasserstein_distance(*parts))
    assert wasserstein_distance(
        None, scores, protected=frame, sample_weight=weight
    ) == pytest.approx(found.mean(axis=0))


def test_predicted_numbers_have_distances_in_their_units():
    price, sex = [100.0, 300.0, 200.0, 400.0], [0, 0, 1, 1]
    assert wasserstein_distance([1.5, 2.5, 3.5, 9.0], price, sensitive_features=sex) == 100.0
    assert ks_distance(None, [3, 4, 5, 6], sensitive_features=sex) == 1.0


def test_of_a_number_the_fifths_are_compared():
    age = np.arange(100.0)
    found = ks_distance(None, age / 100, sensitive_features=age, continuous=[0])
    assert found == 1.0
    # Nobody of the second fifth but all of the others have a score of 1.
    score = np.where((age >= 20) & (age < 40), 0.0, 1.0) * 0.9
    assert wasserstein_distance(
        None, score, sensitive_features=age, continuous=[0]
    ) == pytest.approx(0.9)


def test_of_labels_both_are_discrimination():
    for labels in ([1, 0, 1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0, 1, 0]):
        expected = discrimination(Y, labels, sensitive_features=SEX)
        assert ks_distance(Y, labels, sensitive_features=SEX) == pytest.approx(expected)
        assert zemel_metrics["wasserstein_distance"](
            Y, labels, sensitive_features=SEX
        ) == pytest.approx(expected)
    names = ["yes", "no"] * 4
    assert ks_distance(
        names, names, sensitive_features=[0, 0, 0, 0, 1, 1, 1, 1], pos_label="yes"
    ) == pytest.approx(0.0)


def test_rows_are_matched_by_their_index():
    y, scores = pd.Series(Y), pd.Series(SCORES)
    moved = scores.sample(frac=1, random_state=0)
    sex = pd.Series(SEX).sample(frac=1, random_state=1)
    assert ks_distance(y, moved, sensitive_features=sex) == pytest.approx(1 / 4)
    assert ks_distance(
        y, moved, sensitive_features=sex, constraint="equal_opportunity"
    ) == pytest.approx(1 / 2)


def test_the_chance_level_of_a_constraint_is_that_of_its_rows():
    rng = np.random.default_rng(0)
    y, sex, scores = rng.integers(0, 2, 400), np.arange(400) % 2, rng.random((2, 400))
    levels = {
        constraint: distance_chance_levels(y, scores, sensitive_features=sex, constraint=constraint)
        for constraint in ("demographic_parity", "equal_opportunity", "equalized_odds")
    }
    ks = {name: level["ks_distance"] for name, level in levels.items()}
    assert ks["demographic_parity"].shape == (1, 2)
    # About half of the rows; and the larger one of two.
    assert ks["equal_opportunity"] == pytest.approx(2**0.5 * ks["demographic_parity"], rel=0.1)
    assert (ks["equalized_odds"] > 1.1 * ks["equal_opportunity"]).all()
    permuted = [
        ks_distance_by_attribute(
            y, scores[0], sensitive_features=rng.permutation(sex), constraint="equalized_odds"
        )
        for _ in range(200)
    ]
    assert ks["equalized_odds"][0, 0] == pytest.approx(np.mean(permuted), rel=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_true": None, "constraint": "equalized_odds"}, "expected labels y_true, got None"),
        ({"constraint": "parity"}, "unknown constraint 'parity'"),
        ({"y_true": [1, 0]}, "y_score: expected 2 rows, got 8"),
        ({"sensitive_features": None}, "exactly one of sensitive_features and protected"),
        ({"sensitive_features": [0, 1]}, "expected 8 rows, got 2"),
        ({"y_score": ["a", "b", "c"] * 2 + ["a", "b"]}, "pos_label|labels"),
        ({"sample_weight": [1] * 7}, "sample_weight: expected 8 rows, got 7"),
    ],
)
def test_bad_input(change, message):
    given = {"y_true": Y, "y_score": SCORES, "sensitive_features": SEX}
    with pytest.raises(InputError, match=message):
        ks_distance(**given | change)
