"""Zemel's metrics in scikit-learn's searches, with the real ones."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from fairlearn.reductions import DemographicParity, ExponentiatedGradient
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from grad_ext import (
    GRADClassifier,
    accuracy,
    consistency,
    delta,
    discrimination,
    zemel_scorer,
)
from grad_ext.data.encoding import metric_space
from grad_ext.errors import InputError


def applicants(n=240, seed=0):
    """Numbers, sex among them and in the index, and labels that sex leaks into."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n)
    X = pd.DataFrame({"u": rng.normal(size=n) + sex, "v": rng.normal(size=n), "sex": sex})
    y = np.where(X["u"] + X["v"] + 0.5 * rng.normal(size=n) > 0.5, "yes", "no")
    X.index = pd.MultiIndex.from_arrays([np.arange(n), np.where(sex, "m", "f")], names=["id", "s"])
    return X, y, rng.uniform(0.1, 2.0, n)


class Fixed:
    """A classifier that has made up its mind."""

    classes_ = np.array(["bad", "good"])

    def __init__(self, scores):
        self.scores = np.asarray(scores)

    def predict_proba(self, X):
        return np.column_stack([1 - self.scores, self.scores])

    def predict(self, X):
        return self.classes_[(self.scores >= 0.5).astype(int)]


def test_scores_by_hand():
    # Labels 1 1 0 1, true 1 0 1 1; women are the last two.
    X = pd.DataFrame({"x": [0.0, 1.0, 3.0, 7.0], "sex": ["m", "m", "f", "f"]})
    y = ["good", "bad", "good", "good"]
    predicted = Fixed([0.9, 0.6, 0.2, 0.7])
    for metric, expected in {
        "accuracy": 1 / 2,
        "balanced_accuracy": (2 / 3 + 0) / 2,
        "neg_discrimination": -1 / 2,
        "delta": 0.0,
        "balanced_delta": 1 / 3 - 1 / 2,
        # Of the scores: at least .6 are all men and half of the women; .2 to .6 and .7 to .9.
        "neg_ks_distance": -1 / 2,
        "neg_wasserstein_distance": -(0.4 + 0.2) / 2,
    }.items():
        assert zemel_scorer(metric, protected="sex")(predicted, X, y) == pytest.approx(expected)
    # Nearest in x: 0 -> 1, 1 -> 0, 2 -> 1, 3 -> 2.
    assert zemel_scorer("consistency", protected="sex", k=1)(predicted, X, y) == 1 / 2
    # x standardised is 2.71 a deviation: with sex, 2 -> 3, and 3 -> 2.
    near = zemel_scorer("consistency", protected="sex", k=1, use_protected=True)
    assert near(predicted, X, y) == 1 - (0 + 0 + 1 + 1) / 4
    scored = zemel_scorer("neg_discrimination", protected="sex", prediction="score")
    assert scored(predicted, X, y) == pytest.approx(-(0.75 - 0.45))
    assert zemel_scorer("accuracy", prediction="score")(predicted, X, y) == pytest.approx(
        (0.9 + 0.4 + 0.2 + 0.7) / 4
    )
    # Weights 1 1 3 1: f (0·3 + 1·1)/4.
    weighted = zemel_scorer("neg_discrimination", protected="sex")
    assert weighted(predicted, X, y, sample_weight=[1, 1, 3, 1]) == pytest.approx(-(1 - 1 / 4))
    constant = zemel_scorer("neg_discrimination", protected="sex")(Fixed([1, 1, 1, 1]), X, y)
    assert constant == 0
    assert not np.signbit(constant)


def test_every_way_to_name_the_attributes_gives_the_same():
    X, y, _ = applicants()
    model = LogisticRegression().fit(X, y)
    expected = 0 - discrimination(None, model.predict(X) == "yes", sensitive_features=X["sex"])
    by_column = zemel_scorer("neg_discrimination", protected=["sex"])
    by_level = zemel_scorer("neg_discrimination", protected="s")
    routed = zemel_scorer("neg_discrimination")
    assert by_column(model, X, y) == pytest.approx(expected)
    assert by_level(model, X, y) == pytest.approx(expected)
    assert routed(model, X, y, sensitive_features=X["sex"]) == pytest.approx(expected)
    array = LogisticRegression().fit(X.to_numpy(), y)
    assert zemel_scorer("neg_discrimination", protected=[2])(
        array, X.to_numpy(), y
    ) == pytest.approx(expected)
    both = zemel_scorer("neg_discrimination", protected=["sex", "s"])
    assert both(model, X, y) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["accuracy", "neg_discrimination", "delta", "consistency"])
