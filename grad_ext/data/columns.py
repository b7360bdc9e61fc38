"""Encoding of one column as numbers.

Numeric columns are standardised by the training rows' mean and standard deviation; columns with only
0 and 1 among the training rows are unchanged, so that a table and its one-hot form (AIF360's) have
the same encoding; all others are one-hot encoded, with all zeros for a level that is not in the
training rows. A column that is the same in all training rows, or differs in nearly all of them, is
not encoded.

Missing values are used: of a numeric column they become the training rows' median and an indicator
column, of any other a level of their own. If no training row lacks the value, they become the mean
and no level.

The 'quantile' encoding adds to every standardised column its position in each of some bins: the
piecewise-linear encoding of Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular
Deep Learning", section 3.2. Frequent values (40 hours a week, no capital gain) also get an indicator
column each, since their effect need not lie between those of neighbouring values.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.scalars import MISSING_WORDS, Column, Kind, shown, spelling
from grad_ext.data.values import category_texts, read_numbers, unused_reason
from grad_ext.errors import InputError

# A column of text with more values than this is probably a name or an identifier.
MOST_LEVELS = 1000
# Numbers of a missing value, and of one that no training row has, among the positions of levels.
MISSING, UNSEEN = -2, -1
# Beyond this a standardised feature would overflow the float32 arithmetic of the network.
LARGEST = 1e30
# Rows that are encoded at once: their arrays stay in the cache.
WRITE_ROWS = 1024

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
    missing : float, optional
        The median, which stands for missing values, if training rows lack the value: the last
        encoded column then indicates those.
    """

    column: Hashable
    mean: float
    scale: float
    bins: tuple[Bin, ...] = ()
    common: tuple[float, ...] = ()
    missing: float | None = None

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return 1 + len(self.bins) + len(self.common) + (self.missing is not None)

    @property
    def names(self) -> list[str]:
        """Names of the encoded columns."""
        bins = [f"{self.column} bin {i}" for i in range(len(self.bins))]
        common = [f"{self.column}={value!r}" for value in self.common]
        indicator = [] if self.missing is None else [f"{self.column} is missing"]
        return [str(self.column), *bins, *common, *indicator]

    def read(self, values: pd.Series) -> NDArray[np.float64]:
        """Return a column as numbers, nan where missing, shape (N,).

        Raises
        ------
        InputError
            If it does not hold numbers, or an infinite one.
        """
        return _finite(values)

    def write(self, read: NDArray[Any], encoded: NDArray[Any]) -> None:
        """Encode what `read` returned in an array of shape (N, width).

        Raises
        ------
        InputError
            If a number is too far from the training rows' for the network's arithmetic.
        """
        # By blocks of rows: columns that lie side by side are written while they are in the cache.
        for start in range(0, len(read), WRITE_ROWS):
            rows = slice(start, start + WRITE_ROWS)
            self._write_block(read[rows], encoded[rows])

    def _write_block(self, read: NDArray[Any], encoded: NDArray[Any]) -> None:
        gaps = np.isnan(read)
        filled = np.where(gaps, self.mean if self.missing is None else self.missing, read)
        standard = (filled - self.mean) / self.scale
        largest = float(np.abs(standard).max(initial=0.0))
        if largest > LARGEST:
            raise InputError(
                f"feature {self.column!r} must lie within {LARGEST:g} training standard "
                f"deviations of the training mean, got {largest:g}"
            )
        encoded[:, 0] = standard
        last = 1 + len(self.bins)
        if self.bins:
            start, stop, mean, scale = self._bin_columns
            share = standard[:, None] - start
            share /= stop - start
            np.clip(share, 0.0, 1.0, out=share)
            share -= mean
            share /= scale
            encoded[:, 1:last] = share
        if self.common:
            encoded[:, last : last + len(self.common)] = read[:, None] == self._common_values
        if self.missing is not None:
            encoded[:, -1] = gaps

    @cached_property
    def _bin_columns(self) -> NDArray[np.float64]:
        """The bins' edges, means and scales, shape (4, bins)."""
        return np.array([(b.start, b.stop, b.mean, b.scale) for b in self.bins]).T.copy()

    @cached_property
    def _common_values(self) -> NDArray[np.float64]:
        return np.array(self.common)

    def surprise(self, read: NDArray[Any]) -> str | None:
        """Return what the values have that no training row had, in words; None if nothing."""
        missing = int(np.isnan(read).sum())
        if not missing or self.missing is not None:
            return None
        return f"{self.column!r}: missing in {missing:,} of {len(read):,} rows"


