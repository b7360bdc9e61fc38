"""What can be read from: the features, and a model's representation, scores and labels.

Toolkits are recognised by what their objects answer to, so that none of them is imported: a data
set of AIF360 has `features` and `protected_attributes`, one of its algorithms returns such data sets
from `predict` or `transform`; the rest has scikit-learn's methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_regressor

from grad_ext.data.encoding import Encoder
from grad_ext.data.sensitive import sensitive_frame
from grad_ext.errors import InputError
from grad_ext.seeds import derive

Floats = NDArray[np.float64]

FEATURES = "features"
LABELS = "labels"
# What tells a data set of AIF360 from a frame or an array.
DATA_SET = ("features", "feature_names", "protected_attributes", "protected_attribute_names")


@dataclass(frozen=True)
class Subject:
    """What is audited: N rows.

    Attributes
    ----------
    sources : dict of str to array of shape (N, D)
        Columns to read from, by name, encoded.
    labels : dict of str to array of shape (N,)
        Those of the sources that are predicted labels, as they were predicted.
    sensitive : pandas.DataFrame
        The protected attributes.
    y : array of shape (N,) or None
        True labels.
    """

    sources: dict[str, Floats]
    labels: dict[str, NDArray[Any]]
    sensitive: pd.DataFrame
    y: NDArray[Any] | None


def subject(given: Any, X: Any, sensitive_features: Any, y: ArrayLike | None, seed: int) -> Subject:
    """Return what is to be read from, and what is to be read; see `grad_ext.auditing.audit.audit`."""
    data_set = all(hasattr(X, name) for name in DATA_SET)
    features = _features(X) if data_set else X
    if sensitive_features is None and not data_set:
        raise InputError("sensitive_features: expected the attributes to look for, got None")
    said: dict[str, Any]
    if isinstance(given, Mapping):
        said = dict(given)
    elif isinstance(given, (list, tuple)) or hasattr(given, "__array__"):
        said = _of_values(given)
    elif isinstance(given, type) or not any(hasattr(given, m) for m in ("predict", "transform")):
        raise InputError(
            "expected a fitted model, an array or arrays by name, got "
            f"{getattr(given, '__name__', type(given).__name__)}"
        )
    elif X is None:
        raise InputError(f"X: expected rows to ask the {type(given).__name__} about, got None")
    elif data_set:
        said = _of_algorithm(given, X)
    else:
        said = _of_estimator(given, X, sensitive_features, seed)
    if not said:
        raise InputError(f"expected something to read from, but {type(given).__name__} gives none")
    if FEATURES in said:
        raise InputError(f"{FEATURES!r} is the name of the columns of X; expected another one")
    n = _length(next(iter(said.values()))) if X is None else _length(features)
    if sensitive_features is None:
        names = [str(name) for name in X.protected_attribute_names]
        sensitive = pd.DataFrame(X.protected_attributes, columns=names)
    else:
        sensitive = sensitive_frame(sensitive_features, n)
    if X is not None:
        said = {FEATURES: features, **said}
    if y is None and data_set:
        y = X.labels
    return Subject(
        sources={name: _encoded(name, value, n) for name, value in said.items()},
        labels={name: _column(v) for name, v in said.items() if name.startswith(LABELS)},
        sensitive=sensitive,
        y=None if y is None else _true(y, n),
    )


def _features(data_set: Any) -> pd.DataFrame:
    """Return the features of AIF360's data set without its protected attributes."""
    frame = pd.DataFrame(data_set.features, columns=data_set.feature_names)
    kept = [n for n in frame.columns if n not in set(data_set.protected_attribute_names)]
    return frame[kept]


def _of_values(given: Any) -> dict[str, Any]:
    """Return a representation, or scores and the labels that follow from them, or labels."""
    values = _values(given)
    if isinstance(values, pd.DataFrame) or values.ndim != 1:
        return {"representation": values}
    if not pd.api.types.is_numeric_dtype(values) or np.isin(values, (0, 1)).all():
        return {LABELS: values}
    if ((values >= 0) & (values <= 1)).all():
        return {"scores": values, LABELS: values >= 0.5}
    return {"scores": values}


