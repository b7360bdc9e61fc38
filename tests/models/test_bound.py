"""The choice of a model within a bound: gaps by hand, choices on made candidates, fits of real models."""

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext import GRADClassifier, GRADEncoder, GRADRegressor, load
from grad_ext.errors import BoundWarning, InputError
from grad_ext.metrics.group import discrimination_by_attribute
from grad_ext.models.bound import (
    FOLDS,
    PATH,
    Candidate,
    Judged,
    checked_bounds,
    folds,
    frontier,
    gaps_of,
    surely_below,
)
from grad_ext.models.fit import Samples
from grad_ext.outputs import Binary, Branch, Task


def samples(y, a, w=None):
    a = np.asarray(a, float).reshape(len(y), -1)
    branches = [Branch.of_groups(f"a{k}", int(np.nanmax(c)) + 1) for k, c in enumerate(a.T)]
    return Samples(
        frame=pd.DataFrame({"x": np.arange(len(y))}),
        y=np.asarray(y, float),
        a=a,
        w=np.ones(len(y)) if w is None else np.asarray(w, float),
        task=Task(Binary("target"), tuple(branches)),
    )


def test_gaps_by_hand():
    # Group 0: 3 of 4 rows, group 1: 1 of 5 rows; 8 rows and one of no group.
    labels = np.array([[1, 1, 1, 0, 1, 0, 0, 0, 0, 1.0]])
    cells = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, -1])
    gap, error, chance = gaps_of(labels[:, None], np.ones(10), cells, 1, 2)
    assert gap == pytest.approx(0.75 - 0.2)
    assert error == pytest.approx(math.sqrt(0.75 * 0.25 / 4 + 0.2 * 0.8 / 5))
    pooled = 4 / 9
    expected = math.sqrt(2 / math.pi * pooled * (1 - pooled) * (1 / 4 + 1 / 5))
    # The mean range is of random draws.
    assert chance == pytest.approx(expected, rel=0.05)


@given(st.integers(0, 200), st.integers(1, 2))
def test_gaps_are_the_discrimination_of_the_metrics(seed, strata):
    rng = np.random.default_rng(seed)
    y, group = rng.random(80) < 0.5, rng.integers(0, 3, 80)
    w, labels = rng.uniform(0.1, 2.0, 80), rng.random((4, 80)) < 0.5
    stratum = y.astype(int) if strata == 2 else np.zeros(80, int)
    gap, _, _ = gaps_of(labels[:, None].astype(float), w, stratum * 3 + group, strata, 3)
    each = [
        discrimination_by_attribute(
            y[own], labels[:, own], sensitive_features=group[own], sample_weight=w[own]
        )[0]
        for own in (stratum == s for s in range(strata))
    ]
    # Of two strata the one that is surer to be high counts.
    assert (np.abs(np.array(each) - gap) < 1e-12).any(axis=0).all()


def test_a_gap_that_chance_shows_is_none():
    gaps = np.array([0.03, 0.05, 0.13])
    errors, chances = np.zeros(3), np.array([0.05, 0.05, 0.05])
    np.testing.assert_allclose(surely_below(gaps, errors, chances, 0.0), [0.0, 0.0, 0.12])
    assert surely_below(gaps, errors + 0.03, chances, 0.04)[0] == pytest.approx(0.05)


@given(st.lists(st.integers(0, 4), min_size=12, max_size=60), st.integers(0, 5))
def test_folds_divide_every_stratum_evenly(strata, seed):
    strata = np.array(strata)
    fold = folds(strata, np.random.default_rng(seed))
    counts = np.array(
        [[np.sum((strata == s) & (fold == k)) for k in range(FOLDS)] for s in range(5)]
    )
    assert (np.ptp(counts, axis=1) <= 1).all()


def made(scores_by_lam, y, a, bound=0.1, objective="accuracy", constraint="demographic_parity"):
    """The path of scores that are made, one array for each λ, the last repeated."""
    scores = [*scores_by_lam] + [scores_by_lam[-1]] * (len(PATH) - len(scores_by_lam))
    judged = Judged(samples(y, a), np.array(scores)[:, None])
    bounds = [bound] * judged.rows.a.shape[1]
    return frontier(judged, constraint, bounds, objective)


def rows(n=4000, seed=0):
    """Labels that lean on the group and on a number, and that number."""
    rng = np.random.default_rng(seed)
    group, skill = rng.random(n) < 0.5, rng.normal(size=n)
    y = skill + 1.0 * group + rng.normal(size=n) > 0.5
    return y, group.astype(int), skill


def squashed(t):
    return 1 / (1 + np.exp(-t))