@pytest.mark.parametrize("prediction", ["label", "score"])
def test_cross_validation_judges_each_fold_as_the_functions_do(metric, prediction):
    X, y, _ = applicants()
    folds = KFold(3, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    scorer = zemel_scorer(metric, protected="sex", prediction=prediction, k=3)
    expected = []
    for train, test in folds.split(X):
        fitted = clone(model).fit(X.iloc[train], y[train])
        rows = X.iloc[test]
        predicted = fitted.predict_proba(rows)[:, 1]
        predicted = (fitted.predict(rows) == "yes") * 1.0 if prediction == "label" else predicted
        true = (y[test] == "yes").astype(int)
        scores = {
            "accuracy": accuracy(true, predicted),
            "neg_discrimination": -discrimination(true, predicted, sensitive_features=rows["sex"]),
            "delta": delta(true, predicted, sensitive_features=rows["sex"]),
            "consistency": consistency(true, predicted, X=metric_space(rows[["u", "v"]]), k=3),
        }
        expected.append(scores[metric])
    np.testing.assert_allclose(cross_val_score(model, X, y, scoring=scorer, cv=folds), expected)


def test_scorers_travel_to_other_processes_and_say_what_they_are():
    X, y, _ = applicants()
    scorer = zemel_scorer("delta", protected=["sex"])
    assert repr(scorer) == "ZemelScorer(metric='delta', protected=['sex'])"
    assert repr(clone(scorer)) == repr(pickle.loads(pickle.dumps(scorer))) == repr(scorer)
    alone = cross_val_score(LogisticRegression(), X, y, scoring=scorer, cv=2)
    shared = cross_val_score(LogisticRegression(), X, y, scoring=scorer, cv=2, n_jobs=2)
    np.testing.assert_array_equal(shared, alone)


def test_a_grid_search_over_lambda_by_columns_of_x():
    X, y, _ = applicants()
    # The index holds the attribute for training, so the network need not see the column.
    features = X[["u", "v"]]
    model = GRADClassifier(epochs=8, prot_attr="s", checkpoint="last", random_state=0)
    scoring = {
        "accuracy": zemel_scorer("accuracy"),
        "neg_discrimination": zemel_scorer("neg_discrimination", protected="s"),
    }
    search = GridSearchCV(model, {"lam": [0, 100]}, scoring=scoring, refit="neg_discrimination", cv=2)  # fmt: skip
    search.fit(features, y)
    plain, protected = search.cv_results_["mean_test_neg_discrimination"]
    assert plain < protected <= 0
    assert search.best_params_ == {"lam": 100}
    scores = -discrimination(None, search.predict(features) == "yes", sensitive_features=X["sex"])
    assert search.score(features, y) == pytest.approx(scores)


def test_a_grid_search_over_lambda_by_routing():
    X, y, w = applicants()
    features, a = X[["u", "v"]], X["sex"].reset_index(drop=True)
    with sklearn.config_context(enable_metadata_routing=True):
        model = GRADClassifier(epochs=8, checkpoint="last", random_state=0)
        model.set_fit_request(sensitive_features=True, sample_weight=True)
        scorer = zemel_scorer("neg_discrimination")
        scorer.set_score_request(sensitive_features=True, sample_weight=True)
        search = GridSearchCV(model, {"lam": [0, 100]}, scoring=scorer, cv=2)
        search.fit(features, y, sensitive_features=a, sample_weight=w)
        plain, protected = search.cv_results_["mean_test_score"]
        assert plain < protected <= 0
        assert search.best_estimator_.lam == 100
        predicted = search.predict(features) == "yes"
        assert search.score(features, y, sensitive_features=a, sample_weight=w) == pytest.approx(
            -discrimination(None, predicted, sensitive_features=a, sample_weight=w)
        )
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="ZemelScorer"):
            cross_val_score(
                LogisticRegression(), features, y, scoring=zemel_scorer(), params={"sensitive_features": a}, error_score="raise"
            )  # fmt: skip


def test_many_metrics_in_one_search_with_weights():
    X, y, w = applicants()
    names = ["accuracy", "balanced_accuracy", "neg_discrimination", "delta", "balanced_delta"]
    scoring = {name: zemel_scorer(name, protected="sex") for name in [*names, "consistency"]}
    search = RandomizedSearchCV(
        LogisticRegression(), {"C": [1e-6, 1.0]}, n_iter=2, scoring=scoring, refit="balanced_delta", cv=2, random_state=0
    ).fit(X, y, sample_weight=w)  # fmt: skip
    found = {name: search.cv_results_[f"mean_test_{name}"] for name in scoring}
    np.testing.assert_allclose(found["delta"], found["accuracy"] + found["neg_discrimination"])
    np.testing.assert_allclose(
        found["balanced_delta"], found["balanced_accuracy"] + found["neg_discrimination"]
    )


def test_nothing_beats_a_constant_in_discrimination_and_balanced_delta_gives_it_a_half():
    X, _, _ = applicants()
    y = np.where(X["u"] + X["sex"] > 0, "yes", "no")
    constant = DummyClassifier().fit(X, y)
    useful = LogisticRegression().fit(X, y)
    by = {name: zemel_scorer(name, protected="sex") for name in ("neg_discrimination", "balanced_delta")}  # fmt: skip
    assert by["neg_discrimination"](constant, X, y) == 0
    assert by["balanced_delta"](constant, X, y) == 0.5
    assert by["neg_discrimination"](useful, X, y) < 0