def _of_algorithm(model: Any, X: Any) -> dict[str, Any]:
    """Return what an algorithm of AIF360 makes of a data set."""
    said: dict[str, Any] = {}
    predicted = _tried(model, "predict", X)
    if _is_ours(model):
        said["representation"] = model.model_.representation(model._inputs(X))
    else:
        transformed = _tried(model, "transform", X)
        if transformed is not None and not np.array_equal(transformed.features, X.features):
            said["representation"] = _features(transformed)
    if predicted is not None:
        scores = np.ravel(predicted.scores)
        # AIF360 has scores of 0 and 1 where an algorithm gives none, or those of its input.
        if not np.isin(scores, (0, 1)).all() and not np.array_equal(scores, np.ravel(X.scores)):
            said["scores"] = scores
        said[LABELS] = np.ravel(predicted.labels)
    return said


def _tried(model: Any, method: str, X: Any) -> Any:
    """Return a method's answer, None if an algorithm of AIF360 does not have it."""
    try:
        return getattr(model, method)(X) if hasattr(model, method) else None
    except NotImplementedError:
        return None


def _is_ours(model: Any) -> bool:
    return hasattr(getattr(model, "model_", None), "representation")


def _of_estimator(model: Any, X: Any, sensitive_features: Any, seed: int) -> dict[str, Any]:
    """Return what an estimator of scikit-learn's or Fairlearn's kind says of rows."""
    said: dict[str, Any] = {}
    if _is_ours(model):
        said["representation"] = model.model_.representation(model._frame(X, reset=False))
    elif hasattr(model, "transform"):
        said["representation"] = model.transform(X)
    if hasattr(model, "predict_proba"):
        probability = np.asarray(model.predict_proba(X))
        said["scores"] = probability[:, 1] if probability.shape[1] == 2 else probability
    elif hasattr(model, "decision_function"):
        said["scores"] = model.decision_function(X)
    if hasattr(model, "predict"):
        # Fairlearn's randomised and postprocessing models ask for more than rows.
        more = {
            "sensitive_features": sensitive_features,
            "random_state": derive(seed, "predict") % 2**32,
        }
        asked = signature(model.predict).parameters
        predicted = model.predict(X, **{name: v for name, v in more.items() if name in asked})
        said["scores" if _is_number(model, predicted) else LABELS] = predicted
    return said


def _is_number(model: Any, predicted: Any) -> bool:
    """Return whether predictions are numbers and not labels."""
    values = _column(predicted)
    fractional = values.dtype.kind == "f" and bool((values != np.round(values)).any())
    return fractional or (hasattr(model, "__sklearn_tags__") and is_regressor(model))


def _values(given: Any) -> Any:
    """Return a frame, or an array: of a tensor its values, of one column the column."""
    if hasattr(given, "detach"):
        given = given.detach().cpu()
    if hasattr(given, "to_pandas"):
        given = given.to_pandas()
    if isinstance(given, pd.DataFrame):
        return given.reset_index(drop=True)
    values = np.asarray(given)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _column(given: Any) -> NDArray[Any]:
    return np.ravel(np.asarray(_values(given)))


def _length(given: Any) -> int:
    values = _values(given)
    if isinstance(values, np.ndarray) and values.ndim == 0:
        raise InputError(f"expected rows, got {type(given).__name__}")
    if not len(values):
        raise InputError("expected at least one row, got none")
    return len(values)


def _true(y: ArrayLike, n: int) -> NDArray[Any]:
    labels = _column(y)
    if len(labels) != n:
        raise InputError(f"y: expected {n} rows, got {len(labels)}")
    if pd.isna(labels).any():
        raise InputError(f"y: expected no missing values, got {pd.isna(labels).sum()}")
    return labels


def _encoded(name: str, given: Any, n: int) -> Floats:
    """Return a source as numbers on scales of about 1, shape (N, D)."""
    values = _values(given)
    if name.startswith(LABELS):
        frame = pd.DataFrame({name: _column(values).astype(object)})
    elif isinstance(values, pd.DataFrame):
        frame = values
    elif values.ndim in (1, 2):
        columns = values.reshape(len(values), -1)
        names = [f"{name} {i}" for i in range(columns.shape[1])]
        frame = pd.DataFrame(columns, columns=names).infer_objects()
    else:
        raise InputError(f"{name}: expected shape ({n},) or ({n}, D), got {values.shape}")
    if len(frame) != n:
        raise InputError(f"{name}: expected {n} rows, got {len(frame)}")
    if not frame.columns.is_unique:
        raise InputError(f"{name}: names of columns must differ, got {list(frame.columns)}")
    # Not the encoder's own float32: scores near 0 and 1 must not become equal.
    parts = Encoder().fit(frame).parts_
    return np.column_stack([part.encode(frame[part.column]) for part in parts])
