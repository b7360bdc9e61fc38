"""Baselines of GRAD as methods: held against their toolkits called by hand, and slow obvious sums."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import subprocess
import sys
import warnings
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from aif360.sklearn.preprocessing import LearnedFairRepresentations
from command import PATIENCE
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import (
    DemographicParity,
    EqualizedOdds,
    ExponentiatedGradient,
    GridSearch,
)
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from grad_ext.adapters import fairlearn, plain
from grad_ext.adapters.aif360 import baselines
from grad_ext.adapters.registry import BASELINES, Baseline, baseline
from grad_ext.adapters.sklearn import Estimators, hyperparameter, privileged, seed_32
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.evaluation import evaluate
from grad_ext.metrics.group import accuracy, discrimination
from grad_ext.outputs import Categorical
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial


@pytest.fixture(scope="module")
def encoded(german_problem):
    parts = (german_problem.training, german_problem.validation, german_problem.test)
    return [part.only(["age"]) for part in parts]


@pytest.fixture(scope="module")
def both(german_problem):
    return german_problem.training, german_problem.validation, german_problem.test


def trial(lam=0.0, seed=0, protected=("age",)):
    return Trial("german", protected, lam=lam, seed=seed)


def fitted(method, parts, *trials):
    return method.fit(list(trials or [trial()]), parts[0], parts[1])


def scores(method, parts, *trials):
    """Scores of shape (P, N) of the test rows, whose attributes are known."""
    return fitted(method, parts, *trials).scores_with(parts[2].X, parts[2].a)[:, 0]


def by_hand(parts, model=None, **given):
    """Fit as methods do: on one thread, since sums of several are rounded otherwise."""
    model = model or LogisticRegression(max_iter=2000)
    X, y = parts[0].X.astype(float), parts[0].y.astype(int)
    with threadpool_limits(1):
        return model.fit(X, y, **given)


def test_the_score_of_the_majority_class_is_the_favorable_share(encoded):
    predicted = scores(plain.majority_class(), encoded)
    np.testing.assert_allclose(predicted, np.full((1, 200), encoded[0].y.mean()))


def test_plain_methods_are_those_of_scikit_learn(encoded):
    expected = by_hand(encoded).predict_proba(encoded[2].X.astype(float))[:, 1]
    np.testing.assert_allclose(scores(plain.logistic_regression(), encoded)[0], expected)
    boosted = scores(plain.gradient_boosting(), encoded)[0]
    assert accuracy(encoded[2].y, boosted >= 0.5) > encoded[2].y.mean()


def test_ones_own_estimator_joins_with_one_line(german_problem):
    forest = Estimators(lambda t: RandomForestClassifier(20, random_state=t.seed))
    one, other, again = evaluate(forest, [trial(seed=s) for s in (0, 1, 0)], german_problem)
    assert one.metrics == pytest.approx(again.metrics)
    assert one.metrics != pytest.approx(other.metrics)
    assert one.metrics["accuracy"] > one.metrics["majority_accuracy"]
    assert one.epoch == 1


def test_a_pipeline_a_margin_and_bare_labels_become_scores(encoded):
    X = encoded[2].X.astype(float)
    pipeline = Estimators(lambda t: make_pipeline(LogisticRegression(max_iter=2000)))
    np.testing.assert_allclose(
        scores(pipeline, encoded), scores(plain.logistic_regression(), encoded)
    )
    margin = by_hand(encoded, LinearSVC(random_state=0)).decision_function(X)
    predicted = scores(Estimators(lambda t: LinearSVC(random_state=0)), encoded)[0]
    np.testing.assert_allclose(predicted, 1 / (1 + np.exp(-margin)))

    class Labels:
        def fit(self, X, y):
            self.model = KNeighborsClassifier().fit(X, y)

        def predict(self, X):
            return self.model.predict(X)

    expected = by_hand(encoded, KNeighborsClassifier()).predict(X)
    np.testing.assert_array_equal(scores(Estimators(lambda t: Labels()), encoded)[0], expected)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_rows_of_one_label_leave_nothing_to_learn(encoded, label):
    training = replace(encoded[0], y=np.full(len(encoded[0]), label))
    method = Estimators(lambda t: DummyClassifier(strategy="prior"))
    assert (scores(method, [training, *encoded[1:]]) == label).all()


class Recorder:
    """Keeps what it is given."""

    def fit(self, X, y, sensitive_features, sample_weight):
        self.rows, self.labels = X, y
        self.groups, self.weights = sensitive_features, sample_weight

    def predict(self, X, sensitive_features):
        self.predicted_groups = sensitive_features
        return np.zeros(len(X))


def test_an_estimator_gets_what_it_has_a_parameter_for(both):
    training, _, test = both
    a = training.a.copy()
    a[3, 0] = a[7, 1] = np.nan
    w = np.arange(1.0, len(training) + 1)
    models = fitted(Estimators(lambda t: Recorder()), [replace(training, a=a, w=w), *both[1:]])
    (recorder,) = models.models
    kept = [i for i in range(len(training)) if i not in (3, 7)]
    np.testing.assert_array_equal(recorder.rows, training.X[kept])
    np.testing.assert_array_equal(recorder.labels, training.y[kept])
    np.testing.assert_array_equal(recorder.weights, w[kept])
    expected = pd.DataFrame(training.a[kept], columns=["age", "sex"]).astype(int)
    pd.testing.assert_frame_equal(recorder.groups, expected)
    models.scores_with(test.X, test.a)
    np.testing.assert_array_equal(recorder.predicted_groups, test.a)
    with pytest.raises(InputError, match=r"Recorder needs the protected attributes .* scores_with"):
        models.scores(test.X)
    missing = np.where(np.arange(len(test))[:, None] < 4, np.nan, test.a)
    with pytest.raises(InputError, match="4 rows miss one"):
        models.scores_with(test.X, missing)
    with pytest.raises(InputError, match=r"a: expected shape \(200, 2\), got \(200, 1\)"):
        models.scores_with(test.X, test.a[:, :1])


def test_unequal_weights_are_refused_where_they_would_not_count(encoded):
    weighted = replace(encoded[0], w=np.linspace(1, 2, len(encoded[0])))
    neighbours = Estimators(lambda t: KNeighborsClassifier())
    with pytest.raises(InputError, match=r"KNeighborsClassifier .* from 1 to 2"):
        fitted(neighbours, [weighted, *encoded[1:]], trial(0.1))
    expected = by_hand(encoded, sample_weight=weighted.w).predict_proba(encoded[2].X.astype(float))
    predicted = scores(plain.logistic_regression(), [weighted, *encoded[1:]])
    np.testing.assert_allclose(predicted[0], expected[:, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: fairlearn.grid_search("tree"), "unknown base estimator 'tree'"),
        (lambda p: fitted(fairlearn.grid_search(), p, trial(1.5)), "from 0 to 1, got 1.5"),
        (
            lambda p: hyperparameter(trial((1.0,)), "alpha"),
            r"alpha: expected one number .* \(1.0,\)",
        ),
        (lambda p: baseline("fairlearn-tresholds"), "did you mean 'fairlearn-threshold'"),
    ],
)
def test_bad_input(encoded, call, message):
    with pytest.raises(InputError, match=message):
        call(encoded)


def test_privileged_needs_attributes_of_two_groups(encoded):
    task = replace(encoded[0].task, attributes=(Categorical("age", 3),))
    with pytest.raises(InputError, match="'age': expected two groups, got 3"):
        privileged(replace(encoded[0], task=task))


def test_privileged_is_who_is_privileged_in_all(both):
    expected = [int(age == 1 and sex == 1) for age, sex in both[0].a]
    np.testing.assert_array_equal(privileged(both[0]), expected)
    assert 0 < sum(expected) < len(expected)


def test_the_score_of_exponentiated_gradient_is_the_share_of_its_mixture(encoded):
    predicted = scores(fairlearn.exponentiated_gradient(), encoded, trial(0.02))[0]
    base = LogisticRegression(max_iter=2000)
    model = ExponentiatedGradient(base, DemographicParity(difference_bound=0.02))
    by_hand(encoded, model, sensitive_features=encoded[0].a[:, 0])
    X = encoded[2].X.astype(float)
    expected = sum(w * h.predict(X) for w, h in zip(model.weights_, model.predictors_, strict=True))
    np.testing.assert_allclose(predicted, expected)


def test_the_difference_bound_is_the_hyperparameter(encoded):
    """On its own training rows the draws' Discrimination keeps to it, and a wider one is used."""
    training = [encoded[0], encoded[1], encoded[0]]
    method = fairlearn.exponentiated_gradient()
    tight, loose = scores(method, training, trial(0.01), trial(0.2))
    gaps = [discrimination(None, s, sensitive_features=encoded[0].a[:, 0]) for s in (tight, loose)]
    assert gaps[0] <= 0.03
    assert gaps[1] > 2 * gaps[0]


