"""Arguments of metrics as arrays of float64: labels, predictions, weights and sensitive features.

Labels may be 0 and 1, booleans, -1 and 1, or any two values of which `pos_label` is the favorable
one. Arguments with a pandas index are matched by it, see `grad_ext.data.alignment`.
"""

from __future__ import annotations

import numbers
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from grad_ext import checks
from grad_ext.data.alignment import aligned, index_of
from grad_ext.data.sensitive import sensitive_frame
from grad_ext.errors import InputError, unknown

Floats = NDArray[np.float64]

# What ŷ is: the predicted label, or the score in [0, 1].
PREDICTIONS = ("label", "score")
# Pairs of numbers of which 1 is the favorable label, as in scikit-learn.
USUAL = ((0.0, 1.0), (-1.0, 1.0))
# Values that an error lists.
LISTED = 5


def as_rows(name: str, values: ArrayLike, n: int | None = None) -> Floats:
    """Return values of shape (..., N) as floats.

    Raises
    ------
    InputError
        If there is no row, another number of rows than `n`, or a value is not a number.
    """
    array = _values(name, values)
    if array.dtype == object:
        raise InputError(f"{name}: expected numbers, got {_listed(_unique(array))}")
    return _checked_rows(name, array, n)


def as_binary(name: str, values: ArrayLike, n: int | None = None) -> Floats:
    """Return values of shape (..., N) as floats; raises as `as_rows`, or if one is not 0 or 1."""
    array = as_rows(name, values, n)
    if not np.isin(array, (0.0, 1.0)).all():
        raise InputError(f"{name}: expected only 0 and 1, got {array[~np.isin(array, (0, 1))][0]}")
    return array


def as_weights(sample_weight: ArrayLike | None, n: int, index: pd.Index | None = None) -> Floats:
    """Return the weights of N rows, 1 each if none are given, in the order of an index.

    Raises as `as_rows` and `grad_ext.data.alignment.aligned`.
    """
    if sample_weight is None:
        return np.ones(n)
    return as_rows("sample_weight", aligned("sample_weight", sample_weight, index, "y"), n)


# --- labels and predictions ------------------------------------------------------------------


def as_predictions(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    pos_label: Any = None,
    *,
    name: str = "y_pred",
    needed: bool = True,
) -> tuple[Floats | None, Floats]:
    """Return labels and predictions as numbers, 1 for the favorable label.

    Parameters
    ----------
    y_true : array of shape (N,) or None
        Labels: two values, or one.
    y_pred : array of shape (..., N)
        The same labels, or scores in [0, 1] of the favorable one.
    pos_label : object, optional
        The favorable label; 1 if not given and the labels are 0 and 1, booleans, or -1 and 1.
    name : str, default 'y_pred'
        Name of the predictions in errors.
    needed : bool, default True
        Whether the metric depends on `y_true`. Otherwise it only helps to tell labels from scores,
        and predictions may be numbers of any size.

    Returns
    -------
    true : float array of shape (N,) or None
        None if not given or not needed.
    predicted : float array of shape (..., N)

    Raises
    ------
    InputError
        If there is no row, the lengths differ, labels are missing or of more than two values, it is
        not known which is favorable, or `pos_label` is none of them; the message has the values.
    """
    predicted = _checked_rows(
        name, _values(name, aligned(name, y_pred, index_of(y_true), "y_true"))
    )
    true = None
    if y_true is not None:
        true = _values("y_true", y_true)
        if needed or true.shape[-1:] == predicted.shape[-1:]:
            true = _checked_rows("y_true", true, predicted.shape[-1])
        else:
            true = None
    if pos_label is not None and not np.isscalar(pos_label):
        raise InputError(f"pos_label: expected one label, got {pos_label!r}")
    if predicted.dtype == object or (true is not None and true.dtype == object):
        true, predicted = _named(name, true, predicted, pos_label)
    else:
        true, predicted = _numbered(name, true, predicted, pos_label, needed)
    return (true if needed else None), predicted


def _values(name: str, values: Any) -> NDArray[Any]:
    """Return values as an array of floats, or of objects if some are no numbers.

    Raises
    ------
    InputError
        If a value beside others that are no numbers is missing.
    """
    if hasattr(values, "to_pandas"):
        values = values.to_pandas()
    if isinstance(values, pd.DataFrame) and len(values.columns) == 1:
        values = values.iloc[:, 0]
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    array = array.astype(object)
    missing = np.asarray(pd.isna(array))
    kinds = {type(value) for value in array[~missing].ravel()}
    if all(issubclass(kind, (numbers.Real, np.bool_, Decimal)) for kind in kinds):
        return np.where(missing, np.nan, array).astype(np.float64)
    if missing.any():
        raise InputError(
            f"{name}: expected a label in every row, got none in {int(missing.sum())} of "
            f"{array.size}"
        )
    return array


def _checked_rows(name: str, array: NDArray[Any], n: int | None = None) -> NDArray[Any]:
    if array.ndim == 0 or array.shape[-1] == 0:
        raise InputError(f"{name}: expected at least one row, got shape {array.shape}")
    if n is not None and array.shape[-1] != n:
        raise InputError(f"{name}: expected {n} rows, got {array.shape[-1]}")
    return array


def _named(
    name: str, true: NDArray[Any] | None, predicted: NDArray[Any], pos_label: Any
) -> tuple[Floats | None, Floats]:
    """Return labels that are no numbers, and the same labels or scores, as numbers."""
    scores = predicted.dtype != object
    if scores:
        _check_scores(name, predicted)
    labels = (set() if true is None else _unique(true)) | (set() if scores else _unique(predicted))
    _check_favorable(labels, pos_label)
    favorable = None if true is None else (true == pos_label).astype(np.float64)
    return favorable, predicted if scores else (predicted == pos_label).astype(np.float64)


