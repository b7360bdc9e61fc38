"""Arguments of metrics as arrays of float64: predictions, labels, weights and sensitive features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from grad_ext.errors import InputError

Floats = NDArray[np.float64]

# What ŷ is: the predicted label, or the score in [0, 1].
PREDICTIONS = ("label", "score")


def as_rows(name: str, values: ArrayLike, n: int | None = None) -> Floats:
    """Return values of shape (..., N) as floats.

    Raises
    ------
    InputError
        If there is no row, or another number of rows than `n`.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise InputError(f"{name}: expected at least one row, got shape {array.shape}")
    if n is not None and array.shape[-1] != n:
        raise InputError(f"{name}: expected {n} rows, got {array.shape[-1]}")
    return array


def as_binary(name: str, values: ArrayLike, n: int | None = None) -> Floats:
    """Return values of shape (..., N) as floats; raises as `as_rows`, or if one is not 0 or 1."""
    array = as_rows(name, values, n)
    if not np.isin(array, (0.0, 1.0)).all():
        raise InputError(f"{name}: expected only 0 and 1, got {array[~np.isin(array, (0, 1))][0]}")
    return array


def as_weights(sample_weight: ArrayLike | None, n: int) -> Floats:
    """Return the weights of N rows, 1 each if none are given; raises as `as_rows`."""
    return np.ones(n) if sample_weight is None else as_rows("sample_weight", sample_weight, n)


def as_columns(sensitive_features: Any, n: int) -> Floats:
    """Return sensitive features as numbers, shape (K, N).

    Group names are numbered in order of appearance; a missing value is nan.

    Raises
    ------
    InputError
        If the shape is neither (N,) nor (N, K).
    """
    if isinstance(sensitive_features, pd.DataFrame):
        columns = [column.to_numpy() for _, column in sensitive_features.items()]
        shape: tuple[int, ...] = sensitive_features.shape
    else:
        groups = sensitive_features
        if not hasattr(groups, "dtype"):
            # As objects, so that None and nan beside names stay missing and become no names.
            groups = np.asarray(groups, dtype=object)
        groups = np.asarray(groups)
        shape = groups.shape
        columns = [groups] if groups.ndim == 1 else list(groups.T)
    if len(shape) not in (1, 2) or shape[0] != n or not columns:
        raise InputError(
            f"sensitive_features: expected shape ({n},) or ({n}, K), got {tuple(shape)}"
        )
    return np.stack([_as_numbers(column) for column in columns])


def _as_numbers(column: NDArray[Any]) -> Floats:
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        codes = pd.factorize(column, sort=False)[0].astype(np.float64)
        codes[codes < 0] = np.nan
        return codes