def test_constraints_are_fairlearns(encoded):
    predicted = scores(
        fairlearn.exponentiated_gradient(max_iter=5, constraint="equalized_odds"),
        encoded, trial(0.02),
    )[0]  # fmt: skip
    base = LogisticRegression(max_iter=2000)
    model = ExponentiatedGradient(base, EqualizedOdds(difference_bound=0.02), max_iter=5)
    by_hand(encoded, model, sensitive_features=encoded[0].a[:, 0])
    X = encoded[2].X.astype(float)
    expected = sum(w * h.predict(X) for w, h in zip(model.weights_, model.predictors_, strict=True))
    np.testing.assert_allclose(predicted, expected)
    aware = fairlearn.adversarial(epochs=1, constraint="equalized_odds")
    for method, inputs in ((aware, 2), (fairlearn.adversarial(epochs=1), 1)):
        (model,) = fitted(method, encoded, trial(1.0)).models
        assert model.model.backendEngine_.adversary_model.layers_[0].in_features == inputs
    for make in (fairlearn.adversarial, fairlearn.exponentiated_gradient):
        with pytest.raises(InputError, match="unknown constraint 'equal_odds'"):
            make(constraint="equal_odds")


def test_grid_search_is_fairlearns(encoded):
    predicted = scores(fairlearn.grid_search(), encoded, trial(0.0), trial(1.0))
    for weight, score in zip((0.0, 1.0), predicted, strict=True):
        base = LogisticRegression(max_iter=2000)
        model = GridSearch(base, DemographicParity(), constraint_weight=weight, grid_size=20)
        by_hand(encoded, model, sensitive_features=encoded[0].a[:, 0])
        np.testing.assert_allclose(score, model.predict_proba(encoded[2].X.astype(float))[:, 1])


