"""Zemel's metrics in Fairlearn's MetricFrame, with the real one."""

import pickle

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, make_derived_metric

from grad_ext import (
    accuracy,
    balanced_accuracy,
    balanced_delta,
    consistency,
    delta,
    discrimination,
    zemel_metrics,
    zemel_params,
)
from grad_ext.data.encoding import metric_space
from grad_ext.errors import InputError
from grad_ext.metrics.group import positive_rate

# Eight people: labels, predictions, race, sex and weight.
TRUE = [1, 0, 1, 1, 0, 0, 1, 0]
LABELS = [1, 1, 0, 1, 0, 1, 1, 0]
RACE = ["a", "a", "a", "a", "b", "b", "b", "b"]
SEX = ["f", "f", "m", "m", "f", "m", "m", "m"]
WEIGHT = [1, 3, 2, 2, 1, 1, 1, 2]


def drawn(n=300, seed=0):
    rng = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "race": rng.choice(["a", "b", "c"], n),
            "sex": rng.choice(np.array(["f", "m", None, np.nan], dtype=object), n, p=[0.4, 0.5, 0.05, 0.05]),
            "old": rng.integers(0, 2, n),
            "u": rng.normal(size=n),
            "c": rng.choice(["x", "y", "z"], n),
            "w": rng.uniform(0.1, 2.0, n),
        }
    )  # fmt: skip
    return people, rng.integers(0, 2, n), rng.integers(0, 2, n)


def test_metric_frame_by_hand():
    frame = MetricFrame(
        metrics=zemel_metrics,
        y_true=TRUE,
        y_pred=LABELS,
        sensitive_features=RACE,
        sample_params=zemel_params(sensitive_features=SEX),
    )
    # Race a: f 1, m 1/2; race b: f 0, m 2/3. Accuracies 1/2 and 3/4.
    assert frame.by_group["discrimination"].tolist() == pytest.approx([1 / 2, 2 / 3])
    assert frame.by_group["delta"].tolist() == pytest.approx([0, 3 / 4 - 2 / 3])
    # Race b: the one with label 1 right, 2 of the 3 with label 0.
    assert frame.by_group["balanced_delta"]["b"] == pytest.approx((1 + 2 / 3) / 2 - 2 / 3)
    # All: f (1 + 1 + 0)/3 = 2/3, m (0 + 1 + 1 + 1 + 0)/5 = 3/5.
    assert frame.overall["discrimination"] == pytest.approx(2 / 3 - 3 / 5)
    # Positive rates 3/4 and 1/2.
    assert frame.difference()["positive_rate"] == pytest.approx(1 / 4)
    assert discrimination(TRUE, LABELS, sensitive_features=RACE) == pytest.approx(1 / 4)
    weighted = MetricFrame(
        metrics=zemel_metrics,
        y_true=TRUE,
        y_pred=LABELS,
        sensitive_features=RACE,
        sample_params=zemel_params(sensitive_features=SEX, sample_weight=WEIGHT),
    )
    # Race b: f 0, m (1 + 1 + 0)/4; race a: f 1, m 2/4.
    assert weighted.by_group["discrimination"].tolist() == pytest.approx([1 / 2, 1 / 2])
    assert weighted.by_group["accuracy"].tolist() == pytest.approx([3 / 8, 4 / 5])


def test_metric_frame_without_parameters_leaves_out_what_has_nothing_to_compare_by():
    frame = MetricFrame(metrics=zemel_metrics, y_true=TRUE, y_pred=LABELS, sensitive_features=RACE)
    known = ["accuracy", "balanced_accuracy", "positive_rate"]
    unknown = ["discrimination", "delta", "balanced_delta", "consistency"]
    assert frame.by_group[known].notna().all(axis=None)
    assert frame.by_group[unknown].isna().all(axis=None)
    assert frame.difference()[unknown].isna().all()
    assert frame.overall["accuracy"] == 5 / 8


@pytest.mark.parametrize("attributes", [["sex"], ["sex", "old"]])
def test_metric_frame_judges_each_group_as_the_functions_do(attributes):
    people, y, labels = drawn()
    features = people[["u", "c"]]
    frame = MetricFrame(
        metrics=zemel_metrics,
        y_true=y,
        y_pred=labels,
        sensitive_features=people["race"],
        sample_params=zemel_params(
            sensitive_features=people[attributes], X=features, sample_weight=people["w"]
        ),
    )
    space = metric_space(features)
    for group, got in [*frame.by_group.iterrows(), ("all", frame.overall)]:
        rows = np.flatnonzero((people["race"] == group) | (group == "all"))
        by = (
            people[attributes]
            .iloc[rows]
            .apply(lambda c: c.map({"f": 0.0, "m": 1.0, 0: 0.0, 1: 1.0}))
        )
        at = {"y_true": y[rows], "y_pred": labels[rows], "sample_weight": people["w"].iloc[rows]}
        expected = {
            "accuracy": accuracy(**at),
            "balanced_accuracy": balanced_accuracy(**at),
            "positive_rate": positive_rate(**at),
            "discrimination": discrimination(**at, sensitive_features=by),
            "delta": delta(**at, sensitive_features=by),
            "balanced_delta": balanced_delta(**at, sensitive_features=by),
            "consistency": consistency(**at, X=space[rows]),
            # Of labels and two groups.
            "ks_distance": discrimination(**at, sensitive_features=by),
            "wasserstein_distance": discrimination(**at, sensitive_features=by),
        }
        assert got.to_dict() == pytest.approx(expected)
        assert got.notna().all()
    spread = frame.by_group["discrimination"]
    assert frame.difference()["discrimination"] == pytest.approx(spread.max() - spread.min())
    assert frame.group_max()["discrimination"] == spread.max()


