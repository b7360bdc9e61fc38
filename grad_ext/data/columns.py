"""Encoding of one column as numbers.

Numeric columns are standardised by the training rows' mean and standard deviation; columns with only
0 and 1 among the training rows are unchanged, so that a table and its one-hot form (AIF360's) have
the same encoding; all others are one-hot encoded, with all zeros for a level that is not in the
training rows.

The 'quantile' encoding adds to every standardised column its position in each of some bins: the
piecewise-linear encoding of Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular
Deep Learning", section 3.2. Frequent values (40 hours a week, no capital gain) also get an indicator
column each, since their effect need not lie between those of neighbouring values.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.errors import InputError

# Bins between quantiles of the training values, and between those of their distinct values, without
# which the value of most rows (Adult's capital gain of 0) would be the only edge.
VALUE_BINS, DISTINCT_BINS = 16, 8
# Number of training rows from which a value gets an indicator column, and the most such columns.
COMMON_ROWS, MOST_COMMON = 30, 30
# In standard deviations: edges that differ by less, by rounding, are merged.
LEAST_BIN = 1e-6
# A bin with few rows has a small standard deviation, which would make their encoding huge.
LEAST_SCALE = 0.1


@dataclass(frozen=True)
class Bin:
    """An interval of a column of numbers, encoded by the position of a value in it.

    Attributes
    ----------
    start, stop : float
        Its edges, in the column's standard deviations from its mean.
    mean, scale : float
        By which the share of the bin below a value, from 0 to 1, is standardised.
    """

    start: float
    stop: float
    mean: float
    scale: float

    def share(self, standard: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of the bin below standardised values, shape (N,)."""
        return np.clip((standard - self.start) / (self.stop - self.start), 0.0, 1.0)


@dataclass(frozen=True)
class Numeric:
    """Encoding of a column of numbers.

    Attributes
    ----------
    column : hashable
        Name of the column.
    mean, scale : float
        By which the values are standardised.
    bins : tuple of Bin
        Each becomes a column.
    common : tuple of float
        The values with an indicator column each, ascending.
    """

    column: Hashable
    mean: float
    scale: float
    bins: tuple[Bin, ...] = ()
    common: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return 1 + len(self.bins) + len(self.common)

    @property
    def names(self) -> list[str]:
        """Names of the encoded columns."""
        bins = [f"{self.column} bin {i}" for i in range(len(self.bins))]
        return [str(self.column), *bins, *(f"{self.column}={value!r}" for value in self.common)]

    def encode(self, values: pd.Series) -> NDArray[np.float64]:
        """Return the encoded column, shape (N, width)."""
        numbers = _numbers(values)
        encoded = np.empty((self.width, len(numbers)))
        encoded[0] = (numbers - self.mean) / self.scale
        last = 1 + len(self.bins)
        for row, part in zip(encoded[1:last], self.bins, strict=True):
            row[:] = (part.share(encoded[0]) - part.mean) / part.scale
        encoded[last:] = numbers == np.array(self.common)[:, None]
        return encoded.T


@dataclass(frozen=True)
class Categorical:
    """Encoding of any other column: an indicator column for each of its levels."""

    column: Hashable
    levels: tuple[Hashable, ...]

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return len(self.levels)

    @property
    def names(self) -> list[str]:
        """Names of the encoded columns."""
        return [f"{self.column}={level}" for level in self.levels]

    def encode(self, values: pd.Series) -> NDArray[np.float64]:
        """Return the encoded column, shape (N, number of levels)."""
        if values.isna().any():
            raise InputError(
                f"feature {values.name!r}: expected no missing values, "
                f"got {int(values.isna().sum())} in {len(values)} rows"
            )
        codes = pd.Index(self.levels, dtype=object).get_indexer(
            pd.Index(values.astype(object), dtype=object)
        )
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


def column_encoding(
    values: pd.Series, encoding: str, most: int | None = None
) -> Numeric | Categorical:
    """Return a column's encoding, with at most `most` columns in addition to the standardised one."""
    if not _is_numeric(values):
        levels = pd.unique(values.astype(object).dropna())
        return Categorical(values.name, tuple(sorted(levels, key=lambda v: (str(type(v)), v))))
    numbers = _numbers(values)
    if np.isin(numbers, (0.0, 1.0)).all():
        return Numeric(values.name, 0.0, 1.0)
    # Division by the largest magnitude first avoids overflow in the squares of huge values.
    unit = float(np.abs(numbers).max())
    scaled = numbers / unit
    deviation = float(scaled.std()) * unit
    mean, scale = float(scaled.mean()) * unit, deviation or 1.0
    if encoding == "standard" or (most is not None and most < 2):
        return Numeric(values.name, mean, scale)
    standard = (numbers - mean) / scale
    if most is None:
        return Numeric(
            values.name, mean, scale, _bins(standard, VALUE_BINS, DISTINCT_BINS), _common(numbers)
        )
    common = _common(numbers, most // 2)
    bins = most - len(common)
    return Numeric(values.name, mean, scale, _bins(standard, bins - bins // 3, bins // 3), common)


def _common(numbers: NDArray[np.float64], most: int = MOST_COMMON) -> tuple[float, ...]:
    """Return the most frequent training values, ascending; none for a column of two values."""
    values, rows = np.unique(numbers, return_counts=True)
    if len(values) < 3:
        return ()
    frequent = np.argsort(-rows, kind="stable")[:most]
    return tuple(np.sort(values[frequent[rows[frequent] >= COMMON_ROWS]]).tolist())


def _bins(standard: NDArray[np.float64], of_values: int, of_distinct: int) -> tuple[Bin, ...]:
    """Return the bins of standardised training values; none for fewer than three edges."""
    standard = np.sort(standard)
    distinct = standard[np.diff(standard, prepend=-np.inf) > 0]
    edges = np.sort(
        np.concatenate(
            [
                np.quantile(values, np.linspace(0, 1, 1 + bins))
                for values, bins in ((standard, of_values), (distinct, of_distinct))
            ]
        )
    )
    edges = edges[np.diff(edges, prepend=-np.inf) > LEAST_BIN]
    if len(edges) < 3:
        return ()
    bins = []
    for start, stop in pairwise(edges.tolist()):
        share = Bin(start, stop, 0.0, 1.0).share(standard)
        bins.append(Bin(start, stop, float(share.mean()), max(float(share.std()), LEAST_SCALE)))
    return tuple(bins)