def test_several_attributes_are_crossed(both):
    predicted = scores(
        fairlearn.threshold_optimizer(), both, Trial("german", ("age", "sex"), lam=0.0)
    )[0]
    model = ThresholdOptimizer(
        estimator=LogisticRegression(max_iter=2000), predict_method="predict_proba"
    )
    by_hand(both, model, sensitive_features=2 * both[0].a[:, 0] + both[0].a[:, 1])
    groups = 2 * both[2].a[:, 0] + both[2].a[:, 1]
    expected = model._pmf_predict(both[2].X.astype(float), sensitive_features=groups)[:, 1]
    np.testing.assert_allclose(predicted, expected)
    assert len(model.interpolated_thresholder_.interpolation_dict) == 4


def test_a_group_without_threshold_is_refused(both):
    training = both[0]
    few = np.flatnonzero(~((training.a[:, 0] == 0) & (training.a[:, 1] == 1)))
    part = replace(
        training, X=training.X[few], y=training.y[few], a=training.a[few], w=training.w[few]
    )
    with pytest.raises(InputError, match=r"'age x sex': no training row is in group '0 x 1'"):
        scores(fairlearn.threshold_optimizer(), [part, *both[1:]])


def test_fairlearns_network_depends_on_its_seed_and_touches_no_global_generator(both):
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    method = fairlearn.adversarial(epochs=3)
    trials = [Trial("german", ("age", "sex"), lam=1.0, seed=seed) for seed in (0, 1, 0)]
    models = fitted(method, both, *trials)
    one, other, again = models.scores(both[2].X)[:, 0]
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01
    assert models.epochs.tolist() == [3, 3, 3]
    # Two attributes of two groups are one of four.
    assert [m.model.backendEngine_.adversary_model.layers_[-1].out_features for m in models.models] == [4, 4, 4]  # fmt: skip
    torch.testing.assert_close(torch.get_rng_state(), states[0], rtol=0, atol=0)
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002


def test_reweighing_weighs_labels_and_groups_as_if_independent(both):
    a, y = both[0].a, both[0].y
    weights = np.empty(len(y))
    for i in range(len(y)):
        alike = (a == a[i]).all(axis=1)
        weights[i] = alike.mean() * (y == y[i]).mean() / (alike & (y == y[i])).mean()
    expected = by_hand(both, sample_weight=weights).predict_proba(both[2].X.astype(float))[:, 1]
    np.testing.assert_allclose(scores(baselines.reweighing(), both)[0], expected)


def test_lfr_is_aif360s(encoded):
    predicted = scores(baselines.lfr(iterations=20), encoded, trial(2.0, seed=3))[0]
    index = pd.Index(encoded[0].a[:, 0].astype(int), name="age")
    model = LearnedFairRepresentations(
        n_prototypes=10,
        fairness_weight=2.0,
        max_iter=20,
        random_state=seed_32(trial(seed=3), "lfr"),
    )
    X = pd.DataFrame(encoded[0].X.astype(float), index=index)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # twenty steps are too few to converge
        model.fit(X, encoded[0].y.astype(int))
    np.testing.assert_allclose(predicted, model.predict_proba(encoded[2].X.astype(float))[:, 1])
    assert ((predicted >= 0) & (predicted <= 1)).all()


