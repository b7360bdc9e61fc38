"""Encoding of tables and frames as arrays: the last step with pandas on the way to the network."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.data.columns import Categorical, Numeric, Unused, column_encoding
from grad_ext.data.table import Table
from grad_ext.errors import InputError, UnseenValuesWarning, unknown
from grad_ext.outputs import Binary, Task
from grad_ext.training.settings import ENCODINGS

# Most encoded columns of all columns of numbers together. Tables with many columns get fewer for each,
# since the memory would grow many times.
MOST_COLUMNS = 256


@dataclass(frozen=True)
class Arrays:
    """Encoded rows for training and evaluation.

    Attributes
    ----------
    X : float32 array of shape (N, D)
        Encoded features.
    y : float64 array of shape (N,)
        1 for the favorable label and 0 for the other; class numbers; or the numbers to predict.
    a : float64 array of shape (N, K)
        Group numbers (1 for the privileged of two), or the numbers of continuous attributes; nan
        where missing.
    w : float64 array of shape (N,)
        Instance weights.
    task : Task
        What `y` and the columns of `a` are.
    visible : int array, optional
        Columns of `X` without the protected attributes, which the Auto variant reconstructs; all
        columns if not given.
    target_w : float64 array of shape (N,), optional
        Weights in the target's loss, `w` if not given (they differ by class weights).
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
        """Return the same rows with only the named protected attributes, in that order.

        Raises
        ------
        InputError
            If a name is unknown.
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


class Encoder:
    """Encodes frames with the columns that it was fitted on as arrays.

    Parameters
    ----------
    encoding : {'standard', 'quantile'}, default 'standard'
        Encoding of columns of numbers; see `grad_ext.training.settings.Settings`.

    Attributes
    ----------
    parts_ : list of Numeric, Categorical or Unused
        Encoding of each column, in order.

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
        self.encoding = checks.choice("encoding", encoding, ENCODINGS)

    def fit(
        self,
        frame: pd.DataFrame,
        rows: NDArray[np.intp] | None = None,
        constants: bool = False,
    ) -> Encoder:
        """Learn means, scales, medians, bins and levels from training rows.

        Parameters
        ----------
        frame : pandas.DataFrame
            Columns to encode.
        rows : array of int, optional
            Positions of the training rows; all rows if not given.
        constants : bool, default False
            Whether columns are encoded that are the same in all training rows, which later rows of
            the same training may not be.

        Raises
        ------
        InputError
            If a column has infinite numbers or too many levels, or none can be used.
        """
        if not len(frame.columns):
            raise InputError("no feature is left without the protected ones")
        # One column at a time: the rows of all columns together would be a copy of the frame.
        self.parts_: list[Numeric | Categorical | Unused] = [
            column_encoding(_rows_of(frame[c], rows), self.encoding, constants=constants)
            for c in frame.columns
        ]
        if not any(part.width for part in self.parts_):
            reasons = [f"{p.column!r} {p.reason}" for p in self.parts_ if isinstance(p, Unused)]
            raise InputError(f"no feature can be used: {'; '.join(reasons)}")
        binned = [
            i for i, part in enumerate(self.parts_) if isinstance(part, Numeric) and part.bins
        ]
        if sum(self.parts_[i].width for i in binned) > MOST_COLUMNS:
            most = MOST_COLUMNS // len(binned) - 1
            for i in binned:
                column = _rows_of(frame[frame.columns[i]], rows)
                self.parts_[i] = column_encoding(column, self.encoding, most, constants)
        return self

    @property
    def unused(self) -> dict[Hashable, str]:
        """Why columns are not encoded, by column."""
        return {part.column: part.reason for part in self.parts_ if isinstance(part, Unused)}

    @property
    def names(self) -> list[str]:
        """Names of the encoded columns: the column's, with ``=level``, ``=value`` or ``bin i``."""
        return [name for part in self.parts_ for name in part.names]

    def positions(self, columns: Iterable[Hashable]) -> NDArray[np.intp]:
        """Return the positions of the encoded columns of the given columns."""
        wanted = set(columns)
        owners = [part.column for part in self.parts_ for _ in range(part.width)]
        return np.flatnonzero([owner in wanted for owner in owners])

    def transform(
        self,
        frame: pd.DataFrame,
        rows: NDArray[np.intp] | None = None,
        dtype: type[np.floating] = np.float32,
        warn: bool = False,
    ) -> NDArray[Any]:
        """Return the encoded columns of all rows or of those at the given positions.

        Parameters
        ----------
        frame : pandas.DataFrame
            Rows with the columns of fitting, which are read by their values.
        rows : array of int, optional
            Positions of the rows; all rows if not given.
        dtype : type, default numpy.float32
            Type of the result; by default the network's.
        warn : bool, default False
            Whether values that no training row had cause a warning.

        Returns
        -------
        array of shape (N, D)

        Raises
        ------
        InputError
            If the frame lacks a column, or one has infinite or too large numbers, or text instead
            of numbers.

        Warns
        -----
        UnseenValuesWarning
            If a column has levels or missing values that it did not have in the training rows.
        """
        used = [part for part in self.parts_ if not isinstance(part, Unused)]
        missing = [part.column for part in used if part.column not in frame.columns]
        if missing:
            raise InputError(
                f"feature {missing[0]!r} is missing: fitted on {len(self.parts_)} features, "
                f"got {len(frame.columns)}"
            )
        # Written column by column: a second copy of a large array would double the memory.
        n = len(frame) if rows is None else len(rows)
        X = np.empty((n, sum(part.width for part in used)), dtype=dtype)
        start, surprises = 0, []
        for part in used:
            read = part.read(_rows_of(frame[part.column], rows))
            part.write(read, X[:, start : start + part.width])
            start += part.width
            if warn:
                surprises.append(part.surprise(read))
        told = [surprise for surprise in surprises if surprise is not None]
        if told:
            warnings.warn(
                f"features have values that no training row had: {'; '.join(told)}",
                UnseenValuesWarning,
                stacklevel=2,
            )
        return X


def metric_space(
    table: Table | pd.DataFrame,
    use_protected: bool = False,
    like: Table | pd.DataFrame | None = None,
) -> NDArray[np.float64]:
    """Return the encoding of rows for metrics that need distances, which does not depend on a model.

    Numeric columns are standardised, columns of 0 and 1 unchanged, all others one-hot encoded.

    Parameters
    ----------
    table : Table or pandas.DataFrame
        N rows.
    use_protected : bool, default False
        Include a table's protected columns. Consistency compares the predictions for rows that are
        similar in all other columns, so they are excluded by default.
    like : Table or pandas.DataFrame, optional
        Rows from which means, scales and levels are learned, instead of these.

    Returns
    -------
    array of shape (N, D)
    """
    frames = [
        given.inputs(use_protected) if isinstance(given, Table) else given
        for given in (table, table if like is None else like)
    ]
    # In double precision, in which equal distances between whole numbers stay equal.
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


def _rows_of(values: pd.Series, rows: NDArray[np.intp] | None) -> pd.Series:
    """Return the given rows of one column; for a whole frame they would be a copy of it."""
    return values if rows is None else values.take(rows)
