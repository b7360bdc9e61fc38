"""Extract the sources of an audit: the features, and a model's representation, scores and labels.

Toolkits are recognised by the attributes of their objects, so that none of them is imported: a data set
of AIF360 has `features` and `protected_attributes`, and AIF360's algorithms return such data sets from
`predict` or `transform`. All other models have scikit-learn's methods.
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

from grad_ext.data.alignment import index_of
from grad_ext.data.encoding import Encoder
from grad_ext.data.sensitive import sensitive_frame
from grad_ext.errors import InputError
from grad_ext.report.findings.audit import PLAIN
from grad_ext.seeds import derive

Floats = NDArray[np.float64]

FEATURES = "features"
LABELS = "labels"
# Attributes of a data set of AIF360 that a frame or an array does not have.
AIF360_ATTRIBUTES = (
    "features",
    "feature_names",
    "protected_attributes",
    "protected_attribute_names",
)


@dataclass(frozen=True)
class Subject:
    """Sources and attributes of an audit on N rows.

    Attributes
    ----------
    sources : dict of str to array of shape (N, D)
        Encoded columns to predict from, by name.
    labels : dict of str to array of shape (N,)
        Predicted labels, not encoded, by the name of their source.
    sensitive : pandas.DataFrame
        The protected attributes.
    y : array of shape (N,) or None
        True labels.
    """

    sources: dict[str, Floats]
    labels: dict[str, NDArray[Any]]
    sensitive: pd.DataFrame
    y: NDArray[Any] | None


def subject(
    given: Any, X: Any, sensitive_features: Any, y: ArrayLike | None, seed: int, plain: Any = None
) -> Subject:
    """Return the sources and attributes of an audit; parameters are those of `grad_ext.audit`."""
    is_aif360 = all(hasattr(X, name) for name in AIF360_ATTRIBUTES)
    features = _features(X) if is_aif360 else X
    if sensitive_features is None and not is_aif360:
        raise InputError("sensitive_features: expected the attributes to predict, got None")
    values: dict[str, Any]
    if isinstance(given, Mapping):
        values = dict(given)
    elif isinstance(given, (list, tuple)) or hasattr(given, "__array__"):
        values = _of_values(given)
    elif isinstance(given, type) or not any(hasattr(given, m) for m in ("predict", "transform")):
        raise InputError(
            "expected a fitted model, an array or arrays by name, got "
            f"{getattr(given, '__name__', type(given).__name__)}"
        )
    elif X is None:
        raise InputError(f"X: expected rows for the {type(given).__name__} to predict, got None")
    elif is_aif360:
        values = _of_algorithm(given, X)
    else:
        values = _of_estimator(given, X, sensitive_features, seed)
    if not values:
        raise InputError(
            f"expected a model with predictions or a representation, but {type(given).__name__} has none"
        )
    for name, of in ((FEATURES, "the columns of X"), (PLAIN, "the source that `plain` gives")):
        if name in values:
            raise InputError(f"{name!r} is the name of {of}; expected another one")
    if plain is not None:
        values = {PLAIN: _plain(plain, X, is_aif360, seed), **values}
    n = _length(next(iter(values.values()))) if X is None else _length(features)
    if sensitive_features is None:
        names = [str(name) for name in X.protected_attribute_names]
        sensitive = pd.DataFrame(X.protected_attributes, columns=names)
    else:
        sensitive = sensitive_frame(sensitive_features, n, index_of(X, y))
    if X is not None:
        values = {FEATURES: features, **values}
    if y is None and is_aif360:
        y = X.labels
    return Subject(
        sources={name: _encoded(name, value, n) for name, value in values.items()},
        labels={name: _column(v) for name, v in values.items() if name.startswith(LABELS)},
        sensitive=sensitive,
        y=None if y is None else _true(y, n),
    )


def _plain(plain: Any, X: Any, is_aif360: bool, seed: int) -> Any:
    """Return the representation of a plain network, or an array that is one."""
    if hasattr(plain, "__array__") or isinstance(plain, (list, pd.DataFrame)):
        return plain
    if X is None or not (_has_trunk(plain) or hasattr(plain, "transform")):
        raise InputError(
            "plain: expected a fitted network and the rows X, or its representation, got "
            f"{type(plain).__name__}{' without X' if X is None else ''}"
        )
    found = _of_algorithm(plain, X) if is_aif360 else _of_estimator(plain, X, None, seed)
    return found["representation"]


def _features(data_set: Any) -> pd.DataFrame:
    """Return the features of a data set of AIF360, without the protected attributes."""
    frame = pd.DataFrame(data_set.features, columns=data_set.feature_names)
    return frame[[n for n in frame.columns if n not in set(data_set.protected_attribute_names)]]


def _of_values(given: Any) -> dict[str, Any]:
    """Return an array as a representation, as scores (and the labels derived from them) or labels."""
    values = _values(given)
    if isinstance(values, pd.DataFrame) or values.ndim != 1:
        return {"representation": values}
    if not pd.api.types.is_numeric_dtype(values) or np.isin(values, (0, 1)).all():
        return {LABELS: values}
    if ((values >= 0) & (values <= 1)).all():
        return {"scores": values, LABELS: values >= 0.5}
    return {"scores": values}


def _of_algorithm(model: Any, X: Any) -> dict[str, Any]:
    """Return the sources of an algorithm of AIF360, given a data set."""
    sources: dict[str, Any] = {}
    predicted = _tried(model, "predict", X)
    if _has_trunk(model):
        sources["representation"] = model.model_.representation(model._inputs(X))
    else:
        transformed = _tried(model, "transform", X)
        if transformed is not None and not np.array_equal(transformed.features, X.features):
            sources["representation"] = _features(transformed)
    if predicted is not None:
        scores = np.ravel(predicted.scores)
        # Algorithms without scores return 0 and 1, or the scores of their input.
        if not np.isin(scores, (0, 1)).all() and not np.array_equal(scores, np.ravel(X.scores)):
            sources["scores"] = scores
        sources[LABELS] = np.ravel(predicted.labels)
    return sources


def _tried(model: Any, method: str, X: Any) -> Any:
    """Return the result of a method, or None if an algorithm of AIF360 does not implement it."""
    try:
        return getattr(model, method)(X) if hasattr(model, method) else None
    except NotImplementedError:
        return None


def _has_trunk(model: Any) -> bool:
    return hasattr(getattr(model, "model_", None), "representation")


def _of_estimator(model: Any, X: Any, sensitive_features: Any, seed: int) -> dict[str, Any]:
    """Return the sources of an estimator with the interface of scikit-learn or Fairlearn."""
    sources: dict[str, Any] = {}
    if _has_trunk(model):
        sources["representation"] = model.model_.representation(model._frame(X, reset=False))
    elif hasattr(model, "transform"):
        sources["representation"] = model.transform(X)
    if hasattr(model, "predict_proba"):
        probability = np.asarray(model.predict_proba(X))
        sources["scores"] = probability[:, 1] if probability.shape[1] == 2 else probability
    elif hasattr(model, "decision_function"):
        sources["scores"] = model.decision_function(X)
    if hasattr(model, "predict"):
        # `predict` of Fairlearn's randomised and postprocessing models has further parameters.
        options = {
            "sensitive_features": sensitive_features,
            "random_state": derive(seed, "predict") % 2**32,
        }
        parameters = signature(model.predict).parameters
        used = {name: value for name, value in options.items() if name in parameters}
        predicted = model.predict(X, **used)
        sources["scores" if _is_number(model, predicted) else LABELS] = predicted
    return sources


def _is_number(model: Any, predicted: Any) -> bool:
    """Return whether predictions are those of a regressor, and not labels."""
    values = _column(predicted)
    fractional = values.dtype.kind == "f" and bool((values != np.round(values)).any())
    return fractional or (hasattr(model, "__sklearn_tags__") and is_regressor(model))


def _values(given: Any) -> Any:
    """Return a frame or an array; a single column becomes one-dimensional."""
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
    """Return a source as columns of numbers on scales of about 1, shape (N, D)."""
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
    gaps = int(frame.isna().to_numpy().any(axis=1).sum())
    if gaps and name != FEATURES:
        raise InputError(f"{name}: expected no missing values, got some in {gaps:,} of {n:,} rows")
    # In float64, and not in the encoder's float32, in which scores near 0 or 1 can become equal.
    return Encoder().fit(frame, constants=True).transform(frame, dtype=np.float64)
