"""GRAD in scikit-learn's terms, with scikit-learn's own checks, pipelines and searches."""

import copy
import dataclasses
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate, validation_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from grad_ext import GRADClassifier, GRADEncoder, GRADRegressor, discrimination, load
from grad_ext.errors import (
    ConstantPredictionWarning,
    InputError,
    NearlyConstantWarning,
    UnseenValuesWarning,
)
from grad_ext.metrics.group import balanced_accuracy
from grad_ext.models.fit import Samples
from grad_ext.outputs import Binary, Task

UNPROTECTED = "ignore:.*was given no sensitive_features:UserWarning"


@parametrize_with_checks([GRADClassifier(), GRADRegressor(), GRADEncoder()])
@pytest.mark.filterwarnings(UNPROTECTED)
@pytest.mark.filterwarnings("ignore::grad_ext.errors.ConstantPredictionWarning")
@pytest.mark.filterwarnings("ignore:SCIPY_ARRAY_API|Skipping check")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def rows(n=600, seed=0):
    """A mixed frame whose column c gives the group away, and a label that leans on the group."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, n)
    X = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "lean": rng.normal(size=n) + 2 * a,
            "c": pd.Categorical(np.where(rng.random(n) < 0.8, np.array(["u", "v"])[a], "w")),
            "flag": rng.random(n) < 0.5,
        }
    )
    y = np.where(2 * X["x"] + 1.5 * a + 0.3 * rng.normal(size=n) > 0.7, "yes", "no")
    return X, y, pd.Series(a, name="sex")


def quick(estimator=GRADClassifier, **changes):
    return estimator(**{"epochs": 8, "lam": 1.0, "random_state": 0, **changes})


def test_a_mixed_frame_is_learned_and_protected():
    X, y, a = rows(2000)
    X_test, truth, b = rows(2000, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        plain = quick().fit(X, y)
    gaps, right = {}, {}
    for name, model in {
        "plain": plain,
        "grad": quick(lam=100, epochs=20).fit(X, y, sensitive_features=a),
    }.items():
        labels = model.predict(X_test) == "yes"
        gaps[name] = discrimination(None, labels, sensitive_features=b)
        right[name] = balanced_accuracy(truth == "yes", labels)
    assert gaps["grad"] < 0.6 * gaps["plain"]
    assert min(right.values()) > 0.7
    assert plain.attributes_ == ()


def test_without_sensitive_features_it_says_so():
    X, y, _ = rows(100)
    with pytest.warns(UserWarning, match="given no sensitive_features: no attribute is protected"):
        quick().fit(X, y)


def test_what_a_fitted_classifier_offers():
    X, y, a = rows()
    model = quick().fit(X, y, sensitive_features=a)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == list(X.columns)
    assert model.history_.accuracy.shape == (8, 1)
    assert 1 <= model.best_epoch_ <= 8
    assert not model.constant_
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    decision = model.decision_function(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-decision)), probability[:, 1])
    labels = np.where(decision >= 0, "yes", "no")
    np.testing.assert_array_equal(model.predict(X), labels)
    # One row is scored as it is among others.
    np.testing.assert_allclose(model.predict_proba(X[5:6]), probability[5:6], atol=1e-12)


def test_one_seed_gives_one_result_whatever_the_order_of_the_rows():
    X, y, a = rows()
    first = quick().fit(X, y, sensitive_features=a).predict_proba(X)
    order = np.random.default_rng(3).permutation(len(X))
    shuffled = quick().fit(X.iloc[order], y[order], sensitive_features=a.iloc[order])
    np.testing.assert_array_equal(shuffled.predict_proba(X), first)
    other = quick(random_state=1).fit(X, y, sensitive_features=a).predict_proba(X)
    assert not np.array_equal(first, other)
    fresh = quick(random_state=None).fit(X, y, sensitive_features=a)
    again = quick(random_state=fresh.seed_).fit(X, y, sensitive_features=a)
    np.testing.assert_array_equal(fresh.predict_proba(X), again.predict_proba(X))


def test_a_weight_of_two_is_a_row_given_twice():
    X, y, a = rows(200)
    weight = np.random.default_rng(0).integers(0, 3, 200)
    weighted = quick().fit(X, y, sensitive_features=a, sample_weight=weight)
    twice = np.repeat(np.arange(200), weight)
    repeated = quick().fit(X.iloc[twice], y[twice], sensitive_features=a.iloc[twice])
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


@pytest.mark.parametrize(
    "given",
    [
        lambda a: a,
        lambda a: a.to_numpy(),
        lambda a: a.tolist(),
        lambda a: a.to_frame(),
        lambda a: {"sensitive_feature": a},
        lambda a: pl.Series("sensitive_feature", a.to_numpy()),
        lambda a: a.map({0: "f", 1: "m"}),
        lambda a: a.astype(bool),
        lambda a: a.astype("category"),
    ],
    ids=["Series", "array", "list", "frame", "mapping", "polars", "names", "bool", "category"],
)
def test_sensitive_features_of_every_kind_mean_the_same(given):
    X, y, a = rows(300)
    a = a.rename("sensitive_feature")  # what an array's only column is called
    expected = quick().fit(X, y, sensitive_features=a).history_.discrimination
    got = quick().fit(X, y, sensitive_features=given(a)).history_.discrimination
    np.testing.assert_array_equal(got, expected)


def test_polars_frames_and_arrays():
    X, y, a = rows(300)
    numeric = X.drop(columns="c").astype(float)
    expected = quick().fit(numeric, y, sensitive_features=a).predict_proba(numeric)
    polar = pl.from_pandas(numeric)
    model = quick().fit(polar, y, sensitive_features=a)
    np.testing.assert_array_equal(model.predict_proba(polar), expected)
    assert model.feature_names_in_.tolist() == ["x", "lean", "flag"]
    mixed = pl.from_pandas(X.assign(c=X["c"].astype(str)))
    assert quick().fit(mixed, y, sensitive_features=a).predict(mixed).shape == (300,)


def test_several_attributes_of_mixed_kinds_with_weights_of_their_own():
    X, y, a = rows(500)
    rng = np.random.default_rng(0)
    sensitive = pd.DataFrame(
        {"sex": a, "race": rng.choice(["p", "q", "r"], 500), "age": rng.normal(40, 10, 500)}
    )
    sensitive.loc[:40, "race"] = None
    sensitive.loc[100:150, "age"] = np.nan
    model = quick(lam={"sex": 1, "race": 5, "age": 0.5}).fit(X, y, sensitive_features=sensitive)
    kinds = [(b.name, b.kind, b.outputs) for b in model.model_.fitted.network.shape.attributes]
    assert kinds == [("sex", "binary", 1), ("race", "categorical", 3), ("age", "continuous", 1)]
    assert model.history_.discrimination_by_attribute.shape == (8, 3, 1)
    assert np.isfinite(model.history_.attribute_loss).all()
    whole = quick(continuous=["sex"]).fit(X, y, sensitive_features=sensitive[["sex"]])
    assert whole.attributes_[0].levels is None


def test_what_is_missing_in_an_attribute_does_not_matter_to_its_branch():
    """The row itself still teaches the target."""
    X, y, a = rows(400)
    validation = rows(100, seed=2)
    sensitive = a.astype(float).where(np.arange(400) >= 100)
    model = quick().fit(X, y, sensitive_features=sensitive, validation=validation)
    fewer = quick().fit(X[100:], y[100:], sensitive_features=a[100:], validation=validation)
    assert not np.array_equal(model.predict_proba(X), fewer.predict_proba(X))
    first_loss = model.history_.attribute_loss[0, 0, 0]
    assert 0.3 < first_loss < 1.5  # a mean over the rows that have the attribute, about log 2


def test_intersections_are_one_attribute():
    X, y, a = rows(400)
    sensitive = pd.DataFrame({"sex": a, "b": np.arange(400) % 2})
    model = quick(intersections=True).fit(X, y, sensitive_features=sensitive)
    assert [x.name for x in model.attributes_] == ["sex x b"]
    assert model.attributes_[0].levels == ("0 x 0", "0 x 1", "1 x 0", "1 x 1")
    sensitive.loc[0, "b"] = None
    assert quick(intersections=True).fit(X, y, sensitive_features=sensitive).attributes_[0].levels == (
        "0 x 0.0", "0 x 1.0", "1 x 0.0", "1 x 1.0",
    )  # fmt: skip


def test_aif360s_scikit_learn_convention():
    X, y, a = rows(300)
    index = pd.MultiIndex.from_arrays([np.arange(300), a], names=["row", "sex"])
    indexed = X.set_axis(index)
    expected = quick().fit(X, y, sensitive_features=a).predict_proba(X)
    model = quick(prot_attr="sex").fit(indexed, y)
    np.testing.assert_array_equal(model.predict_proba(indexed), expected)
    both = quick(prot_attr=["sex"]).fit(indexed, pd.Series(y, index=index))
    np.testing.assert_array_equal(both.predict_proba(indexed), expected)
    only = X.set_axis(pd.Index(a, name="sex"))
    np.testing.assert_array_equal(quick(prot_attr=True).fit(only, y).predict_proba(X), expected)
    with pytest.raises(InputError, match="unknown level of the index of X 'gender'"):
        quick(prot_attr="gender").fit(indexed, y)
    with pytest.raises(InputError, match="prot_attr needs a frame"):
        quick(prot_attr="sex").fit(X[["x"]].to_numpy(), y)


def test_several_classes():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [4, 0], [0, 4]])
    codes = rng.integers(0, 3, 600)
    X = centres[codes] + rng.normal(size=(600, 2))
    y = np.array(["red", "green", "blue"])[codes]
    a = rng.integers(0, 2, 600)
    model = quick(epochs=20).fit(X, y, sensitive_features=a)
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert model.predict_proba(X).shape == model.decision_function(X).shape == (600, 3)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, y) > 0.85
    assert np.isfinite(model.history_.balanced_accuracy).all()


def test_class_weights_move_the_balance():
    X, y, a = rows(800)
    shares = [
        (
            quick(class_weight=w, checkpoint="last").fit(X, y, sensitive_features=a).predict(X)
            == "yes"
        ).mean()
        for w in ({"yes": 1, "no": 20}, None, {"yes": 20, "no": 1})
    ]
    assert shares[0] < shares[1] < shares[2]
    rare = np.random.default_rng(0).random(800) < 0.2
    chosen = (y == "no") | rare
    model = quick(class_weight="balanced").fit(X[chosen], y[chosen], sensitive_features=a[chosen])
    assert balanced_accuracy(y[chosen] == "yes", model.predict(X[chosen]) == "yes") > 0.7


def test_rules_and_validation_rows_of_ones_own():
    X, y, a = rows()
    assert quick(checkpoint="last").fit(X, y, sensitive_features=a).best_epoch_ == 8
    first = quick(checkpoint=lambda h: [np.zeros_like(h.loss) - np.arange(len(h.loss))[:, None]])
    assert first.fit(X, y, sensitive_features=a).best_epoch_ == 1
    validation = rows(200, seed=5)
    model = quick(checkpoint="paper").fit(X, y, sensitive_features=a, validation=validation)
    # By hand: the metrics of the selected epoch are those of the model on these rows.
    labels = model.predict(validation[0])
    at = model.best_epoch_ - 1
    assert model.history_.accuracy[at, 0] == pytest.approx((labels == validation[1]).mean())
    gap = discrimination(None, labels == "yes", sensitive_features=validation[2])
    assert model.history_.discrimination[at, 0] == pytest.approx(gap)
    assert (
        at
        == np.flatnonzero(model.history_.discrimination == model.history_.discrimination.min())[-1]
    )


def test_a_constant_model_warns_and_says_so():
    rng = np.random.default_rng(0)
    y = np.zeros(300, dtype=int)
    y[:15] = 1
    with pytest.warns(ConstantPredictionWarning, match="same label"):
        model = quick().fit(
            rng.normal(size=(300, 2)), y, sensitive_features=rng.integers(0, 2, 300)
        )
    assert model.constant_


def test_regression_predicts_numbers_in_their_own_units():
    X, _, a = rows(2000)
    y = 1000 + 50 * X["x"].to_numpy() + 30 * a.to_numpy()
    model = quick(GRADRegressor, epochs=20, lam=0).fit(X, y, sensitive_features=a)
    assert model.score(X, y) > 0.85
    protected = quick(GRADRegressor, epochs=20, lam=100).fit(X, y, sensitive_features=a)
    gaps = [discrimination(None, m.predict(X), sensitive_features=a) for m in (model, protected)]
    assert gaps[1] < 0.7 * gaps[0]
    # The history is in the target's units too.
    validation = (X, y, a)
    model = quick(GRADRegressor).fit(X, y, sensitive_features=a, validation=validation)
    at, predicted = model.best_epoch_ - 1, model.predict(X)
    assert model.history_.accuracy[at, 0] == pytest.approx(model.score(X, y))
    gap = discrimination(None, predicted, sensitive_features=a)
    assert model.history_.discrimination[at, 0] == pytest.approx(gap, rel=1e-4)
    assert model.history_.positive_rate[at, 0] == pytest.approx(predicted.mean())


@pytest.mark.parametrize("with_labels", [False, True])
def test_an_encoder_before_any_classifier(with_labels):
    X, y, a = rows(800)
    encoder = quick(GRADEncoder, epochs=10)
    encoder.fit(X, y if with_labels else None, sensitive_features=a)
    Z = encoder.transform(X)
    assert Z.shape == (800, 40)
    assert encoder.get_feature_names_out().tolist()[:2] == ["gradencoder0", "gradencoder1"]
    assert LogisticRegression(max_iter=1000).fit(Z, y).score(Z, y) > 0.8
    if not with_labels:
        assert encoder.best_epoch_ == 10
    frame = encoder.set_output(transform="pandas").transform(X)
    assert frame.columns[0] == "gradencoder0"


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_pipelines_searches_and_cross_validation_route_sensitive_features(routing):
    X, y, a = rows(400)
    model = quick(epochs=3).set_fit_request(sensitive_features=True, sample_weight=True)
    columns = make_column_transformer(
        (StandardScaler(), ["x", "lean"]), (OneHotEncoder(), ["c"]), sparse_threshold=0
    )
    pipeline = make_pipeline(columns, model)
    pipeline.fit(X, y, sensitive_features=a)
    assert pipeline[-1].attributes_[0].name == "sex"
    done = cross_validate(
        model, X, y, params={"sensitive_features": a}, cv=3, return_estimator=True
    )
    assert [len(e.attributes_) for e in done["estimator"]] == [1, 1, 1]
    search = GridSearchCV(model, {"lam": [1, 10], "checkpoint": ["paper", "balanced_delta"]}, cv=2)
    search.fit(X, y, sensitive_features=a)
    assert search.best_estimator_.attributes_[0].name == "sex"
    encoder = quick(GRADEncoder, epochs=3).set_fit_request(sensitive_features=True)
    chained = make_pipeline(encoder, LogisticRegression()).fit(X, y, sensitive_features=a)
    assert chained.predict(X).shape == (400,)


def test_clones_copies_and_pickles():
    X, y, a = rows(300)
    model = quick().fit(X, y, sensitive_features=a)
    assert clone(model).get_params() == model.get_params()
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


BAD = {
    "no such rule": ({"checkpoint": "best"}, {}, "unknown rule"),
    "negative lambda": ({"lam": -1.0}, {}, "at least 0, got -1"),
    "lambda for another": ({"lam": {"age": 1.0}}, {}, "lam: expected a number for each of .'sex'."),
    "no epochs": ({"epochs": 0}, {}, "epochs must be"),
    "no trunk": ({"trunk": ()}, {}, "trunk needs at least one layer"),
    "whole validation": ({"validation": 1.0}, {}, "validation must .*between 0 and 1, got 1.0"),
    "validation of another kind": ({}, {"validation": 0.5}, r"expected \(X, y, sensitive_features\)"),
    "too few groups": ({}, {"sensitive_features": [1] * 100}, "at least two groups"),
    "too few rows of groups": ({}, {"sensitive_features": [0, 1]}, "expected 100 rows, got 2"),
    "too many groups": ({}, {"sensitive_features": list(range(100))}, "has 100 values; name it in"),
    "text that should be numbers": (
        {"continuous": ["sensitive_feature"]},
        {"sensitive_features": ["a", "b"] * 50},
        "expected numbers",
    ),
    "unknown continuous": ({"continuous": ["age"]}, {}, "unknown sensitive feature 'age'"),
    "names twice": (
        {}, {"sensitive_features": pd.DataFrame(np.eye(100)[:, :2], columns=["s", "s"])}, "differ",
    ),
    "cube": ({}, {"sensitive_features": np.zeros((100, 1, 1))}, "expected shape"),
    "negative weights": ({}, {"sample_weight": [-1.0] * 100}, "finite and >= 0"),
    "no weights": ({}, {"sample_weight": [0.0] * 100}, "at least one non-zero"),
    "validation label": ({}, {"validation": (rows(9)[0], ["q"] * 9, [0] * 9)}, "labels among"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    parameters, arguments, message = BAD[case]
    X, y, a = rows(100)
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(X, y, **{"sensitive_features": a, **arguments})


def test_other_columns_at_prediction_are_refused():
    X, y, a = rows(100)
    model = quick(epochs=1).fit(X, y, sensitive_features=a)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X.rename(columns={"x": "z"}))
    with pytest.raises(ValueError, match="'x': expected numbers, got 'tall'"):
        model.predict(X.assign(x="tall"))


def test_values_that_no_training_row_had_are_told():
    X, y, a = rows(100)
    model = quick(epochs=1).fit(X, y, sensitive_features=a)
    with pytest.warns(UnseenValuesWarning, match="'c': missing in 100 of 100 rows"):
        missing = model.predict_proba(X.assign(c=None))
    with pytest.warns(UnseenValuesWarning, match="'c': a level.* in 100 of 100 rows, .*every row"):
        new = model.predict_proba(X.assign(c="new"))
    np.testing.assert_array_equal(new, missing)
    with pytest.warns(UnseenValuesWarning, match="'c': a level.* in 1 of 100 rows"):
        model.predict(X.assign(c=["new", *X["c"][1:]]))
    gap = X.assign(x=[np.nan, *X["x"][1:]])
    with pytest.warns(UnseenValuesWarning, match="'x': missing in 1 of 100 rows"):
        model.predict(gap)
    # Text, other types and other spellings of the same content predict the same.
    other = X.assign(c=[f" {c.upper()}." for c in X["c"]], x=X["x"].map(repr))
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(X))


def test_partial_fit_goes_on_from_where_it_was():
    X, y, a = rows(600)
    model = quick()
    for part in np.array_split(np.arange(600), 3) * 6:
        model.partial_fit(X.iloc[part], y[part], ["no", "yes"], sensitive_features=a.iloc[part])
    assert model.best_epoch_ == 18
    assert model.history_.loss.shape == (18, 1)
    assert model.history_.loss[-3:].mean() < model.history_.loss[:3].mean() - 0.1
    assert model.score(X, y) > 0.8
    # All rows each time are what epochs are.
    again = quick().partial_fit(X, y, sensitive_features=a)
    first = again.predict_proba(X)
    again.partial_fit(X, y, sensitive_features=a)
    assert not np.array_equal(again.predict_proba(X), first)
    # fit begins anew, and so does a partial_fit after it.
    fitted = quick().fit(X, y, sensitive_features=a).predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, y, sensitive_features=a).predict_proba(X), fitted)
    model.partial_fit(X, y, sensitive_features=a)
    np.testing.assert_array_equal(model.predict_proba(X), first)


def test_partial_fit_refuses_what_it_was_not_told_of():
    X, y, a = rows(100)
    model = quick().partial_fit(X, y, sensitive_features=a)
    with pytest.raises(InputError, match="expected labels among"):
        model.partial_fit(X, ["maybe"] * 100, sensitive_features=a)
    with pytest.raises(InputError, match=r"expected \['sex'\], got \['race'\]"):
        model.partial_fit(X, y, sensitive_features=a.rename("race"))
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(X[["x"]], y, sensitive_features=a)
    with pytest.raises(InputError, match="name all of them in `classes`"):
        quick().partial_fit(X, ["yes"] * 100, sensitive_features=a)
    with pytest.raises(InputError, match="at least 2 samples a call, got 1 sample"):
        model.partial_fit(X[:1], y[:1], sensitive_features=a[:1])
    # A group that comes later belongs to no group that has a branch.
    late = model.partial_fit(X, y, sensitive_features=a.replace({0: 7}))
    assert np.isfinite(late.history_.attribute_loss).all()


def test_groups_of_later_calls_are_named_or_refused():
    X, y, a = rows(200)
    X = X[["x", "lean"]]
    women, men = a == 0, a == 1
    with pytest.raises(InputError, match=r"two groups .*'sex'.*`groups`"):
        quick().partial_fit(X[women], y[women], sensitive_features=a[women])
    by_list, by_name = quick(), quick()
    by_list.partial_fit(X[women], y[women], sensitive_features=a[women], groups=np.array([1, 0]))
    by_name.partial_fit(X[women], y[women], sensitive_features=a[women], groups={"sex": [0, 1]})
    for model in (by_list, by_name):
        assert model.attributes_[0].levels == (0, 1)
        model.partial_fit(X[men], y[men], sensitive_features=a[men])
        model.partial_fit(X, y, sensitive_features=a)
        assert np.isfinite(model.history_.attribute_loss).all()
    np.testing.assert_array_equal(by_list.predict_proba(X), by_name.predict_proba(X))


def test_estimators_match_rows_by_their_index():
    X, y, a = rows(120)
    w = pd.Series(np.arange(1.0, 121.0))
    given = {"sensitive_features": a, "sample_weight": w}
    expected = quick(epochs=2).fit(X, y, **given).predict_proba(X)
    turned = {name: one.sample(frac=1, random_state=0) for name, one in given.items()}
    for features, labels in ((X, y), (X, pd.Series(y)), (X.drop(columns="c").to_numpy(), y)):
        plain = quick(epochs=2).fit(features, labels, **given).predict_proba(features)
        in_order = turned if features is X else given
        other = quick(epochs=2).fit(features, labels, **in_order).predict_proba(features)
        np.testing.assert_array_equal(other, plain)
    np.testing.assert_array_equal(quick(epochs=2).fit(X, y, **turned).predict_proba(X), expected)
    numbers = X[["x", "lean"]].to_numpy()
    by_label = quick(epochs=2).fit(numbers, pd.Series(y), **turned).predict_proba(numbers)
    by_place = quick(epochs=2).fit(numbers, y, **given).predict_proba(numbers)
    np.testing.assert_array_equal(by_label, by_place)
    part = X[40:]
    for name, values in given.items():
        with pytest.raises(InputError, match=rf"{name}.*reset_index"):
            quick().fit(part, y[40:], **{name: values[40:].reset_index(drop=True)})


def test_features_in_other_containers_predict_alike():
    X, y, a = rows(100)
    model = quick(epochs=1).fit(X, y, sensitive_features=a)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X[["c", "flag", "x", "lean"]]), expected)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        objects = model.predict_proba(X.to_numpy(dtype=object))
    np.testing.assert_array_equal(objects, expected)
    numbers = np.where(np.arange(200).reshape(100, 2) % 3, 0.0, X[["x", "lean"]])
    expected = quick(epochs=1).fit(numbers, y, sensitive_features=a).predict_proba(numbers)
    few = sparse.csr_array(numbers)
    model = quick(epochs=1).fit(few, y, sensitive_features=a)
    np.testing.assert_array_equal(model.predict_proba(few), expected)
    assert model.__sklearn_tags__().input_tags.sparse


def test_missing_attributes_are_missing_in_every_container():
    X, y, a = rows(100)
    names = ["f" if one else "m" for one in a]
    with_gaps = [None if i < 10 else name for i, name in enumerate(names)]
    fitted = {
        form: quick(epochs=1).fit(X, y, sensitive_features=given)
        for form, given in {
            "series": pd.Series(with_gaps),
            "list": with_gaps,
            "nan": [np.nan if name is None else name for name in with_gaps],
            # Initial weights depend on the name: this is that of an attribute without one.
            "dict": {"sensitive_feature": with_gaps},
            "rows": [[name] for name in with_gaps],
        }.items()
    }
    for form, model in fitted.items():
        assert model.attributes_[0].levels == ("f", "m"), form
        same = model.predict_proba(X) == fitted["series"].predict_proba(X)
        assert same.all(), form


# Every parameter as numpy gives it, from np.arange, np.logspace or a frame.
SCALARS = {
    "lam": np.float32(1.5), "trunk": np.array([5, 4]), "branch": [np.int64(3)],
    "recipe": np.str_("steady"), "constraint": np.str_("equalized_odds"),
    "encoding": np.str_("standard"), "epochs": np.int64(1), "batch_size": np.int32(16),
    "learning_rate": np.float32(0.5), "attribute_learning_rate": np.float64(0.25),
    "beta1": np.float32(0.5), "final_lr_fraction": np.float32(0.5), "dropout": np.float16(0.25),
    "adversary_input": np.str_("prediction"), "lam_scales": np.str_("loss"),
    "saturation": np.array([1.0, 2.0]), "warmup": np.int64(1), "extrapolation": np.float32(0.5),
    "balance_groups": np.bool_(True), "checkpoint": np.str_("last"),
    "lr_schedule": np.str_("cosine"), "warmup_schedule": np.str_("logistic"),
    "validation": np.float32(0.25), "intersections": np.bool_(False),
    "continuous": np.array([], dtype=str), "missing": np.str_("use"), "prot_attr": None,
    "score_penalty": np.float32(0.25), "ensemble": np.int64(2), "bound": None,
    "objective": np.str_("accuracy"), "random_state": np.int64(3), "class_weight": {np.str_("yes"): np.float32(2), "no": np.int8(1)},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::grad_ext.errors.ConstantPredictionWarning")
def test_numpys_scalars_are_parameters_like_pythons(tmp_path):
    X, y, a = rows(100)
    assert set(SCALARS) == set(GRADClassifier().get_params())
    plain = {
        name: value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
        for name, value in SCALARS.items()
    }
    expected = GRADClassifier(**plain).fit(X, y, sensitive_features=a).predict_proba(X)
    model = clone(GRADClassifier().set_params(**SCALARS)).fit(X, y, sensitive_features=a)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    refitted = clone(again).fit(X, y, sensitive_features=a)
    np.testing.assert_array_equal(refitted.predict_proba(X), expected)
    by_index = quick(epochs=1, prot_attr=np.bool_(True)).fit(X.set_index(a), y)
    assert [attribute.name for attribute in by_index.attributes_] == ["sex"]


def test_numpys_scalars_in_searches_and_curves():
    X, y, a = rows(60)
    grid = {"lam": np.logspace(0, 1, 2), "epochs": np.arange(1, 2), "balance_groups": [np.True_]}
    search = GridSearchCV(quick(), grid, cv=2).fit(X, y, sensitive_features=a)
    assert search.best_params_["epochs"] == 1
    scores, _ = validation_curve(
        quick(epochs=1), X, y, param_name="batch_size", param_range=np.array([8, 16]), cv=2,
        params={"sensitive_features": a},
    )  # fmt: skip
    assert np.isfinite(scores).all()


def test_validation_rows_go_through_a_pipeline():
    X, y, a = rows(120)
    X, X_val = X[["x", "lean"]][:80], X[["x", "lean"]][80:]
    given = {"sensitive_features": a[:80], "y_val": y[80:], "sensitive_features_val": a[80:]}
    scaler = StandardScaler().fit(X)
    apart = quick(epochs=3, checkpoint="accuracy@0.5").fit(
        scaler.transform(X), y[:80], **given, X_val=scaler.transform(X_val)
    )
    as_tuple = quick(epochs=3, checkpoint="accuracy@0.5").fit(
        scaler.transform(X), y[:80], sensitive_features=a[:80],
        validation=(scaler.transform(X_val), y[80:], a[80:]),
    )  # fmt: skip
    with sklearn.config_context(enable_metadata_routing=True):
        model = quick(epochs=3, checkpoint="accuracy@0.5").set_fit_request(
            sensitive_features=True, X_val=True, y_val=True, sensitive_features_val=True
        )
        pipe = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        pipe.fit(X, y[:80], X_val=X_val, **given)
    for other in (as_tuple, pipe[-1]):
        np.testing.assert_array_equal(other.history_.accuracy, apart.history_.accuracy)
    with pytest.raises(InputError, match="got both"):
        quick().fit(X, y[:80], validation=(X_val, y[80:]), X_val=X_val)
    with pytest.raises(InputError, match="X_val"):
        quick().fit(X, y[:80], y_val=y[80:])


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_goes_on_learning_as_the_original_does(again):
    X, y, a = rows(200)
    model = quick().partial_fit(X, y, sensitive_features=a)
    copied = again(model)
    for learner in (model, copied):
        learner.partial_fit(X, y, sensitive_features=a)
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))
    before = copied.predict_proba(X)
    copied.partial_fit(X, y, sensitive_features=a)
    assert not np.array_equal(copied.predict_proba(X), before)


def test_dates_and_odd_text_are_encoded_or_refused():
    X, y, a = rows(100)
    dates = X.assign(
        c=pd.Series([pd.Timestamp(2020, 1, 1 + i % 3) for i in range(100)], dtype=object)
    )
    assert quick().fit(dates, y, sensitive_features=a).predict(dates).shape == (100,)
    with pytest.raises(InputError, match="valid Unicode"):
        quick().fit(X.assign(c="\ud800"), y, sensitive_features=a)


def test_a_module_of_ones_own_as_the_trunk():
    from torch import nn

    def factory(features):
        return nn.Sequential(nn.Linear(features, 12), nn.LayerNorm(12), nn.GELU())

    X, y, a = rows(800)
    model = quick(trunk=factory).fit(X, y, sensitive_features=a)
    assert model.score(X, y) > 0.8
    again = quick(trunk=factory).fit(X, y, sensitive_features=a)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    encoder = quick(GRADEncoder, trunk=factory).fit(X, sensitive_features=a)
    assert encoder.transform(X).shape == (800, 12)
    with pytest.raises(InputError, match="partial_fit needs a trunk of layer sizes"):
        model.partial_fit(X, y, sensitive_features=a)
    with pytest.raises(InputError):
        quick(trunk=lambda features: 3).fit(X, y, sensitive_features=a)


@pytest.mark.parametrize("seed", range(8))
def test_the_only_row_of_a_class_is_trained_on_and_not_held_out(seed):
    """Held out, it would leave one class to learn from, and nobody would know."""
    rng = np.random.default_rng(seed)
    # With 58 rows the last stratum's only row lies where the fifth of the rows is taken.
    X, a = rng.normal(size=(58, 2)), rng.integers(0, 2, 58)
    y = np.where(np.arange(58) == 57, "rare", "common")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantPredictionWarning)
        model = quick(epochs=1, random_state=seed, checkpoint="paper")
        model.fit(X, y, sensitive_features=a)
    # Balanced accuracy needs both classes, so it tells whether validation rows hold the rare one.
    assert np.isnan(model.history_.balanced_accuracy).all()


def test_rows_of_few_values_train_as_their_rows():
    """Equal rows are as many rows of a minibatch, whatever the order and however they are given."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.integers(0, 4, 300), "u": rng.integers(0, 2, 300)})
    y, a = ((X["x"] + rng.integers(0, 3, 300)) > 2).astype(int), rng.integers(0, 2, 300)
    samples = Samples(
        X, y.to_numpy(float), a[:, None].astype(float), np.ones(300),
        Task(Binary("target"), (Binary("sex"),)),
    )  # fmt: skip
    whole, positions = samples.canonical()
    assert len(positions) == 300
    assert (whole.w[positions] == 1.0).all()
    assert len(np.unique(positions)) == len(X.assign(y=y, a=a).drop_duplicates())
    # Whole totals of at most ten times the rows are repetitions.
    _, twice = dataclasses.replace(samples, w=np.full(300, 2.0)).canonical()
    np.testing.assert_array_equal(twice, np.repeat(positions, 2))
    # Otherwise rows stay as many as they are, with their share of the sum.
    for weight in (rng.uniform(0.5, 1.5, 300), np.full(300, 100.0)):
        shared, same = dataclasses.replace(samples, w=weight).canonical()
        np.testing.assert_array_equal(same, positions)
        assert shared.w[same].sum() == pytest.approx(weight.sum())
        for position in np.unique(same):
            equal = (X.iloc[position] == X).all(axis=1) & (y == y[position]) & (a == a[position])
            assert shared.w[position] == pytest.approx(weight[equal].mean())


def test_a_nearly_constant_model_warns_as_a_constant_does():
    rng = np.random.default_rng(0)
    X, a = rng.normal(size=(800, 2)), rng.integers(0, 2, 800)
    # A third of the labels is favorable, and ten rows alone are likely to be.
    X[:10, 0], y = 8.0, (rng.random(800) < 0.33).astype(int)
    y[:10] = 1
    with pytest.warns(NearlyConstantWarning, match="balanced accuracy"):
        model = GRADClassifier(lam=0, epochs=10, trunk=(8,), random_state=0).fit(
            X, y, sensitive_features=a
        )
    assert model.constant_
    assert 0 < model.predict(X).mean() < 0.1 * y.mean()