def test_lfrs_hyperparameter_brings_the_groups_together(encoded):
    """On its own training rows, by scores: its loss holds the means of the two groups' scores."""
    training = [encoded[0], encoded[1], encoded[0]]
    free, held = scores(baselines.lfr(iterations=60), training, trial(0.0), trial(50.0))
    gaps = [discrimination(None, s, sensitive_features=encoded[0].a[:, 0]) for s in (free, held)]
    assert gaps[1] < 0.01
    assert gaps[0] > 5 * gaps[1]


def test_aif360s_reduction_is_fairlearns(both):
    """Also through a process of its own, and with two attributes."""
    one = Trial("german", ("age", "sex"), lam=0.05)
    method = baselines.exponentiated_gradient_reduction(timeout=PATIENCE)
    isolated = fitted(method, both, one)
    predicted = isolated.scores(both[2].X)[:, 0]
    np.testing.assert_allclose(
        predicted, scores(fairlearn.exponentiated_gradient(), both, one), atol=1e-9
    )
    with pytest.raises(InputError, match="X: expected shape"):
        isolated.scores(both[2].X[:, 1:])
    isolated.close()


def test_a_rule_of_thresholds_needs_the_attributes(encoded):
    """RejectOptionClassification turns the labels of a band of scores, each group's its own way."""
    isolated = fitted(baselines.reject_option(timeout=PATIENCE), encoded, trial(0.05))
    test = encoded[2]
    with pytest.raises(InputError, match="reject_option needs the protected attributes"):
        isolated.scores(test.X)
    labels = isolated.scores_with(test.X, test.a)[0, 0]
    turned = isolated.scores_with(test.X, 1.0 - test.a)[0, 0]
    base = by_hand(encoded).predict_proba(test.X.astype(float))[:, 1]
    old, young = test.a[:, 0] == 1, test.a[:, 0] == 0
    assert set(labels) == {0.0, 1.0}
    assert base[old & (labels == 1)].min() > base[young & (labels == 1)].min()
    assert (labels[old] <= turned[old]).all()
    assert (labels[young] >= turned[young]).all()
    with pytest.raises(InputError, match="200 rows miss one"):
        isolated.scores_with(test.X, np.full_like(test.a, np.nan))
    isolated.close()


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_there(name):
    listed = baseline(name)
    module, _, call = listed.factory.partition(":")
    assert callable(getattr(import_module(module), call))
    assert bool(listed.hyperparameter) == bool(listed.values)
    assert not listed.hyperparameter or min(listed.values) <= listed.default <= max(listed.values)
    assert (listed.missing is None) == all(find_spec(p) for p in listed.packages)


def test_titles_differ_and_a_missing_package_is_named_with_its_extra():
    assert len({r.title for r in BASELINES.values()}) == len(BASELINES)
    absent = Baseline(
        "Absent", "grad_ext.adapters.plain:majority_class", packages={"nowhere": "some"}
    )
    with pytest.raises(MissingToolkit, match=r"nowhere is not installed; .*grad-ext\[some\]"):
        absent.method()


def test_importing_is_cheap_and_leaves_logging_alone():
    code = (
        "import sys, logging, grad_ext.adapters.registry as r\n"
        "heavy = ('torch', 'sklearn', 'pandas', 'aif360', 'fairlearn', 'tensorflow')\n"
        "print([m for m in heavy if m in sys.modules])\n"
        "r.baseline('lfr').method(), r.baseline('aif360-grid-search').method()\n"
        "print('tensorflow' in sys.modules, logging.getLogger().handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "False []"]
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_fits_german(german_problem, name):
    listed = baseline(name)
    if listed.missing is not None:
        pytest.skip(str(listed.missing))
    parts = (german_problem.training, german_problem.validation, german_problem.test)
    one = Trial("german", ("age", "sex"), lam=listed.default, settings=Settings())
    model = listed.method().fit([one], parts[0], parts[1])
    test = parts[2]
    predicted = (
        model.scores_with(test.X, test.a) if listed.needs_attributes else model.scores(test.X)
    )
    assert predicted.shape == (1, 1, 200)
    assert ((predicted >= -1e-9) & (predicted <= 1 + 1e-9)).all()