def test_metric_frame_with_control_features_and_bootstrapping():
    people, y, labels = drawn()
    frame = MetricFrame(
        metrics=zemel_metrics,
        y_true=y,
        y_pred=labels,
        sensitive_features=people["race"],
        control_features=people["c"],
        sample_params=zemel_params(sensitive_features=people[["sex", "old"]], X=people[["u"]]),
        n_boot=15,
        ci_quantiles=[0.02, 0.98],
        random_state=0,
    )
    low, high = frame.by_group_ci
    assert low.shape == (9, len(zemel_metrics))
    assert (low < high).all(axis=None)
    rates = "positive_rate"
    assert (low[rates] <= frame.by_group[rates]).all()
    assert (frame.by_group[rates] <= high[rates]).all()


def test_groups_of_too_few_rows_have_no_consistency_but_the_rest():
    races = ["a"] * 3 + ["b"] * 5
    X = np.random.default_rng(0).normal(size=(8, 2))
    frame = MetricFrame(
        metrics=zemel_metrics,
        y_true=TRUE,
        y_pred=LABELS,
        sensitive_features=races,
        sample_params=zemel_params(X=X),
    )
    assert frame.by_group["consistency"].isna().all()
    assert frame.by_group["accuracy"].notna().all()
    expected = consistency(None, LABELS, X=metric_space(pd.DataFrame(X)))
    assert frame.overall["consistency"] == pytest.approx(expected)


def test_columns_named_as_the_sensitive_features_stay_out_of_the_distance():
    people, y, labels = drawn()
    for kept, columns in ((False, ["u"]), (True, ["u", "old"])):
        params = zemel_params(
            sensitive_features=people["old"], X=people[["u", "old"]], use_protected=kept
        )
        frame = MetricFrame(
            metrics=zemel_metrics["consistency"],
            y_true=y,
            y_pred=labels,
            sensitive_features=people["race"],
            sample_params=params["consistency"],
        )
        expected = consistency(None, labels, X=metric_space(people[columns]))
        assert frame.overall == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_derived_metrics(weighted):
    people, y, labels = drawn()
    race, old = people["race"], people["old"].to_numpy()
    w = people["w"].to_numpy() if weighted else np.ones(len(y))
    weight = {"sample_weight": w} if weighted else {}
    rate = make_derived_metric(
        metric=positive_rate, transform="difference", sample_param_names=["sample_weight"]
    )
    assert rate(y, labels, sensitive_features=race, **weight) == pytest.approx(
        discrimination(y, labels, sensitive_features=race, **weight)
    )
    by_race = [np.flatnonzero(race == name) for name in "abc"]
    for metric in (discrimination, delta, balanced_delta):
        worst = make_derived_metric(
            metric=metric, transform="group_max", sample_param_names=["protected", "sample_weight"]
        )
        assert worst(y, labels, sensitive_features=race, protected=old, **weight) == pytest.approx(
            max(
                metric(y[r], labels[r], sensitive_features=old[r], sample_weight=w[r])
                for r in by_race
            )
        )
    for metric in (consistency, zemel_metrics["consistency"]):
        least = make_derived_metric(
            metric=metric, transform="group_min", sample_param_names=["X", "sample_weight"]
        )
        params = zemel_params(X=people[["u", "c"]], **weight)["consistency"]
        space = metric_space(people[["u", "c"]])
        assert least(y, labels, sensitive_features=race, k=3, **params) == pytest.approx(
            min(consistency(None, labels[r], X=space[r], k=3, sample_weight=w[r]) for r in by_race)
        )


def test_metrics_for_metric_frame_travel():
    for name, metric in pickle.loads(pickle.dumps(zemel_metrics)).items():
        assert metric == zemel_metrics[name]
    derived = make_derived_metric(
        metric=zemel_metrics["discrimination"],
        transform="group_max",
        sample_param_names=["protected"],
    )
    got = derived(TRUE, LABELS, sensitive_features=RACE, protected=np.equal(SEX, "m"))
    assert got == pytest.approx(2 / 3)


def test_sensitive_numbers_are_refused_before_metric_frame_takes_them_for_groups():
    ages = np.linspace(18.5, 60, 7)
    with pytest.raises(InputError, match=r"'sensitive_feature': expected groups, got numbers"):
        zemel_params(sensitive_features=ages)


# Scorers
