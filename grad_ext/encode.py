"""From columns to numbers: the last file that sees pandas on the way to the network.

Numeric columns are standardised with the training rows' mean and standard deviation; columns that
hold only 0 and 1 among the training rows stay as they are, so that a table and its one-hot form
(AIF360's) are encoded alike; all others are one-hot encoded, a level that was not seen in training
becoming all zeros.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.table import Table
from grad_ext.errors import InputError

# Beyond this a standardised feature would overflow the float32 arithmetic of the network.
LARGEST = 1e30


@dataclass(frozen=True)
class Arrays:
    """What the network is trained on and judged by.

    Attributes
    ----------
    X : float32 array of shape (N, D)
        Encoded features.
    y : bool array of shape (N,)
        Whether the label is the favorable one.
    a : bool array of shape (N, K)
        Who is privileged, by protected attribute.
    w : float64 array of shape (N,)
        Instance weights.
    """

    X: NDArray[np.float32]
    y: NDArray[np.bool_]
    a: NDArray[np.bool_]
    w: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class _Numeric:
    column: Hashable
    mean: float
    scale: float

    def encode(self, values: pd.Series) -> NDArray[np.float64]:
        return ((_numbers(values) - self.mean) / self.scale)[:, None]


@dataclass(frozen=True)
class _Categorical:
    column: Hashable
    levels: tuple[Hashable, ...]

    def encode(self, values: pd.Series) -> NDArray[np.float64]:
        if values.isna().any():
            raise InputError(
                f"feature {values.name!r}: expected no missing values, "
                f"got {int(values.isna().sum())} in {len(values)} rows"
            )
        codes = pd.Index(self.levels).get_indexer(pd.Index(values.astype(object)))
        return np.equal.outer(codes, np.arange(len(self.levels))).astype(np.float64)


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    if not _is_numeric(values):
        raise InputError(f"feature {values.name!r}: expected numbers, got {values.dtype}")
    numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise InputError(
            f"feature {values.name!r}: expected finite numbers, "
            f"got {numbers[bad][0]} in {int(bad.sum())} of {len(numbers)} rows"
        )
    return numbers


class Encoder:
    """Turns the features of tables like the one it was fitted on into an array.

    Parameters
    ----------
    use_protected : bool, default False
        Keep the columns that hold a protected attribute.

    Examples
    --------
    >>> from grad_ext import load_dataset
    >>> from grad_ext.encode import Encoder
    >>> german = load_dataset("german", protected=["age"])
    >>> Encoder().fit(german).transform(german).X.shape
    (1000, 60)
    """

    def __init__(self, use_protected: bool = False) -> None:
        self.use_protected = use_protected

    def fit(self, table: Table) -> Encoder:
        """Learn means, scales and levels from training rows.

        Raises
        ------
        InputError
            If a feature has missing or infinite values, or there is no feature at all.
        """
        frame = table.inputs(self.use_protected)
        if not len(frame.columns):
            raise InputError(f"{table.name}: no feature is left once the protected ones are out")
        self.parts_: list[_Numeric | _Categorical] = [_part(frame[c]) for c in frame.columns]
        return self

    def features(self, table: Table) -> NDArray[np.float32]:
        """Return the encoded features, shape (N, D).

        Raises
        ------
        InputError
            If the table lacks a feature, or one has missing, infinite or unusably large values.
        """
        frame = table.inputs(self.use_protected)
        expected = [part.column for part in self.parts_]
        missing = [c for c in expected if c not in frame.columns]
        if missing:
            raise InputError(
                f"feature {missing[0]!r} is missing: fitted on {len(expected)} features, "
                f"got {len(frame.columns)}"
            )
        blocks = [part.encode(frame[part.column]) for part in self.parts_]
        X = np.concatenate(blocks, axis=1) if blocks else np.zeros((len(frame), 0))
        largest = float(np.abs(X).max(initial=0.0))
        if largest > LARGEST:
            raise InputError(
                f"features must lie within {LARGEST:g} training standard deviations of the "
                f"training mean, got {largest:g}"
            )
        return X.astype(np.float32)

    def transform(self, table: Table) -> Arrays:
        """Return a table as arrays: features, labels, protected groups and weights."""
        return Arrays(X=self.features(table), y=table.y(), a=table.a(), w=checked_weights(table))


def _part(values: pd.Series) -> _Numeric | _Categorical:
    if not _is_numeric(values):
        levels = pd.unique(values.astype(object).dropna())
        return _Categorical(values.name, tuple(sorted(levels, key=lambda v: (str(type(v)), v))))
    numbers = _numbers(values)
    if np.isin(numbers, (0.0, 1.0)).all():
        return _Numeric(values.name, 0.0, 1.0)
    # Scaling by the largest magnitude first keeps the squares of huge values finite.
    unit = float(np.abs(numbers).max())
    scaled = numbers / unit
    deviation = float(scaled.std()) * unit
    return _Numeric(values.name, float(scaled.mean()) * unit, deviation or 1.0)


def checked_weights(table: Table) -> NDArray[np.float64]:
    """Return the instance weights.

    Raises
    ------
    InputError
        If a weight is negative or not finite, or all are zero.
    """
    w = table.w()
    if not np.isfinite(w).all() or (w < 0).any():
        bad = w[~np.isfinite(w) | (w < 0)][0]
        raise InputError(f"{table.name}: instance weights must be finite and >= 0, got {bad}")
    if len(w) and not w.any():
        raise InputError(f"{table.name}: instance weights are all zero")
    return w
