"""From columns to numbers: the last file that sees pandas on the way to the network.

Numeric columns are standardised with the training rows' mean and standard deviation; columns that
hold only 0 and 1 among the training rows stay as they are, so that a table and its one-hot form
(AIF360's) are encoded alike; all others are one-hot encoded, a level that was not seen in training
becoming all zeros.

The 'quantile' encoding puts beside every standardised column how far its value lies in each of some
bins: the piecewise-linear encoding of Gorishniy et al. (2022), "On Embeddings for Numerical Features
in Tabular Deep Learning", section 3.2. Values that many training rows share (40 hours a week, no
capital gain) get a column of 0 and 1 each besides, since what they stand for need not lie between
what their neighbours do.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown
from grad_ext.outputs import Binary, Task
from grad_ext.training.settings import ENCODINGS

# Bins between quantiles of the training values, and between those of their distinct values, without
# which a value that most rows share (Adult's capital gain of 0) would leave no edge among the others.
VALUE_BINS, DISTINCT_BINS = 16, 8
# Training rows that share a value which gets a column of its own, and how many get one at most.
COMMON_ROWS, MOST_COMMON = 30, 30
# What all columns of numbers become together, in columns; where there are so many of them that they
# would become more, each gets a share, since the memory would grow many times.
MOST_COLUMNS = 256
# In standard deviations: edges that differ by rounding alone are one.
LEAST_BIN = 1e-6
# A bin that few rows lie in has a small standard deviation, which would make those rows huge.
LEAST_SCALE = 0.1
# Beyond this a standardised feature would overflow the float32 arithmetic of the network.
LARGEST = 1e30


@dataclass(frozen=True)
class Arrays:
    """What the network is trained on and judged by.

    Attributes
    ----------
    X : float32 array of shape (N, D)
        Encoded features.
    y : float64 array of shape (N,)
        1 for the favorable label and 0 for the other; the number of the class; or a number.
    a : float64 array of shape (N, K)
        Number of the group (1 for the privileged of two), or the attribute's number; nan where it
        is missing.
    w : float64 array of shape (N,)
        Instance weights.
    task : Task
        What `y` and the columns of `a` are.
    visible : int array, optional
        Columns of `X` that hold no protected attribute, which the Auto variant reconstructs; all of
        them if not given.
    target_w : float64 array of shape (N,), optional
        Weights in the target's loss, `w` if not given (class weights make them differ).
    """

    X: NDArray[np.float32]
    y: NDArray[np.float64]
    a: NDArray[np.float64]
    w: NDArray[np.float64]
    task: Task
    visible: NDArray[np.intp] | None = None
    target_w: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def only(self, attributes: Sequence[str]) -> Arrays:
        """Return the same rows with the named protected attributes alone, in that order.

        Raises
        ------
        InputError
            If there is no such attribute.
        """
        names = [branch.name for branch in self.task.attributes]
        if list(attributes) == names:
            return self
        for name in attributes:
            if name not in names:
                raise unknown("protected attribute", name, names)
        chosen = [names.index(name) for name in attributes]
        branches = tuple(self.task.attributes[k] for k in chosen)
        return replace(self, a=self.a[:, chosen], task=replace(self.task, attributes=branches))


@dataclass(frozen=True)
class Bin:
    """A stretch of a column of numbers, encoded by how far a value lies in it.

    Attributes
    ----------
    start, stop : float
        Its edges, in the column's standard deviations from its mean.
    mean, scale : float
        What the share of the bin that lies below a value, from 0 to 1, is standardised by.
    """

    start: float
    stop: float
    mean: float
    scale: float

    def share(self, standard: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return which share of the bin lies below standardised values, shape (N,)."""
        return np.clip((standard - self.start) / (self.stop - self.start), 0.0, 1.0)