def test_the_path_has_the_best_of_each_lambda_within_the_bound():
    y, group, skill = rows()
    unfair, fair = squashed(skill + group - 0.5), squashed(skill)
    path, candidates = made([unfair, fair], y, group, bound=0.06)
    assert path["lam"].tolist() == list(PATH)
    assert path.loc[1, "within"]
    assert path.loc[1, "gap"] < 0.06
    # The unfair scores keep the bound only where nearly all labels are alike.
    assert path.loc[1, "accuracy"] > path.loc[0, "accuracy"] + 0.05
    assert (path["gap_low"] <= path["gap"]).all()
    assert (path["gap"] <= path["gap_high"]).all()
    # A wide bound: the most accurate, which is the unfair one.
    wide, _ = made([unfair, fair], y, group, bound=0.9)
    assert wide.loc[0, "accuracy"] > wide.loc[1, "accuracy"]
    threshold = wide.loc[0, "threshold"]
    assert wide.loc[0, "accuracy"] == pytest.approx(np.mean((unfair >= threshold) == y))
    every = [np.mean((unfair >= c.threshold) == y) for c in candidates if c.place == 0]
    assert wide.loc[0, "accuracy"] == pytest.approx(max(every))


def test_the_objective_decides_what_is_best():
    rng = np.random.default_rng(0)
    y, group = rng.random(4000) < 0.1, rng.integers(0, 2, 4000)
    scores = squashed(rng.normal(size=4000) + 1.5 * y - 3.0)
    accurate, _ = made([scores], y, group, bound=0.2)
    balanced, _ = made([scores], y, group, bound=0.2, objective="balanced_accuracy")
    assert balanced.loc[0, "threshold"] < accurate.loc[0, "threshold"]
    assert balanced.loc[0, "balanced_accuracy"] > accurate.loc[0, "balanced_accuracy"] + 0.1
    assert balanced.loc[0, "accuracy"] < accurate.loc[0, "accuracy"]


def test_with_the_objective_of_ranking_every_threshold_counts():
    y, group, skill = rows()
    scores = squashed(skill + 1.0 * group)
    path, candidates = made([scores], y, group, bound=0.3, objective="roc_auc")
    gaps = [
        abs(
            np.mean((scores >= c.threshold)[group == 0])
            - np.mean((scores >= c.threshold)[group == 1])
        )
        for c in candidates
        if c.place == 0
    ]
    assert path.loc[0, "gap"] == pytest.approx(max(gaps))
    assert not path.loc[0, "within"]


def test_a_mapping_bounds_each_attribute():
    assert checked_bounds({"sex": 0.1, "race": 0.2}, ["race", "sex"]) == (0.2, 0.1)
    assert checked_bounds(np.float32(0.5), ["race", "sex"]) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("bound", "key"),
    [(-0.1, "-0.1"), ("a", "'a'"), ({"sex": 0.1}, "'race'"), ({"race": 0.1, "sex": -1}, "'sex'")],
)
def test_bad_bounds(bound, key):
    with pytest.raises(InputError, match=key):
        checked_bounds(bound, ["race", "sex"])


def test_no_attribute_has_no_gap():
    with pytest.raises(InputError, match="none"):
        checked_bounds(0.1, [])


def candidate(accuracy, excess, useful=True):
    gap = np.array([0.1])
    return Candidate(0, 0.5, accuracy, accuracy, accuracy, gap, gap, excess, useful)


def test_the_order_of_candidates():
    from grad_ext.models.bound import _best

    listed = [
        candidate(0.9, 0.2),
        candidate(0.8, -0.1),
        candidate(0.85, -0.1, useful=False),
        candidate(0.7, -0.2),
    ]
    expected = [1, 3, 2, 0]
    for places in itertools.permutations(range(4)):
        left = list(places)
        order = []
        while left:
            best = left.pop(_best([listed[i] for i in left], "accuracy"))
            order.append(best)
        assert order == expected
    # Without one within the bound the nearest to it that is of use.
    outside = [candidate(0.9, 0.2), candidate(0.6, 0.1), candidate(0.6, 0.05, useful=False)]
    assert _best(outside, "accuracy") == 1


# --- fits ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    n = 1500
    group = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 3))
    X[:, 1] += 1.5 * group
    y = X[:, 0] + 0.8 * X[:, 1] + rng.normal(size=n) > 0.6
    return pd.DataFrame(X, columns=["skill", "club", "noise"]), y.astype(int), group


@pytest.fixture(scope="module")
def fitted(table):
    X, y, group = table
    model = GRADClassifier(bound=0.1, recipe="smooth", epochs=12, random_state=0, ensemble=2)
    return model.fit(X, y, sensitive_features=group)


def gap(labels, group):
    return abs(labels[group == 0].mean() - labels[group == 1].mean())


def test_a_model_within_a_bound(table, fitted):
    X, y, group = table
    plain = GRADClassifier(lam=0, recipe="smooth", epochs=12, random_state=0)
    plain.fit(X, y, sensitive_features=group)
    assert gap(plain.predict(X), group) > 0.3
    assert gap(fitted.predict(X), group) < 0.15
    assert fitted.bound_met_
    assert fitted.path_["chosen"].sum() == 1
    chosen = fitted.path_[fitted.path_["chosen"]].iloc[0]
    assert (chosen["lam"], chosen["threshold"]) == (fitted.lam_, fitted.threshold_)
    assert fitted.lam_ > 0
    assert chosen["within"]
    assert chosen["accuracy"] > max(y.mean(), 1 - y.mean())
    # The strongest pull costs ranking, and the gap falls along the path at one threshold.
    assert fitted.path_["roc_auc"].iloc[0] > fitted.path_["roc_auc"].iloc[-1]


