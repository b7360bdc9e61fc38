"""Zemel's metrics on four rows worked by hand, and against AIF360 where the definitions meet."""

import numpy as np
import pytest

from grad_ext.errors import InputError
from grad_ext.metrics.group import (
    accuracy,
    balanced_accuracy,
    chance_level,
    consistency,
    delta,
    discrimination,
    discrimination_by_attribute,
    equalized_odds_by_attribute,
    positive_rate,
    toolkit_metrics,
)
from grad_ext.metrics.neighbors import neighbor_graph

TRUE = [1, 0, 1, 1]
LABELS = [1, 1, 0, 1]
SCORES = [0.9, 0.6, 0.2, 0.7]
GROUP = [1, 1, 0, 0]
LINE = [[0.0], [1.0], [3.0], [7.0]]


def test_four_rows_by_hand():
    assert accuracy(TRUE, LABELS) == 0.5  # rows 0 and 3
    assert accuracy(TRUE, SCORES) == pytest.approx((0.9 + 0.4 + 0.2 + 0.7) / 4)
    assert balanced_accuracy(TRUE, LABELS) == pytest.approx((2 / 3 + 0) / 2)
    assert positive_rate(TRUE, LABELS) == 0.75
    assert discrimination(None, LABELS, sensitive_features=GROUP) == 0.5  # |1 - 1/2|
    assert discrimination(None, SCORES, sensitive_features=GROUP) == pytest.approx(0.75 - 0.45)
    assert delta(TRUE, LABELS, sensitive_features=GROUP) == 0.0
    # Weights: privileged (1·1 + 3·1)/4 = 1, unprivileged (2·0 + 2·1)/4 = 1/2.
    weighted = discrimination(None, LABELS, sensitive_features=GROUP, sample_weight=[1, 3, 2, 2])
    assert weighted == 0.5
    assert accuracy(TRUE, LABELS, sample_weight=[1, 3, 2, 2]) == 3 / 8


def test_consistency_by_hand():
    # Nearest: 0 -> 1, 1 -> 0, 2 -> 1, 3 -> 2. Gaps |1-1|, |1-1|, |0-1|, |1-0|.
    assert consistency(None, LABELS, X=LINE, k=1) == 0.5
    # Two nearest: 0 -> 1, 2 (mean 1/2); 1 -> 0, 2 (1/2); 2 -> 1, 0 (1); 3 -> 2, 1 (1/2).
    assert consistency(None, LABELS, X=LINE, k=2) == 1 - (0.5 + 0.5 + 1 + 0.5) / 4
    # Counting oneself, k = 1 sees nobody else.
    assert consistency(None, LABELS, X=LINE, k=1, include_self=True) == 1.0
    assert consistency(None, SCORES, X=LINE, k=1) == pytest.approx(1 - (0.3 + 0.3 + 0.4 + 0.5) / 4)


def test_against_aif360():
    import pandas as pd
    from aif360.datasets import BinaryLabelDataset
    from aif360.metrics import BinaryLabelDatasetMetric, ClassificationMetric

    rng = np.random.default_rng(1)
    n = 60
    frame = pd.DataFrame(
        {"x": rng.normal(size=n), "a": rng.integers(0, 2, n), "y": rng.integers(0, 2, n)}
    )
    frame["w"] = rng.uniform(0.5, 2.0, n)
    data = BinaryLabelDataset(
        df=frame, label_names=["y"], protected_attribute_names=["a"], instance_weights_name="w"
    )
    predicted = data.copy(deepcopy=True)
    predicted.labels = rng.integers(0, 2, (n, 1)).astype(float)
    theirs = ClassificationMetric(
        data, predicted, unprivileged_groups=[{"a": 0}], privileged_groups=[{"a": 1}]
    )
    y, labels, a, w = frame["y"], predicted.labels.ravel(), frame["a"], frame["w"]
    ours = toolkit_metrics(y, labels, sensitive_features=a, sample_weight=w)
    for name, values in ours.items():
        assert values[0] == pytest.approx(getattr(theirs, name)()), name
    odds = equalized_odds_by_attribute(y, labels, sensitive_features=a, sample_weight=w)
    assert odds[0] == pytest.approx(theirs.equalized_odds_difference())
    assert accuracy(y, labels, sample_weight=w) == pytest.approx(theirs.accuracy())
    gap = discrimination(None, labels, sensitive_features=a, sample_weight=w)
    assert gap == pytest.approx(abs(theirs.statistical_parity_difference()))
    # Where neighbours are unique (continuous features) and each row counts itself.
    # (ClassificationMetric.consistency is that of the true labels, not the predicted ones.)
    mine = consistency(None, labels, X=data.features, k=5, include_self=True)
    theirs_of_labels = BinaryLabelDatasetMetric(predicted)
    assert mine == pytest.approx(float(theirs_of_labels.consistency(n_neighbors=5)[0]))