def _numbered(
    name: str, true: Floats | None, predicted: Floats, pos_label: Any, needed: bool
) -> tuple[Floats | None, Floats]:
    """Return labels that are numbers, and the same labels or scores, as numbers."""
    if true is not None and not needed and not _whole(true):
        # Numbers to predict: no labels that could tell what the predictions are.
        true = None
    if pos_label is None or pos_label == 1:
        zero_one, signs = (true is None or np.isin(true, pair).all() for pair in USUAL)
        one = None if true is None else (true == 1.0).astype(np.float64)
        if (zero_one or signs) and _inside(predicted).all():
            return one, predicted
        if signs and np.isin(predicted, USUAL[1]).all():
            return one, (predicted == 1.0).astype(np.float64)
    if true is not None and np.isnan(true).any():
        raise InputError(
            f"y_true: expected a label in every row, got none in {int(np.isnan(true).sum())} of "
            f"{true.size}"
        )
    labels = set() if true is None else _unique(true)
    if _whole(predicted):
        _check_favorable(labels | _unique(predicted), pos_label)
        one = None if true is None else (true == pos_label).astype(np.float64)
        return one, (predicted == pos_label).astype(np.float64)
    if pos_label is None and not needed:
        return None, predicted
    _check_scores(name, predicted)
    _check_favorable(labels, pos_label)
    return None if true is None else (true == pos_label).astype(np.float64), predicted


def _inside(values: Floats) -> NDArray[np.bool_]:
    """Return which values can be scores; nan, a diverged model's, can."""
    return ~((values < 0.0) | (values > 1.0))


def _whole(values: Floats) -> bool:
    return bool((values == np.round(values)).all())


def _unique(values: NDArray[Any]) -> set[Any]:
    if values.dtype == object:
        return set(values.ravel().tolist())
    return {int(one) if one.is_integer() else one for one in np.unique(values).tolist()}


def _check_scores(name: str, values: Floats) -> None:
    outside = values[~_inside(values)]
    if outside.size:
        raise InputError(f"{name}: expected labels, or scores in [0, 1], got {outside[0]}")


def _check_favorable(labels: Collection[Any], pos_label: Any) -> None:
    """Check that there are at most two labels, and that the favorable one is among them.

    One label alone may be the other one: the rows of a group, or a constant prediction.
    """
    texts = {isinstance(label, str) for label in labels}
    if len(labels) > 2 or len(texts) > 1:
        raise InputError(
            f"y_true and y_pred: expected two labels, got {len(labels)} values: {_listed(labels)}"
        )
    if pos_label is None:
        raise InputError(
            f"pos_label: expected the favorable one of the labels {_listed(labels)}, got none"
        )
    alike = texts <= {isinstance(pos_label, str)}
    if pos_label not in labels and (len(labels) == 2 or not alike):
        raise InputError(
            f"pos_label: expected one of the labels {_listed(labels)}, got {pos_label!r}"
        )


def _listed(values: Collection[Any]) -> str:
    ordered = sorted(values, key=lambda value: (str(type(value)), value))
    shown = ", ".join(repr(value) for value in ordered[:LISTED])
    return f"[{shown}{', ...' if len(ordered) > LISTED else ''}]"


# --- sensitive features ----------------------------------------------------------------------


def as_columns(sensitive_features: Any, n: int, index: pd.Index | None = None) -> Floats:
    """Return sensitive features as numbers, shape (K, N); see `named_columns`."""
    return np.stack([*named_columns(sensitive_features, n, index).values()])


def named_columns(
    sensitive_features: Any, n: int, index: pd.Index | None = None
) -> dict[str, Floats]:
    """Return sensitive features as numbers, by name.

    Group names are numbered in order of appearance; a missing value is nan.

    Parameters
    ----------
    sensitive_features : array, Series, frame, list or mapping
        The groups of N rows, or numbers.
    n : int
        Number of rows.
    index : pandas.Index, optional
        The index of the labels, by which a Series or frame is aligned.

    Raises
    ------
    InputError
        If the shape is neither (N,) nor (N, K), names are repeated, or the index is another.
    """
    frame = sensitive_frame(sensitive_features, n, index, "y")
    return {str(name): _as_numbers(column.to_numpy()) for name, column in frame.items()}


def continuous_columns(continuous: Sequence[str | int], names: Sequence[str]) -> frozenset[str]:
    """Return the names of the columns that are continuous, given by name or number.

    Raises
    ------
    InputError
        If there is no such column.
    """
    for one in continuous:
        if isinstance(one, str):
            if one not in names:
                raise unknown("sensitive feature", one, list(names))
        elif not checks.is_whole(one, 0) or one >= len(names):
            raise InputError(
                f"continuous: expected names or columns 0 to {len(names) - 1}, got {one!r}"
            )
    return frozenset(one if isinstance(one, str) else names[one] for one in continuous)


def row_count(values: Any) -> int:
    """Return the number of rows of an array, Series, frame, list or mapping of columns."""
    return len(next(iter(values.values()), ())) if isinstance(values, Mapping) else len(values)


def _as_numbers(column: NDArray[Any]) -> Floats:
    if column.dtype == object:
        column = column.copy()
        column[np.asarray(pd.isna(column))] = None
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        codes = pd.factorize(column, sort=False)[0].astype(np.float64)
        codes[codes < 0] = np.nan
        return codes