@dataclass(frozen=True)
class Numeric:
    """How a column of numbers is encoded: less its mean, divided by its scale, and by its bins.

    `common` are the values that have a column of 0 and 1 each, ascending.
    """

    column: Hashable
    mean: float
    scale: float
    bins: tuple[Bin, ...] = ()
    common: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many columns it becomes."""
        return 1 + len(self.bins) + len(self.common)

    @property
    def names(self) -> list[str]:
        """Names of those columns."""
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
    """How any other column is encoded: a column of 0 and 1 for each of its levels."""

    column: Hashable
    levels: tuple[Hashable, ...]

    @property
    def width(self) -> int:
        """How many columns it becomes."""
        return len(self.levels)

    @property
    def names(self) -> list[str]:
        """Names of those columns."""
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


class Encoder:
    """Turns frames like the one it was fitted on into an array.

    Parameters
    ----------
    encoding : {'standard', 'quantile'}, default 'standard'
        Of columns of numbers; `Settings.encoding` of the model that is to be trained.

    Attributes
    ----------
    parts_ : list
        How each column is encoded, in order.

    Examples
    --------
    >>> from grad_ext import load_dataset
    >>> from grad_ext.data.encoding import Encoder
    >>> frame = load_dataset("german", protected=["age"]).inputs()
    >>> Encoder().fit(frame).transform(frame).shape
    (1000, 60)
    >>> Encoder("quantile").fit(frame).transform(frame).shape
    (1000, 158)
    """

    def __init__(self, encoding: str = "standard") -> None:
        if encoding not in ENCODINGS:
            raise unknown("encoding", encoding, ENCODINGS)
        self.encoding = encoding

    def fit(self, frame: pd.DataFrame, rows: NDArray[np.intp] | None = None) -> Encoder:
        """Learn means, scales, bins and levels from training rows.

        Parameters
        ----------
        frame : pandas.DataFrame
            Columns to encode.
        rows : array of int, optional
            Positions of the training rows; all rows if not given.

        Raises
        ------
        InputError
            If a column has missing or infinite values, or there is no column at all.
        """
        if not len(frame.columns):
            raise InputError("no feature is left once the protected ones are out")
        # One column at a time: together what is taken of them would be a copy of the array.
        self.parts_: list[Numeric | Categorical] = [
            _part(_taken(frame[c], rows), self.encoding) for c in frame.columns
        ]
        binned = [
            i for i, part in enumerate(self.parts_) if isinstance(part, Numeric) and part.bins
        ]
        if sum(self.parts_[i].width for i in binned) > MOST_COLUMNS:
            most = MOST_COLUMNS // len(binned) - 1
            for i in binned:
                column = _taken(frame[frame.columns[i]], rows)
                self.parts_[i] = _part(column, self.encoding, most)
        return self

    @property
    def names(self) -> list[str]:
        """Names of the encoded columns: the column's, with ``=level``, ``=value`` or ``bin i``."""
        return [name for part in self.parts_ for name in part.names]

    def positions(self, columns: Iterable[Hashable]) -> NDArray[np.intp]:
        """Return which encoded columns the given columns became."""
        wanted = set(columns)
        owners = [part.column for part in self.parts_ for _ in range(part.width)]
        return np.flatnonzero([owner in wanted for owner in owners])

    def transform(
        self,
        frame: pd.DataFrame,
        rows: NDArray[np.intp] | None = None,
        dtype: type[np.floating] = np.float32,
    ) -> NDArray[Any]:
        """Return the encoded columns, shape (N, D), of all rows or those at the given positions.

        In single precision, the network's, unless asked for another.

        Raises
        ------
        InputError
            If the frame lacks a column, or one has missing, infinite or unusably large values.
        """
        expected = [part.column for part in self.parts_]
        missing = [c for c in expected if c not in frame.columns]
        if missing:
            raise InputError(
                f"feature {missing[0]!r} is missing: fitted on {len(expected)} features, "
                f"got {len(frame.columns)}"
            )
        # Column by column into the result: a second copy of a large array would double the memory.
        n = len(frame) if rows is None else len(rows)
        X = np.empty((n, sum(part.width for part in self.parts_)), dtype=dtype)
        start = 0
        for part in self.parts_:
            block = part.encode(_taken(frame[part.column], rows))
            largest = float(np.abs(block).max(initial=0.0))
            if largest > LARGEST:
                raise InputError(
                    f"feature {part.column!r} must lie within {LARGEST:g} training standard "
                    f"deviations of the training mean, got {largest:g}"
                )
            X[:, start : start + part.width] = block
            start += part.width
        return X


def metric_space(
    table: Table | pd.DataFrame,
    use_protected: bool = False,
    like: Table | pd.DataFrame | None = None,
) -> NDArray[np.float64]:
    """Return where rows lie for metrics that need distances: an encoding that is no model's own.

    Standardised numeric columns, 0/1 columns as they are, a column for each level of the others.

    Parameters
    ----------
    table : Table or pandas.DataFrame
        N rows.
    use_protected : bool, default False
        Count a table's protected columns too. Consistency asks whether people who are alike but for
        those are treated alike, so they do not count unless asked for.
    like : Table or pandas.DataFrame, optional
        Rows to take means, scales and levels from, instead of these.

    Returns
    -------
    array of shape (N, D)
    """
    frames = [
        given.inputs(use_protected) if isinstance(given, Table) else given
        for given in (table, table if like is None else like)
    ]
    # In double precision, so that equal distances between whole numbers stay equal.
    return Encoder().fit(frames[1]).transform(frames[0], dtype=np.float64)


def arrays(table: Table, encoder: Encoder, use_protected: bool = False) -> Arrays:
    """Return a table as arrays: features, labels, protected groups and weights."""
    carried = {c for p in table.protected for c in p.carriers}
    hidden = encoder.positions(carried)
    target = Binary("target")
    return Arrays(
        X=encoder.transform(table.inputs(use_protected)),
        y=table.y().astype(np.float64),
        a=table.a(),
        w=checks.sample_weights(table.w(), table.name),
        task=Task(target, tuple(p.branch for p in table.protected)),
        visible=np.setdiff1d(np.arange(len(encoder.names)), hidden) if len(hidden) else None,
    )


def _taken(values: pd.Series, rows: NDArray[np.intp] | None) -> pd.Series:
    """Return the rows of one column: taking those of a whole frame would copy it."""
    return values if rows is None else values.take(rows)


def _part(values: pd.Series, encoding: str, most: int | None = None) -> Numeric | Categorical:
    """Return how a column is encoded, with at most so many columns beside the standardised one."""
    if not _is_numeric(values):
        levels = pd.unique(values.astype(object).dropna())
        return Categorical(values.name, tuple(sorted(levels, key=lambda v: (str(type(v)), v))))
    numbers = _numbers(values)
    if np.isin(numbers, (0.0, 1.0)).all():
        return Numeric(values.name, 0.0, 1.0)
    # Scaling by the largest magnitude first keeps the squares of huge values finite.
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
    left = most - len(common)
    return Numeric(values.name, mean, scale, _bins(standard, left - left // 3, left // 3), common)


def _common(numbers: NDArray[np.float64], most: int = MOST_COMMON) -> tuple[float, ...]:
    """Return the values that most training rows share, ascending; none of a column of two."""
    values, rows = np.unique(numbers, return_counts=True)
    if len(values) < 3:
        return ()
    shared = np.argsort(-rows, kind="stable")[:most]
    return tuple(np.sort(values[shared[rows[shared] >= COMMON_ROWS]]).tolist())


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