def test_numbers_as_protected_attributes():
    X, y, _ = applicants()
    X = X.assign(age=np.arange(len(X)) * 1.0, sex=np.where(X["sex"], "m", "f"))
    model = Fixed(np.linspace(0, 1, len(X)))
    scorer = zemel_scorer("neg_discrimination", protected=["sex", "age"], continuous=["age"])
    labels = model.scores >= 0.5
    expected = [
        discrimination(None, labels, sensitive_features=X["sex"]),
        discrimination(None, labels, sensitive_features=X["age"], continuous=[0]),
    ]
    y = np.where(y == "yes", "good", "bad")
    assert scorer(model, X, y) == pytest.approx(-np.mean(expected))


@pytest.mark.parametrize("prediction", ["label", "score"])
def test_the_favorable_label_may_be_the_first(prediction):
    X, y, w = applicants()
    model = LogisticRegression().fit(X[["u", "v"]], y)
    predicted = (
        (model.predict(X[["u", "v"]]) == "no").astype(float)
        if prediction == "label"
        else model.predict_proba(X[["u", "v"]])[:, 0]
    )
    sex = X["sex"].sample(frac=1, random_state=0)  # in another order
    scorer = zemel_scorer("delta", pos_label="no", prediction=prediction)
    expected = delta(y == "no", predicted, sensitive_features=X["sex"].to_numpy(), sample_weight=w)
    value = scorer(model, X[["u", "v"]], y, sensitive_features=sex, sample_weight=w)
    assert value == pytest.approx(expected)
    with pytest.raises(InputError, match=r"pos_label.*\['no', 'yes'\], got 'maybe'"):
        zemel_scorer("accuracy", pos_label="maybe")(model, X[["u", "v"]], y)
    for labels in (np.where(y == "yes", 1, -1), y == "yes"):
        model = LogisticRegression().fit(X[["u", "v"]], labels)
        value = zemel_scorer("accuracy")(model, X[["u", "v"]], labels)
        assert value == pytest.approx((model.predict(X[["u", "v"]]) == labels).mean())


def test_fairlearns_mitigators_which_name_no_classes():
    X, y, _ = applicants()
    y = (y == "yes").astype(int)
    mitigated = ExponentiatedGradient(LogisticRegression(), DemographicParity(), max_iter=3)
    mitigated.fit(X, y, sensitive_features=X["sex"])
    assert not hasattr(mitigated, "classes_")

    class Seeded:
        def predict(self, X):
            return mitigated.predict(X, random_state=0)

    expected = discrimination(None, mitigated.predict(X, random_state=0), sensitive_features=X["sex"])  # fmt: skip
    scorer = zemel_scorer("neg_discrimination", protected="sex")
    assert scorer(Seeded(), X, y) == pytest.approx(-expected)


PEOPLE = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "sex": [0, 0, 1, 1]})
GOOD = ["good", "bad", "bad", "good"]
SAID = Fixed([0.1, 0.2, 0.8, 0.9])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zemel_scorer("discrimination"), "did you mean 'neg_discrimination'"),
        (lambda: zemel_scorer(prediction="labels"), "unknown prediction 'labels'"),
        (lambda: zemel_scorer("consistency", ties="last"), "unknown ties 'last'"),
        (lambda: zemel_scorer()(SAID, PEOPLE, GOOD), "delta needs protected attributes"),
        (
            lambda: zemel_scorer(protected="gender")(SAID, PEOPLE, GOOD),
            "unknown column of X or level of its index 'gender'",
        ),
        (
            lambda: zemel_scorer(protected="sex")(SAID, PEOPLE, GOOD, sensitive_features=[0] * 4),
            r"sensitive_features or protected='sex', got both",
        ),
        (
            lambda: zemel_scorer(protected="sex")(SAID, PEOPLE, [0, 1, 1, 0]),
            r"expected the labels \['bad', 'good'\], got",
        ),
        (
            lambda: zemel_scorer("accuracy")(
                LogisticRegression().fit(PEOPLE, list("abca")), PEOPLE, list("abca")
            ),
            "classifier of two classes, got 3",
        ),
        (
            lambda: zemel_scorer("accuracy")(
                DummyRegressor().fit(PEOPLE, [1, 2, 3, 4]), PEOPLE, [1, 2, 3, 4]
            ),
            "classifier of two classes, got 4",
        ),
        (
            lambda: zemel_scorer("accuracy", prediction="score")(
                RidgeClassifier().fit(PEOPLE, GOOD), PEOPLE, GOOD
            ),
            "needs predict_proba, RidgeClassifier has none",
        ),
        (
            lambda: zemel_scorer("consistency")(SAID, csr_array(PEOPLE.to_numpy()), GOOD),
            "expected a frame or a dense matrix, got csr_array",
        ),
        (lambda: zemel_scorer("consistency")(SAID, PEOPLE, GOOD), "expected 1 to 3 neighbours"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
