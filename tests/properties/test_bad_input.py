"""Any input gives a ValueError or TypeError with a message, or finite predictions."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from grad_ext import GRADClassifier, GRADEncoder, GRADRegressor

FILLS = [*["normal"] * 6, "constant", "huge", "tiny", "nan", "inf", "duplicated", "integers"]
DTYPES = [
    *["f8"] * 8,
    "f2",
    "f4",
    "i1",
    "i8",
    "u1",
    "bool",
    "object",
    "str",
    "complex",
    "datetime64[s]",
]


@st.composite
def features(draw):
    n, d = draw(st.integers(0, 40)), draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, d))
    fill = draw(st.sampled_from(FILLS))
    if fill == "constant":
        X[:] = 3.0
    elif fill in ("huge", "tiny"):
        X *= 1e300 if fill == "huge" else 1e-300
    elif fill in ("nan", "inf") and X.size:
        X.flat[rng.integers(X.size)] = np.nan if fill == "nan" else np.inf
    elif fill == "duplicated" and d:
        X[:] = X[:, :1]
    elif fill == "integers":
        X = rng.integers(-2, 3, (n, d)).astype(float)
    dtype = draw(st.sampled_from(DTYPES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        X = X.astype(dtype)
    shape = draw(
        st.sampled_from(["array", "array", "frame", "frame", "list", "sparse", "flat", "fortran"])
    )
    if shape == "frame":
        names = [f"c{i}" for i in range(d)]
        return pd.DataFrame(X, columns=names)
    if shape == "sparse" and X.dtype.kind in "fiub" and X.dtype != np.float16:
        return sparse.csr_array(X)
    return {"list": X.tolist(), "flat": X.ravel(), "fortran": np.asfortranarray(X)}.get(shape, X)


@st.composite
def columns(draw, n):
    """Labels or groups of about the right number."""
    n = max(0, n + draw(st.sampled_from([0, 0, 0, 0, 0, -1, 1])))
    values = draw(
        st.sampled_from(
            [[0, 1], [0, 1], [0, 1], [0, 1], [1], [0, 1, 2], ["a", "b"], [True, False], [0.5, 1.5], [None, 1], [np.nan, 1.0],
             [0, "a"], [-1, 1], list(range(30)), [np.inf, 0.0], [(1,), (2,)]]
        )
    )  # fmt: skip
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    picked = [values[i] for i in rng.integers(0, len(values), n)]
    return picked if draw(st.booleans()) else np.array([*picked, None], dtype=object)[:-1]


def rows_of(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


@pytest.mark.parametrize("estimator", [GRADClassifier, GRADRegressor, GRADEncoder])
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_fitting_gives_an_error_or_finite_predictions(estimator, data):
    X = data.draw(features())
    y = data.draw(columns(rows_of(X)))
    a = data.draw(st.none() | columns(rows_of(X)))
    model = estimator(epochs=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # scikit-learn's, and the one about missing sensitive features
        try:
            model.fit(X, y, sensitive_features=a)
        except (ValueError, TypeError) as error:
            assert len(str(error)) > 10
            assert "Tensor" not in str(error)
            assert "mat1" not in str(error)
            return
        predicted = {
            GRADClassifier: getattr(model, "predict_proba", None),
            GRADRegressor: getattr(model, "predict", None),
            GRADEncoder: getattr(model, "transform", None),
        }[estimator](X)
    assert np.isfinite(predicted).all()
    assert len(predicted) == rows_of(X)
    if estimator is GRADClassifier:
        assert (predicted >= 0).all()
        assert (predicted <= 1).all()
        assert set(model.predict(X)) <= set(model.classes_)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(X=features())
def test_prediction_gives_an_error_or_finite_predictions(fitted, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, about names that are new since fitting
        try:
            predicted = fitted.predict_proba(X)
        except (ValueError, TypeError) as error:
            assert len(str(error)) > 10
            return
    assert np.isfinite(predicted).all()


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return GRADClassifier(epochs=1, random_state=0).fit(
        X, rng.integers(0, 2, 60), sensitive_features=rng.integers(0, 2, 60)
    )


@pytest.mark.parametrize("rows", [2, 3, 5, 15, 16, 17, 33])
def test_few_rows_are_learned_from_or_refused(rows):
    rng = np.random.default_rng(rows)
    X, a = rng.normal(size=(rows, 2)), np.arange(rows) % 2
    model = GRADClassifier(epochs=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            model.fit(X, np.arange(rows) // 2 % 2, sensitive_features=a)
        except ValueError as error:
            assert rows < 5, error
        else:
            assert np.isfinite(model.predict_proba(X)).all()


# The labels are random.
@pytest.mark.filterwarnings("ignore::grad_ext.errors.NearlyConstantWarning")
def test_a_group_that_only_validation_rows_have_is_left_out_of_its_figures():
    rng = np.random.default_rng(0)
    X, y, a = rng.normal(size=(80, 2)), rng.integers(0, 2, 80), rng.integers(0, 2, 80)
    validation = (X, y, np.where(np.arange(80) < 10, 7, a))
    model = GRADClassifier(epochs=2, random_state=0).fit(
        X, y, sensitive_features=a, validation=validation
    )
    assert np.isfinite(model.history_.discrimination).all()


# The labels are random.
@pytest.mark.filterwarnings("ignore::grad_ext.errors.NearlyConstantWarning")
def test_validation_rows_of_one_group_leave_discrimination_undefined_and_the_model_sane():
    rng = np.random.default_rng(0)
    X, y, a = rng.normal(size=(80, 2)), rng.integers(0, 2, 80), rng.integers(0, 2, 80)
    validation = (X, y, np.ones(80, dtype=int))
    model = GRADClassifier(epochs=2, random_state=0).fit(
        X, y, sensitive_features=a, validation=validation
    )
    assert np.isnan(model.history_.discrimination).all()
    assert np.isfinite(model.predict_proba(X)).all()