def test_the_threshold_decides_the_labels(table, fitted):
    X, _, _ = table
    score = fitted.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(fitted.predict(X), (score >= fitted.threshold_).astype(int))
    np.testing.assert_array_equal(fitted.decision_function(X) >= 0, fitted.predict(X) == 1)


def test_one_seed_gives_one_result(table, fitted):
    X, y, group = table
    again = GRADClassifier(bound=0.1, recipe="smooth", epochs=12, random_state=0, ensemble=2)
    again.fit(X, y, sensitive_features=group)
    pd.testing.assert_frame_equal(again.path_, fitted.path_)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_a_saved_model_keeps_threshold_and_members(tmp_path, table, fitted):
    X, _, _ = table
    fitted.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert again.threshold_ == fitted.threshold_
    assert (again.bound, again.lam_, again.bound_met_) == (0.1, fitted.lam_, True)
    assert len(again.model_.fitted.epochs) == 2


def test_the_frontier_is_drawn(fitted):
    axes = fitted.plot_frontier()
    assert axes.get_ylabel() == "accuracy"
    labels = axes.get_legend_handles_labels()[1]
    assert {"chosen", "bound 0.1"} <= set(labels)


def test_an_unreachable_bound_is_said(table):
    X, _, group = table
    # The label is the group: whatever predicts it is unfair.
    frame = pd.DataFrame({"club": group + np.linspace(0, 0.1, len(group)), "noise": X["noise"]})
    model = GRADClassifier(bound=0.01, recipe="smooth", epochs=4, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(frame, group, sensitive_features=group)
    said = [str(one.message) for one in caught if issubclass(one.category, BoundWarning)]
    assert len(said) == 1
    assert "0.01" in said[0]
    assert not model.bound_met_


def test_numbers_are_bounded_in_their_units(table):
    X, _, group = table
    value = 100.0 * (X["skill"] + 0.8 * X["club"])
    model = GRADRegressor(bound=30.0, recipe="smooth", epochs=8, random_state=0)
    model.fit(X, value, sensitive_features=group)
    assert gap(value, group) > 90
    assert gap(model.predict(X), group) < 45
    assert model.path_["threshold"].eq(0.5).all()
    assert model.plot_frontier().get_ylabel() == "R²"


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"bound": 0.1, "checkpoint": "delta"}, "'delta'"),
        ({"bound": 0.1, "objective": "auc"}, "roc_auc"),
        ({"bound": {"age": 0.1}}, "'age'"),
        ({"ensemble": 0}, "ensemble"),
        ({"ensemble": 1.5}, "ensemble"),
    ],
)
def test_what_cannot_be_used_is_refused(table, parameters, key):
    X, y, group = table
    model = GRADClassifier(epochs=1, **parameters)
    with pytest.raises(InputError, match=key):
        model.fit(X, y, sensitive_features=group)


def test_a_bound_needs_a_whole_fit(table):
    X, y, group = table
    with pytest.raises(InputError, match="bound"):
        GRADClassifier(bound=0.1).partial_fit(X, y, sensitive_features=group)
    with pytest.raises(InputError, match="ensemble"):
        GRADEncoder(ensemble=2).fit(X, y, sensitive_features=group)
    plain = GRADClassifier(lam=0, epochs=3, random_state=0)
    plain.fit(X, y, sensitive_features=group)
    with pytest.raises(InputError, match="path_"):
        plain.plot_frontier()


# --- ensembles -------------------------------------------------------------------------------


def test_an_ensemble_averages_its_members(table):
    X, y, group = table
    both = GRADClassifier(ensemble=3, epochs=2, random_state=4).fit(X, y, sensitive_features=group)
    alone = GRADClassifier(epochs=2, random_state=4).fit(X, y, sensitive_features=group)
    pack = both.model_.fitted
    rows_ = both.model_.encoder.transform(X)
    members = [pack.member(i).scores(rows_)[0, 0] for i in range(3)]
    np.testing.assert_array_equal(members[0], alone.predict_proba(X)[:, 1])
    assert not np.array_equal(members[0], members[1])
    np.testing.assert_allclose(both.predict_proba(X)[:, 1], np.mean(members, axis=0), rtol=1e-12)
    assert both.history_.loss.shape == (2, 3)
    assert both.model_.representation(X).shape == (len(X), 3 * 40)


def test_an_ensemble_of_three_classes(table):
    X, _, group = table
    y = np.digitize(X["skill"], [-0.5, 0.5])
    model = GRADClassifier(ensemble=2, epochs=2, random_state=0).fit(X, y, sensitive_features=group)
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(X), probability.argmax(axis=1))
