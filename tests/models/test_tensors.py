"""Models as text and arrays: estimators and pipelines in skops' format, from which nothing is executed."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from grad_ext import GRADClassifier, GRADEncoder, GRADRegressor
from grad_ext.errors import InputError
from grad_ext.models.persistence import SKOPS_TYPES


def rows(n=80):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=n), "job": rng.choice(["a", "b", None], n)})
    y = np.where(X["x"] + rng.normal(size=n) > 0, "yes", "no")
    return X, y, pd.DataFrame({"sex": rng.choice(["f", "m"], n), "age": rng.normal(40, 9, n)})


def again(model):
    data = skops.io.dumps(model)
    assert set(skops.io.get_untrusted_types(data=data)) <= set(SKOPS_TYPES)
    return skops.io.loads(data, trusted=list(SKOPS_TYPES))


FITTED = {
    "binary": lambda X, y, s: GRADClassifier(epochs=2, random_state=0).fit(
        X, y, sensitive_features=s
    ),
    "classes": lambda X, y, s: GRADClassifier(epochs=2, random_state=0).fit(
        X, np.arange(len(y)) % 3, sensitive_features=s
    ),
    "numbers": lambda X, y, s: GRADRegressor(epochs=2, random_state=0).fit(
        X, X["x"] * 3 + 7, sensitive_features=s
    ),
    "encoder": lambda X, y, s: GRADEncoder(epochs=2, random_state=0).fit(X, sensitive_features=s),
    "encoder with labels": lambda X, y, s: GRADEncoder(epochs=2, random_state=0).fit(
        X, y, sensitive_features=s
    ),
}


@pytest.mark.parametrize("kind", FITTED)
def test_skops_reads_what_was_fitted(kind):
    X, y, s = rows()
    model = FITTED[kind](X, y, s)
    for other in (again(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        predict = "transform" if kind.startswith("encoder") else "predict"
        np.testing.assert_array_equal(getattr(other, predict)(X), getattr(model, predict)(X))
        assert other.attributes_ == model.attributes_
        assert other.get_params() == model.get_params()
        np.testing.assert_array_equal(other.history_.loss, model.history_.loss)
        scores, expected = other.model_.fitted, model.model_.fitted
        assert (scores.readout is None) == (expected.readout is None)


def test_a_pipeline_is_one_file(tmp_path):
    X, y, s = rows()
    columns = make_column_transformer(
        (StandardScaler(), ["x"]), (OneHotEncoder(handle_unknown="ignore"), ["job"])
    )
    model = make_pipeline(columns, GRADClassifier(epochs=2, random_state=0))
    model.fit(X, y, gradclassifier__sensitive_features=s)
    skops.io.dump(model, tmp_path / "model.skops")
    read = skops.io.load(tmp_path / "model.skops", trusted=list(SKOPS_TYPES))
    np.testing.assert_array_equal(read.predict_proba(X), model.predict_proba(X))


def test_a_file_that_contradicts_itself_is_refused():
    X, y, s = rows()
    state = FITTED["binary"](X, y, s).model_.__getstate__()
    arrays = {**state["arrays"], "history.loss": np.zeros((1, 1))}
    for changed in (
        {"arrays": arrays},
        {"arrays": {}},
        {"core": state["core"].replace('"epoch": 2', '"epoch": 9')},
        {"core": state["core"].replace('"features": ', '"features": 9')},
    ):
        model = object.__new__(type(FITTED["binary"](X, y, s).model_))
        with pytest.raises(InputError):
            model.__setstate__({**state, **changed})


def test_what_skops_cannot_hold_is_refused_when_it_is_written():
    X, y, s = rows()
    learner = GRADClassifier(random_state=0).partial_fit(X, y, sensitive_features=s)
    with pytest.raises(InputError, match="partial_fit"):
        skops.io.dumps(learner)
