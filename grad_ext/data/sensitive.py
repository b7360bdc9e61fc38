"""Protected attributes as users of Fairlearn, scikit-learn and AIF360 hand them over.

An array, Series, frame, list or mapping of sensitive features, or the levels of the index of X
(AIF360's scikit-learn convention), become named columns of numbers: a group each, or the attribute's
own number.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
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
class Attribute:
    """One protected attribute as it was seen in fitting.

    Attributes
    ----------
    name : str
        The column's name.
    levels : tuple or None
        The groups, in order; None for a continuous attribute.
    """

    name: str
    levels: tuple[Hashable, ...] | None

    @property
    def branch(self) -> Branch:
        """What an attribute branch for it predicts."""
        if self.levels is None:
            return Continuous(self.name)
        return Branch.of_groups(self.name, len(self.levels))

    def numbers(self, column: pd.Series) -> NDArray[np.float64]:
        """Return the number of each row's group, or its number; nan where it is missing or new."""
        if self.levels is None:
            try:
                return np.asarray(pd.to_numeric(column), dtype=np.float64)
            except (TypeError, ValueError):
                raise InputError(
                    f"sensitive feature {self.name!r}: expected numbers, got {column.dtype}"
                ) from None
        codes = pd.Index(self.levels).get_indexer(pd.Index(column.astype(object)))
        return np.where(codes < 0, np.nan, codes)


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


def attributes_of(frame: pd.DataFrame, continuous: Collection[str]) -> tuple[Attribute, ...]:
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


def _attribute(column: pd.Series, continuous: bool) -> Attribute:
    name = str(column.name)
    present = column.dropna()
    values = pd.unique(present.astype(object))
    fractional = pd.api.types.is_float_dtype(column) and not (present == np.round(present)).all()
    if continuous or (fractional and len(values) > 2):
        return Attribute(name, None)
    if len(values) > MOST_GROUPS:
        raise InputError(
            f"sensitive feature {name!r} has {len(values)} values; name it in `continuous`, or "
            f"group it into at most {MOST_GROUPS}"
        )
    return Attribute(name, tuple(sorted(values, key=lambda v: (str(type(v)), v))))


def numbers(frame: pd.DataFrame, attributes: Sequence[Attribute]) -> NDArray[np.float64]:
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
