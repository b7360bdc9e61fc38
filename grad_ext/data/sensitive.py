"""Sensitive attributes: rules over columns, and what users of the toolkits pass as sensitive features.

An array, Series, frame, list or mapping of sensitive features, or the levels of the index of X
(AIF360's scikit-learn convention), become named columns of numbers: a group each, or the attribute's
own number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown
from grad_ext.outputs import Branch, Continuous

# More groups than this are rather a number that was meant to be continuous.
MOST_GROUPS = 50
# What joins the names of attributes, and of groups, that are crossed.
CROSS = " x "


@dataclass(frozen=True)
class SensitiveAttribute:
    """A sensitive (protected) attribute: a rule over one column.

    Exactly one of `above`, `values`, `levels` and `continuous` says what the groups are. Missing
    values of the column belong to no group.

    Attributes
    ----------
    name : str
        What the attribute is called in results and metrics.
    column : str
        The column that it is read from.
    above : float, optional
        Two groups: rows whose column is strictly greater are privileged.
    values : tuple, optional
        Two groups: rows whose column is one of these values are privileged.
    levels : tuple, optional
        A group for each of these values; a value that is not among them belongs to no group.
    continuous : bool, default False
        No groups: the column's number itself.
    carriers : tuple of str, optional
        Columns that hold the attribute and so stay out of the features; `column` alone if not
        given.
    partition : tuple of two tuples, optional
        The privileged and the unprivileged values that an AIF360 data set named for the attribute.
    """

    name: str
    column: str
    above: float | None = None
    values: tuple[Any, ...] | None = None
    levels: tuple[Any, ...] | None = None
    continuous: bool = False
    carriers: tuple[str, ...] = ()
    partition: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def __post_init__(self) -> None:
        rules = (self.above is not None, self.values is not None, self.levels is not None)
        if sum(rules) + self.continuous != 1:
            raise InputError(
                f"protected attribute {self.name!r} needs exactly one of `above`, `values`, "
                f"`levels` and `continuous`, got above={self.above!r}, values={self.values!r}, "
                f"levels={self.levels!r}, continuous={self.continuous!r}"
            )
        if not self.carriers:
            object.__setattr__(self, "carriers", (self.column,))

    @property
    def branch(self) -> Branch:
        """What an attribute branch for it predicts."""
        if self.continuous:
            return Continuous(self.name)
        return Branch.of_groups(self.name, 2 if self.levels is None else len(self.levels))

    def of(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the group numbers of a frame's rows, shape (N,): see `numbers`."""
        return self.numbers(frame[self.column])

    def numbers(self, column: pd.Series) -> NDArray[np.float64]:
        """Return the number of each row's group (1 for the privileged of two), shape (N,).

        The column's number itself for a continuous attribute; nan where it is missing or belongs to
        no group.

        Raises
        ------
        InputError
            If the attribute is continuous and the column holds something else than numbers.
        """
        if self.continuous:
            try:
                return np.asarray(pd.to_numeric(column), dtype=np.float64)
            except (TypeError, ValueError):
                raise InputError(
                    f"sensitive feature {self.name!r}: expected numbers, got {column.dtype}"
                ) from None
        if self.levels is not None:
            codes = pd.Index(self.levels).get_indexer(pd.Index(column.astype(object)))
            return np.where(codes < 0, np.nan, codes)
        privileged = (
            column > self.above if self.above is not None else column.isin(self.values or ())
        )
        return np.where(column.isna(), np.nan, privileged.to_numpy(dtype=np.float64))


