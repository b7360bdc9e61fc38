"""Pipelines through skl2onnx predict as in scikit-learn."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from grad_ext import GRADClassifier, GRADEncoder, GRADRegressor
from grad_ext.errors import InputError
from grad_ext.models.onnx_pipelines import OPSET, register_converters

RNG = np.random.default_rng(0)
N = 120
SEX = RNG.integers(0, 2, N)
FRAME = pd.DataFrame(
    {
        "x": (RNG.normal(size=N) + SEX).astype(np.float32),
        "y": RNG.normal(size=N).astype(np.float32),
        "job": RNG.choice(["clerk", "nurse"], N),
    }
)
QUICK = {"epochs": 1, "random_state": 0}
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(autouse=True)
def converters():
    register_converters()


def run(model, inputs, **options):
    kinds = [
        (n, StringTensorType if v.dtype == object else FloatTensorType) for n, v in inputs.items()
    ]
    given = [(name, kind([None, inputs[name].shape[1]])) for name, kind in kinds]
    graph = to_onnx(model, initial_types=given, target_opset=OPSET, **options)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(None, inputs)


@pytest.mark.parametrize("labels", [("no", "yes"), (3, 7), ("a", "b", "c")])
def test_a_classifier_after_other_steps(labels):
    y = np.array(labels)[np.digitize(FRAME["x"], np.linspace(0, 1, len(labels) + 1)[1:-1])]
    steps = make_column_transformer((StandardScaler(), ["x", "y"]), (OneHotEncoder(), ["job"]))
    model = make_pipeline(steps, GRADClassifier(**QUICK))
    model.fit(FRAME, y, gradclassifier__sensitive_features=SEX)
    inputs = {name: FRAME[[name]].to_numpy() for name in FRAME}
    label, probabilities = run(model, inputs, options={"zipmap": False})
    np.testing.assert_allclose(probabilities, model.predict_proba(FRAME), **CLOSE)
    decided = np.abs(probabilities - 0.5).min(axis=1) > 1e-3
    np.testing.assert_array_equal(label[decided], model.predict(FRAME)[decided])


def test_a_regressor_and_an_encoder_and_a_column_that_is_left_out():
    X = FRAME[["x", "y"]].assign(one=np.float32(1.0)).to_numpy(dtype=np.float32)
    with pytest.warns(UserWarning, match="same value"):
        model = make_pipeline(StandardScaler(), GRADRegressor(**QUICK)).fit(
            X, X[:, 0], gradregressor__sensitive_features=SEX
        )
    (prediction,) = run(model, {"X": X})
    np.testing.assert_allclose(prediction[:, 0], model.predict(X), **CLOSE)
    encoder = make_pipeline(StandardScaler(), GRADEncoder(**QUICK))
    with pytest.warns(UserWarning, match="same value"):
        encoder.fit(X, gradencoder__sensitive_features=SEX)
    (representation,) = run(encoder, {"X": X})
    np.testing.assert_allclose(representation, encoder.transform(X), **CLOSE)


def test_columns_of_text_are_refused():
    model = GRADClassifier(**QUICK).fit(FRAME, SEX, sensitive_features=SEX)
    with pytest.raises(InputError, match="export_onnx"):
        run(model, {"X": FRAME[["x", "y"]].to_numpy(dtype=np.float32)})