def test_equalized_odds_by_hand_and_against_fairlearn():
    from fairlearn.metrics import equalized_odds_difference

    y = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    groups = [0, 0, 1, 1, 2, 2] * 2
    labels = [1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1]
    # Of the label 1: 1/2, 1, 1; of 0: 0, 0, 1/2.
    assert equalized_odds_by_attribute(y, labels, sensitive_features=groups).tolist() == [0.5]
    rng = np.random.default_rng(0)
    y, a, w = rng.integers(0, 2, 300), rng.integers(0, 3, (300, 2)), rng.uniform(size=300)
    labels = rng.integers(0, 2, (4, 300))
    ours = equalized_odds_by_attribute(y, labels, sensitive_features=a, sample_weight=w)
    for k, p in np.ndindex(2, 4):
        theirs = equalized_odds_difference(
            y, labels[p], sensitive_features=a[:, k], sample_weight=w
        )
        assert ours[k, p] == pytest.approx(theirs)
    missing = np.where(np.arange(300) < 100, np.nan, a[:, 0])
    np.testing.assert_array_equal(
        equalized_odds_by_attribute(y, labels, sensitive_features=missing),
        equalized_odds_by_attribute(y[100:], labels[:, 100:], sensitive_features=a[100:, 0]),
    )


def test_equalized_odds_leave_out_a_group_without_rows_of_a_label():
    y, groups, labels = [1, 1, 0, 0, 0], [0, 1, 0, 1, 2], [1, 1, 0, 0, 1]
    assert equalized_odds_by_attribute(y, labels, sensitive_features=groups)[0] == 1.0
    one = equalized_odds_by_attribute([1, 0, 0], [1, 0, 1], sensitive_features=[0, 0, 1])
    assert np.isnan(one).all()


def test_the_chance_level_is_the_mean_over_random_labels():
    """By simulation: labels drawn independently of the group."""
    group = np.repeat([1, 0], [143, 57])
    draws = np.random.default_rng(0).random((20_000, 200)) < 0.8
    shown = discrimination(None, draws, sensitive_features=group).mean()
    level = chance_level(0.8, group)
    assert level.shape == (1,)
    assert level[0] == pytest.approx(shown, rel=0.03)
    assert level[0] == pytest.approx(np.sqrt(2 / np.pi * 0.16 * (1 / 143 + 1 / 57)))


def test_a_constant_looks_perfect_but_for_balanced_accuracy():
    y = [1, 1, 1, 0]
    assert discrimination(None, [1] * 4, sensitive_features=GROUP) == 0
    assert consistency(None, [1] * 4, X=LINE, k=2) == 1
    assert delta(y, [1] * 4, sensitive_features=GROUP) == 0.75
    assert balanced_accuracy(y, [1] * 4) == 0.5
    assert chance_level(1.0, GROUP)[0] == 0


def test_missing_names_and_numbers_beside_names():
    import pandas as pd

    labels = [1, 0, 1, 1, 0]
    names = ["a", "b", None, np.nan, "b"]
    assert discrimination(None, labels, sensitive_features=names) == 1.0
    mixed = pd.DataFrame({"region": names, "age": [30.0, 20.0, 31.0, 32.0, 21.0]})
    both = discrimination_by_attribute(None, labels, sensitive_features=mixed, continuous=[1])
    alone = discrimination(None, labels, sensitive_features=mixed["age"], continuous=[0])
    np.testing.assert_allclose(both, [1.0, alone])


