"""Pipelines as ONNX graphs, run by onnxruntime, say what the pipelines say."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from grad_ext import GRADClassifier, GRADEncoder, GRADRegressor
from grad_ext.errors import InputError
from grad_ext.models.onnx_pipelines import register_converters

SMALL = {"epochs": 3, "trunk": (8, 6), "branch": (5,), "lam": 1.0, "random_state": 0}
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
pytestmark = pytest.mark.filterwarnings("ignore::grad_ext.errors.ConstantPredictionWarning")


@pytest.fixture(autouse=True)
def registered():
    register_converters()


def rows(n=200, seed=0):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n)
    X = pd.DataFrame(
        {
            "income": rng.normal(30, 9, n) + 3 * (sex == "m"),
            "visits": rng.integers(0, 4, n).astype(float),
            "job": rng.choice(["clerk", "nurse", "Ärztin"], n),
        }
    )
    return X, X["income"] + 4 * X["visits"] + rng.normal(0, 5, n), sex


X, NUMBER, SEX = rows()
FRESH = rows(seed=1)[0]
NUMBERS = ["income", "visits"]
LABELS = {
    "text": np.where(NUMBER > 36, "yes", "no"),
    "int": np.where(NUMBER > 36, 7, 3),
    "bool": (NUMBER > 36).to_numpy(),
    "classes": np.digitize(NUMBER, [30, 40]),
}


def fitted(model, features, y):
    last = model.steps[-1][0]
    first = "gradencoder" if "gradencoder" in dict(model.steps) else last
    return model.fit(features, y, **{f"{first}__sensitive_features": SEX})


def run(model, inputs, types=None, **options):
    proto = to_onnx(
        model, None if types else next(iter(inputs.values())), initial_types=types,
        options={id(model): options} if options else None,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    names = [one.name for one in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs.values(), strict=True)))


@pytest.mark.parametrize("kind", LABELS)
def test_a_classifier_behind_a_scaler(kind):
    model = fitted(
        make_pipeline(StandardScaler(), GRADClassifier(**SMALL)),
        X[NUMBERS].to_numpy(), LABELS[kind],
    )  # fmt: skip
    given = FRESH[NUMBERS].to_numpy()
    label, probabilities = run(model, {"X": given}, zipmap=False)
    np.testing.assert_allclose(probabilities, model.predict_proba(given), **CLOSE)
    np.testing.assert_array_equal(label, model.predict(given))
    assert len(set(label)) > 1


def test_mixed_columns_through_a_column_transformer():
    columns = make_column_transformer(
        (StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), ["job"])
    )
    model = fitted(make_pipeline(columns, GRADClassifier(**SMALL)), X, LABELS["text"])
    types = [
        *((name, DoubleTensorType([None, 1])) for name in NUMBERS),
        ("job", StringTensorType([None, 1])),
    ]
    inputs = {name: FRESH[[name]].to_numpy() for name in FRESH}
    label, probabilities = run(model, inputs, types, zipmap=False)
    np.testing.assert_allclose(probabilities, model.predict_proba(FRESH), **CLOSE)
    np.testing.assert_array_equal(label, model.predict(FRESH))


def test_columns_as_they_are():
    model = fitted(make_pipeline(GRADClassifier(**SMALL)), X, LABELS["text"])
    types = [
        ("income", DoubleTensorType([None, 1])),
        ("visits", Int64TensorType([None, 1])),
        ("job", StringTensorType([None, 1])),
    ]
    inputs = {name: FRESH[[name]].to_numpy() for name in FRESH}
    inputs["visits"] = inputs["visits"].astype(np.int64)
    probabilities = run(model, inputs, types, zipmap=False)[1]
    np.testing.assert_allclose(probabilities, model.predict_proba(FRESH), **CLOSE)
    with pytest.raises(InputError, match=r"3 columns, got 1 inputs.*OneHotEncoder"):
        run(model, {"X": FRESH.to_numpy(dtype=str)}, [("X", StringTensorType([None, 3]))])


def test_a_regressor_and_an_encoder():
    given = FRESH[NUMBERS].to_numpy()
    model = make_pipeline(StandardScaler(), GRADRegressor(**SMALL))
    fitted(model, X[NUMBERS].to_numpy(), NUMBER)
    predicted = run(model, {"X": given})[0]
    np.testing.assert_allclose(predicted[:, 0], model.predict(given), rtol=1e-9)
    chain = make_pipeline(GRADEncoder(**SMALL), LogisticRegression())
    fitted(chain, X[NUMBERS].to_numpy(), LABELS["text"])
    probabilities = run(chain, {"X": given}, zipmap=False)[1]
    np.testing.assert_allclose(probabilities, chain.predict_proba(given), rtol=1e-6, atol=1e-6)


def test_constant_columns_are_left_out():
    wide = np.column_stack([X["income"], np.ones(len(X)), X["visits"]])
    with pytest.warns(UserWarning, match="1"):
        model = fitted(make_pipeline(GRADClassifier(**SMALL)), wide, LABELS["text"])
    probabilities = run(model, {"X": wide}, zipmap=False)[1]
    np.testing.assert_allclose(probabilities, model.predict_proba(wide), **CLOSE)


def test_single_precision_is_refused_where_it_changes_the_encoding():
    model = make_pipeline(StandardScaler(), GRADClassifier(**SMALL))
    fitted(model, X[NUMBERS].to_numpy(), LABELS["text"])
    single = FRESH[NUMBERS].to_numpy(dtype=np.float32)
    with pytest.raises(InputError, match="DoubleTensorType"):
        run(model, {"X": single}, [("X", FloatTensorType([None, 2]))])
    plain = make_pipeline(StandardScaler(), GRADClassifier(**SMALL, encoding="standard"))
    fitted(plain, X[NUMBERS].to_numpy(), LABELS["text"])
    label, maps = run(plain, {"X": single})
    probabilities = plain.predict_proba(single.astype(float))
    np.testing.assert_allclose([one["yes"] for one in maps], probabilities[:, 1], atol=1e-5)
    assert set(label) == {"no", "yes"}


@pytest.mark.parametrize("labels", [("no", "yes"), (3, 7), ("a", "b", "c")])
def test_single_precision_where_no_value_is_common(labels):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 2)), columns=["x", "y"]).astype(np.float32)
    frame["job"] = rng.choice(["clerk", "nurse"], 120)
    y = np.array(labels)[np.digitize(frame["x"], np.linspace(0, 1, len(labels) + 1)[1:-1])]
    steps = make_column_transformer((StandardScaler(), ["x", "y"]), (OneHotEncoder(), ["job"]))
    model = make_pipeline(steps, GRADClassifier(**SMALL))
    model.fit(frame, y, gradclassifier__sensitive_features=frame["x"] > rng.normal(size=120))
    types = [(name, FloatTensorType([None, 1])) for name in ("x", "y")]
    types.append(("job", StringTensorType([None, 1])))
    inputs = {name: frame[[name]].to_numpy() for name in frame}
    label, probabilities = run(model, inputs, types, zipmap=False)
    np.testing.assert_allclose(probabilities, model.predict_proba(frame), rtol=1e-4, atol=1e-5)
    decided = np.abs(probabilities - 0.5).min(axis=1) > 1e-3
    np.testing.assert_array_equal(label[decided], model.predict(frame)[decided])


def test_what_onnx_cannot_hold_is_refused():
    given = X[NUMBERS].to_numpy()
    model = fitted(make_pipeline(GRADClassifier(**SMALL)), given, np.where(NUMBER > 36, 1.0, 2.0))
    with pytest.raises(InputError, match=r"labels.*1\.0"):
        to_onnx(model, given)
    model = fitted(make_pipeline(GRADClassifier(**SMALL)), given, LABELS["int"])
    with pytest.raises(InputError, match="target_opset: expected at least 19, got 18"):
        to_onnx(model, given, target_opset=18)