def sensitive_frame(sensitive_features: Any, n: int) -> pd.DataFrame:
    """Return sensitive features as a frame of N rows, a column an attribute.

    Raises
    ------
    InputError
        If there is another number of rows, no column, or two of one name.
    """
    given = sensitive_features
    if hasattr(given, "to_pandas"):
        given = given.to_pandas()
    if isinstance(given, pd.Series):
        frame = given.to_frame(given.name if given.name is not None else "sensitive_feature")
    elif isinstance(given, pd.DataFrame):
        frame = given.copy(deep=False)
    elif isinstance(given, Mapping):
        lengths = {name: len(values) for name, values in given.items()}
        if any(length != n for length in lengths.values()):
            raise InputError(f"sensitive_features: expected {n} rows each, got {lengths}")
        frame = pd.DataFrame({name: np.asarray(values) for name, values in given.items()})
    else:
        array = np.asarray(given)
        if array.ndim not in (1, 2):
            raise InputError(
                f"sensitive_features: expected shape ({n},) or ({n}, K), got {array.shape}"
            )
        array = array[:, None] if array.ndim == 1 else array
        single = array.shape[1] == 1
        names = (
            ["sensitive_feature"]
            if single
            else [f"sensitive_feature_{k}" for k in range(array.shape[1])]
        )
        frame = pd.DataFrame(array, columns=names).infer_objects()
    frame.columns = [str(name) for name in frame.columns]
    if len(frame) != n:
        raise InputError(f"sensitive_features: expected {n} rows, got {len(frame)}")
    if not len(frame.columns):
        raise InputError("sensitive_features: expected at least one column, got none")
    if not frame.columns.is_unique:
        raise InputError(f"sensitive_features: names must differ, got {list(frame.columns)}")
    return frame.reset_index(drop=True)


def index_frame(index: pd.Index, prot_attr: Any) -> pd.DataFrame:
    """Return the levels of an index that AIF360's `prot_attr` chooses.

    Raises
    ------
    InputError
        If the index has no such level.
    """
    levels = index.to_frame(index=False)
    levels.columns = [str(name) for name in index.names]
    if prot_attr is True:
        names = [str(name) for name in index.names if name is not None]
    elif isinstance(prot_attr, str):
        names = [prot_attr]
    else:
        names = [str(name) for name in prot_attr]
    for name in names:
        if name not in levels.columns:
            raise unknown("level of the index of X", name, list(levels.columns))
    if not names:
        raise InputError("prot_attr: expected a named level in the index of X, got none")
    return levels[names]


def crossed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one column whose groups are the combinations of all columns' groups.

    A row that misses one of the attributes misses the combination.
    """
    whole = frame.notna().all(axis=1)
    joined = frame.astype(str).agg(CROSS.join, axis=1).where(whole, None)
    return joined.to_frame(CROSS.join(frame.columns))


def attributes_of(
    frame: pd.DataFrame, continuous: Collection[str]
) -> tuple[SensitiveAttribute, ...]:
    """Return what the columns are: groups, unless named continuous or floats of many values.

    Raises
    ------
    InputError
        If `continuous` names a column that is not there, or groups are too many.
    """
    for name in continuous:
        if name not in frame.columns:
            raise unknown("sensitive feature", name, list(frame.columns))
    return tuple(_attribute(frame[name], name in continuous) for name in frame.columns)


def _attribute(column: pd.Series, continuous: bool) -> SensitiveAttribute:
    name = str(column.name)
    present = column.dropna()
    values = pd.unique(present.astype(object))
    fractional = pd.api.types.is_float_dtype(column) and not (present == np.round(present)).all()
    if continuous or (fractional and len(values) > 2):
        return SensitiveAttribute(name, name, continuous=True)
    if len(values) > MOST_GROUPS:
        raise InputError(
            f"sensitive feature {name!r} has {len(values)} values; name it in `continuous`, or "
            f"group it into at most {MOST_GROUPS}"
        )
    levels = tuple(sorted(values, key=lambda v: (str(type(v)), v)))
    return SensitiveAttribute(name, name, levels=levels)


def numbers(frame: pd.DataFrame, attributes: Sequence[SensitiveAttribute]) -> NDArray[np.float64]:
    """Return the attributes' numbers, shape (N, K).

    Raises
    ------
    InputError
        If the columns are not those of fitting.
    """
    names = [attribute.name for attribute in attributes]
    if list(frame.columns) != names:
        raise InputError(f"sensitive_features: expected {names}, got {list(frame.columns)}")
    if not names:
        return np.zeros((len(frame), 0))
    return np.stack([a.numbers(frame[a.name]) for a in attributes], axis=1)
