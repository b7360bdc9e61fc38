"""The registry of metrics: its columns, a new entry, and the metrics that have no function."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.metrics.bootstrap import intervals
from grad_ext.metrics.neighbors import neighbor_graph
from grad_ext.metrics.registry import METRICS, Metric, attribute_column, evaluate_means, spread
from grad_ext.metrics.sums import Cells, Groups, Predictions

Y, GROUP = np.array([1.0, 0, 1, 1, 0, 0]), np.array([0.0, 0, 1, 1, 0, 1])
LABELS = np.array([1.0, 1, 1, 1, 0, 0])


def rows(predicted=LABELS, weight=None, kind="binary", **further):
    weight = np.ones(6) if weight is None else np.asarray(weight, float)
    return Predictions(predicted, Y, weight, (Groups.of("sex", kind, GROUP),), **further)


def false_discovery_rate_difference(means, attribute):
    cells = means.labels.by_class_and_group[attribute]
    favorable = cells.weight * cells.mean
    rate = favorable[..., 0, :] / favorable.sum(axis=-2)
    return rate[..., 0] - rate[..., 1]


NAMES = [
    "low",
    "high",
    "sd",
    "std",
    "floor",
    "age",
    "age_low",
    "(low)",
    "((low))",
    "(age)",
    "",
    "_sd",
]
ENDS = ("", "_low", "_high", "_sd", "_std")


@given(st.lists(st.sampled_from(NAMES) | st.text("()_lowsd"), unique=True))
def test_columns_of_attributes_and_what_is_derived_from_them_differ(names):
    columns = ["discrimination", *(attribute_column("discrimination", name) for name in names)]
    derived = [f"{column}{end}" for column in columns for end in ENDS]
    assert len({*derived}) == len(derived)


def test_attributes_with_the_names_of_ends_have_their_own_intervals():
    names = ["low", "high", "floor"]
    groups = pd.DataFrame({name: np.tile(np.eye(2)[k % 2], 30) for k, name in enumerate(names)})
    y = np.tile([1, 0, 1], 20)
    table = intervals(y, groups["low"], sensitive_features=groups, resamples=50)
    assert table.index.is_unique
    gaps = table.loc[[f"discrimination_{name}" for name in ("(low)", "(high)", "floor")]]
    assert gaps["estimate"].tolist() == [1.0, 1.0, 1.0]


@pytest.fixture
def added(monkeypatch):
    name = "false_discovery_rate_difference"
    metric = Metric(
        name, name, false_discovery_rate_difference, None,
        attributes=("binary",), cells=("class and group",),
    )  # fmt: skip
    monkeypatch.setitem(METRICS, name, metric)
    return f"{name}_sex"


def test_a_new_entry_is_evaluated(added):
    # Of the favorable predictions of group 0, 1 of 2 is wrong; of group 1, 0 of 2.
    assert evaluate_means(rows())[added] == 0.5
    # By weight 3 of 4.
    assert evaluate_means(rows(weight=[1, 3, 1, 1, 1, 1]))[added] == 0.75
    assert added not in evaluate_means(rows(kind="categorical"))


def test_a_new_entry_has_an_interval(added):
    y, labels, sex = (np.tile(values, 40) for values in (Y, LABELS, GROUP))
    table = intervals(y, labels, sensitive_features={"sex": sex})
    estimate, low, high = table.loc[added]
    assert estimate == pytest.approx(0.5)
    assert 0.3 < low < 0.45
    assert 0.55 < high < 0.7
    few = intervals(Y, LABELS, sensitive_features={"sex": GROUP}).loc[added]
    assert few["estimate"] == 0.5
    assert few[["low", "high"]].isna().all()


def test_a_new_entry_agrees_with_aif360(added):
    from aif360.datasets import BinaryLabelDataset
    from aif360.metrics import ClassificationMetric

    data = BinaryLabelDataset(
        df=pd.DataFrame({"sex": GROUP, "y": Y}),
        label_names=["y"],
        protected_attribute_names=["sex"],
    )
    predicted = data.copy()
    predicted.labels = LABELS[:, None]
    theirs = ClassificationMetric(data, predicted, [{"sex": 0}], [{"sex": 1}])
    found = evaluate_means(rows())[added]
    assert found == pytest.approx(theirs.false_discovery_rate_difference())


def test_columns_are_in_the_order_of_results():
    groups = (Groups.of("sex", "binary", GROUP), Groups.of("age", "continuous", np.arange(6.0)))
    means = Predictions(LABELS, Y, np.ones(6), groups, graph=neighbor_graph(np.eye(6), k=1))
    assert list(evaluate_means(means)) == [
        "accuracy", "balanced_accuracy", "discrimination", "discrimination_sex",
        "discrimination_age", "quintile_difference_age", "quintile_chance_level_age",
        "correlation_age", "delta", "balanced_delta", "consistency", "positive_rate",
        "majority_accuracy", "majority_favorable", "chance_level",
        "statistical_parity_difference_sex", "disparate_impact_sex",
        "equal_opportunity_difference_sex", "average_odds_difference_sex",
        "equalized_odds_difference_sex",
    ]  # fmt: skip
    assert "consistency" not in evaluate_means(rows())
    scores = evaluate_means(Predictions(LABELS, Y, np.ones(6), groups, scores=LABELS * 0.8))
    assert [name for name in scores if name not in evaluate_means(means)] == [
        "ks_distance", "wasserstein_distance", "ks_distance_sex", "wasserstein_distance_sex",
        "ks_distance_age", "wasserstein_distance_age",
        "ks_chance_level", "wasserstein_chance_level",
        "equalized_odds_ks_distance_sex", "equalized_odds_wasserstein_distance_sex",
        "equal_opportunity_ks_distance_sex", "equal_opportunity_wasserstein_distance_sex",
        "equalized_odds_ks_distance_age", "equalized_odds_wasserstein_distance_age",
        "equal_opportunity_ks_distance_age", "equal_opportunity_wasserstein_distance_age",
    ]  # fmt: skip


def test_the_majority_class_by_hand():
    # Labels 1, 0, 1, 1, 0, 0 with these weights: 4 of 9 favorable.
    found = evaluate_means(rows(weight=[1, 3, 2, 1, 1, 1]))
    assert found["majority_accuracy"] == pytest.approx(5 / 9)
    assert found["majority_favorable"] == 0.0
    assert evaluate_means(rows())["majority_favorable"] == 1.0


def test_scores_beside_labels():
    scores = np.array([0.9, 0.6, 0.8, 0.5, 0.4, 0.1])
    found = evaluate_means(rows(scores, label_predictions=rows()))
    assert found["accuracy"] == pytest.approx(1 - (0.1 + 0.6 + 0.2 + 0.5 + 0.4 + 0.1) / 6)
    assert found["balanced_accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["discrimination"] == pytest.approx((1.9 - 1.4) / 3)
    assert found["positive_rate"] == pytest.approx(4 / 6)
    assert found["statistical_parity_difference_sex"] == 0.0
    assert found["balanced_delta"] == found["balanced_accuracy"] - found["discrimination"]


def test_the_spread_of_means_by_hand():
    cells = Cells(np.array([1.0, 2.0, 0.0, 1.0]), np.array([[0.2, 0.6, np.nan, 1.0]]))
    assert spread(cells) == pytest.approx([0.8])
    # Mean 0.6 of all; 0.4, 0 and 0.4 from it, by weights 1, 2 and 1.
    assert spread(cells, continuous=True) == pytest.approx([0.2])
    one = Cells(np.array([1.0, 0.0]), np.array([0.2, np.nan]))
    assert np.isnan(spread(one))
    assert np.isnan(spread(one, continuous=True))
    # A model that diverged is not left out as a group without rows is.
    diverged = Cells(np.ones(3), np.array([0.1, np.nan, 0.5]))
    assert np.isnan(spread(diverged))
    assert np.isnan(spread(diverged, continuous=True))


def test_a_number_by_hand():
    age = np.arange(10.0)
    labels = np.array([0.0, 0, 1, 1, 1, 0, 1, 1, 0, 0])
    groups = (Groups.of("age", "continuous", age),)
    means = Predictions(labels, np.tile([0.0, 1.0], 5), np.ones(10), groups)
    found = evaluate_means(means)
    # Fifths 0 1, 2 3, 4 5, 6 7, 8 9 have shares 0, 1, 1/2, 1, 0.
    assert found["quintile_difference_age"] == 1.0
    assert found["correlation_age"] == pytest.approx(np.corrcoef(age, labels)[0, 1])
    assert found["correlation_age"] == pytest.approx(-0.05 / (0.5 * 8.25**0.5))
    # The mean range of five normals of variance 1/4 over 2 rows.
    assert found["quintile_chance_level_age"] == pytest.approx(2.326 * 0.5 / 2**0.5, abs=1e-3)
    missing = np.where(age < 2, np.nan, age)
    partly = Predictions(
        labels, None, np.arange(1.0, 11.0), (Groups.of("age", "continuous", missing),)
    )
    expected = np.cov(age[2:], labels[2:], aweights=np.arange(3.0, 11.0))
    assert METRICS["correlation"].formula(partly, 0) == pytest.approx(
        expected[0, 1] / np.sqrt(expected[0, 0] * expected[1, 1])
    )
    constant = Predictions(np.full(10, 0.3), None, np.ones(10), groups)
    assert np.isnan(METRICS["correlation"].formula(constant, 0))


def test_an_interval_of_the_difference_between_fifths():
    rng = np.random.default_rng(0)
    age, y = rng.random(600), np.arange(600) % 2
    labels = np.abs(age - 0.5) < 0.25
    given = {"sensitive_features": {"age": age}, "continuous": ["age"], "resamples": 100}
    estimate, low, high = intervals(y, labels, **given).loc["quintile_difference_age"]
    assert low < estimate == high == 1.0
    noise = intervals(y, rng.random(600) < 0.5, **given).loc["quintile_difference_age"]
    assert noise["low"] == 0.0