def test_what_has_no_rows_is_nan():
    assert np.isnan(discrimination(None, [1, 0], sensitive_features=[1, 1]))
    assert np.isnan(balanced_accuracy([1, 1], [1, 0]))
    assert np.isnan(chance_level(0.5, [1, 1])[0])
    weightless = discrimination(None, [1, 0], sensitive_features=[1, 0], sample_weight=[0, 0])
    assert np.isnan(weightless)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy([1, 0], [1]), "expected 1 rows, got 2"),
        (lambda: accuracy([], []), "at least one row"),
        (lambda: accuracy([1, 2], [1, 0]), r"two labels, got 3 values: \[0, 1, 2\]"),
        (lambda: toolkit_metrics([1, 0], [1, 0], sensitive_features=[1, 3]), "only 0 and 1, got 3"),
        (lambda: discrimination(None, [1, 0], sensitive_features=[1]), "expected 2 rows, got 1"),
        (
            lambda: consistency(None, [1, 0], X=[[0], [1]], k=2),
            "expected 1 to 1 neighbours for 2 rows",
        ),
        (lambda: consistency(None, [1, 0]), "exactly one of X and graph"),
        (lambda: consistency(None, [1, 0], X=[[0.0]]), "expected 2 rows"),
        (lambda: consistency(None, [1, 0], X=[[np.nan], [0.0]], k=1), "finite"),
        (lambda: neighbor_graph([1.0, 2.0]), "matrix of shape"),
        (
            lambda: consistency(None, [1, 0], graph=neighbor_graph([[0], [1], [2]], k=1)),
            "expected 2 rows, got 3",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_groups_of_many_values_names_and_missing_by_hand():
    # Means 1, 1/2, 0 of three groups: the largest difference is 1; the nan row does not count.
    labels = [1, 1, 0, 0, 1]
    assert discrimination(None, labels, sensitive_features=[7, 8, 8, 9, np.nan]) == 1.0
    assert (
        discrimination(
            None, labels, sensitive_features=np.array(["a", "b", "b", "c", None], dtype=object)
        )
        == 1.0
    )
    assert discrimination(None, labels, sensitive_features=[7, 8, 8, 8, np.nan]) == pytest.approx(
        2 / 3
    )
    weighted = discrimination(
        None, labels, sensitive_features=[7, 8, 8, 8, 8], sample_weight=[1, 1, 1, 1, 0]
    )
    assert weighted == pytest.approx(2 / 3)
    assert np.isnan(discrimination(None, labels, sensitive_features=[np.nan] * 5))


def test_against_fairlearn_for_many_groups():
    from fairlearn.metrics import demographic_parity_difference

    rng = np.random.default_rng(0)
    labels, groups, w = rng.integers(0, 2, 80), rng.integers(0, 5, 80), rng.uniform(size=80)
    theirs = demographic_parity_difference(
        labels, labels, sensitive_features=groups, sample_weight=w
    )
    assert discrimination(
        None, labels, sensitive_features=groups, sample_weight=w
    ) == pytest.approx(theirs)


def test_a_continuous_attribute_by_hand():
    # Twenty rows in ten bins of two; labels follow the attribute: bins 0-4 all 0, bins 5-9 all 1.
    age = np.arange(20.0)
    labels = (age >= 10).astype(int)
    assert discrimination(None, labels, sensitive_features=age, continuous=[0]) == pytest.approx(
        0.5
    )
    assert discrimination(None, [1] * 20, sensitive_features=age, continuous=[0]) == 0.0
    both = discrimination_by_attribute(
        None, labels, sensitive_features=np.column_stack([age, labels]), continuous=[0]
    )
    np.testing.assert_allclose(both, [0.5, 1.0])


def test_the_chance_level_of_many_groups_and_of_numbers_is_the_mean_over_random_labels():
    rng = np.random.default_rng(0)
    draws = rng.random((4_000, 300)) < 0.3
    groups = np.repeat([0, 1, 2, 3], [150, 80, 40, 30])
    shown = discrimination(None, draws, sensitive_features=groups).mean()
    assert chance_level(0.3, groups)[0] == pytest.approx(shown, rel=0.05)
    age = rng.normal(size=300)
    shown = discrimination(None, draws, sensitive_features=age, continuous=[0]).mean()
    level = chance_level(0.3, age, continuous=[0])[0]
    assert level == pytest.approx(shown, rel=0.05)
    # With weights, which make the groups' means vary more.
    weight = np.exp(rng.normal(size=300))
    for features, continuous in ((groups, ()), (groups > 0, ()), (age, [0])):
        given = {"sample_weight": weight, "continuous": continuous}
        shown = discrimination(None, draws, sensitive_features=features, **given).mean()
        level = chance_level(0.3, features, **given)[0]
        assert level == pytest.approx(shown, rel=0.06)
        assert level > 1.2 * chance_level(0.3, features, continuous=continuous)[0]