@dataclass(frozen=True)
class Categorical:
    """Encoding of any other column: an indicator column for each of its levels.

    Attributes
    ----------
    column : hashable
        Name of the column.
    levels : tuple of str
        Its different values, as texts, ascending.
    missing : bool
        Whether training rows lack the value: missing values then are a level of their own, the last.
    """

    column: Hashable
    levels: tuple[str, ...]
    missing: bool = False

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return len(self.levels) + self.missing

    @property
    def names(self) -> list[str]:
        """Names of the encoded columns."""
        indicator = [f"{self.column} is missing"] if self.missing else []
        return [*(f"{self.column}={level}" for level in self.levels), *indicator]

    def read(self, values: pd.Series) -> NDArray[np.intp]:
        """Return each value's position among the levels, MISSING or UNSEEN, shape (N,).

        A value that is no level is taken as the level of another spelling, if there is one, or as
        missing, if it stands for that.
        """
        codes, texts = category_texts(values)
        exact = {level: k for k, level in enumerate(self.levels)}
        spelled = {spelling(level): k for k, level in reversed(list(enumerate(self.levels)))}
        places = [
            exact[text]
            if text in exact
            else MISSING
            if text.strip() in MISSING_WORDS
            else spelled.get(spelling(text), UNSEEN)
            for text in texts
        ]
        return np.array([*places, MISSING], dtype=np.intp)[codes]

    def write(self, read: NDArray[Any], encoded: NDArray[Any]) -> None:
        """Encode what `read` returned in an array of shape (N, width)."""
        encoded[:] = 0.0
        if self.missing:
            read = np.where(read == MISSING, len(self.levels), read)
        rows = np.flatnonzero(read >= 0)
        encoded[rows, read[rows]] = 1.0

    def surprise(self, read: NDArray[Any]) -> str | None:
        """Return what the values have that no training row had, in words; None if nothing."""
        unseen, missing = int((read == UNSEEN).sum()), int((read == MISSING).sum())
        every = ", which is every row" if unseen == len(read) > 1 else ""
        what = [
            f"a level that is not among {shown(self.levels)} in {unseen:,} of {len(read):,} rows"
        ]
        what = [what[0] + every] if unseen else []
        if missing and not self.missing:
            what.append(f"missing in {missing:,} of {len(read):,} rows")
        return f"{self.column!r}: {', and '.join(what)}" if what else None


@dataclass(frozen=True)
class Unused:
    """A column that is not encoded, since it tells nothing about other rows.

    Attributes
    ----------
    column : hashable
        Name of the column.
    reason : str
        Why, such as 'has the same value in every row'.
    """

    column: Hashable
    reason: str
    width: ClassVar[int] = 0

    @property
    def names(self) -> list[str]:
        """Names of the encoded columns: there are none."""
        return []


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)


def _finite(values: pd.Series) -> NDArray[np.float64]:
    """Return a column as numbers, nan where missing, shape (N,)."""
    if _is_numeric(values):
        numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        try:
            numbers = read_numbers(values)
        except InputError as error:
            raise InputError(f"feature {str(error).removeprefix('column ')}") from None
    infinite = np.isinf(numbers)
    if infinite.any():
        raise InputError(
            f"feature {values.name!r}: expected finite numbers, "
            f"got {numbers[infinite][0]} in {int(infinite.sum())} of {len(numbers)} rows"
        )
    return numbers


def column_encoding(
    values: pd.Series, encoding: str, most: int | None = None, constants: bool = False
) -> Numeric | Categorical | Unused:
    """Return a column's encoding.

    Parameters
    ----------
    values : pandas.Series
        The training rows' values.
    encoding : {'standard', 'quantile'}
        Encoding of numbers.
    most : int, optional
        Largest number of columns in addition to the standardised one.
    constants : bool, default False
        Whether a column is encoded that is the same in all rows.

    Raises
    ------
    InputError
        If a number is infinite, or the levels are too many to be encoded.
    """
    if not _is_numeric(values):
        return _categorical(values, constants)
    numbers = _finite(values)
    gaps = np.isnan(numbers)
    if gaps.any():
        numbers = numbers[~gaps]
    missing = float(np.median(numbers)) if gaps.any() and len(numbers) else None
    reason = None if constants and len(numbers) else _unused(values, "number")
    if reason is not None:
        return Unused(values.name, reason)
    if np.isin(numbers, (0.0, 1.0)).all():
        return Numeric(values.name, 0.0, 1.0, missing=missing)
    # Division by the largest magnitude first avoids overflow in the squares of huge values.
    unit = float(np.abs(numbers).max())
    scaled = numbers / unit
    deviation = float(scaled.std()) * unit
    mean, scale = float(scaled.mean()) * unit, deviation or 1.0
    if encoding == "standard" or (most is not None and most < 2):
        return Numeric(values.name, mean, scale, missing=missing)
    standard = (numbers - mean) / scale
    if most is None:
        common, bins = _common(numbers), _bins(standard, VALUE_BINS, DISTINCT_BINS)
    else:
        common = _common(numbers, most // 2)
        left = most - len(common)
        bins = _bins(standard, left - left // 3, left // 3)
    return Numeric(values.name, mean, scale, bins, common, missing)


def _categorical(values: pd.Series, constants: bool) -> Categorical | Unused:
    codes, texts = category_texts(values)
    missing = bool((codes < 0).any())
    if not constants:
        column = Column(pd.Series(np.array([*texts, None], dtype=object)[codes]), "category")
        reason = unused_reason(column)
        if reason is not None:
            return Unused(values.name, reason)
    levels = tuple(sorted(set(texts)))
    if len(levels) > MOST_LEVELS:
        raise InputError(
            f"feature {values.name!r} is text with {len(levels):,} different values; leave it out, "
            f"or group it into at most {MOST_LEVELS:,}"
        )
    return Categorical(values.name, levels, missing)


def _unused(values: pd.Series, kind: Kind) -> str | None:
    """Return why numbers are not encoded, None if they are."""
    # Only a name tells that whole numbers are an identifier: an array may count its rows by chance.
    if not isinstance(values.name, str) and values.nunique() > 1:
        return None
    return unused_reason(Column(values, kind))


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
