"""Sensitive attributes: rules over columns, and what users of the toolkits pass as sensitive features.

An array, Series, frame, list or mapping of sensitive features, or the levels of the index of X
(AIF360's scikit-learn convention), become named columns of numbers: group numbers, or the values of
a continuous attribute.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.data.alignment import aligned, index_of
from grad_ext.data.conditions import Interval, distinct_values, value_text
from grad_ext.errors import InputError, unknown
from grad_ext.outputs import Branch, Continuous

# A column with more values than this is assumed to be meant as continuous.
MOST_GROUPS = 50
# What joins the names of attributes, and of groups, that are crossed.
CROSS = " x "


@dataclass(frozen=True)
class SensitiveAttribute:
    """A sensitive (protected) attribute: a rule over one column.

    Exactly one of bounds, `values`, `levels` and `continuous` defines the groups. Missing values of
    the column belong to no group.

    Attributes
    ----------
    name : str
        Name of the attribute in results and metrics.
    column : str
        The column with its values.
    above, at_least, below, at_most : float, optional
        Two groups: rows whose column is strictly greater than `above` (or at least `at_least`) and
        strictly less than `below` (or at most `at_most`) are privileged.
    values : tuple, optional
        Two groups: rows whose column is one of these values are privileged.
    levels : tuple, optional
        A group for each of these values; other values belong to no group.
    continuous : bool, default False
        No groups: the attribute is the number in the column.
    carriers : tuple of str, optional
        Columns with the attribute, which are excluded from the features; by default `column`.
    partition : tuple of two tuples, optional
        The privileged and the unprivileged values of the attribute in an AIF360 data set.

    Raises
    ------
    InputError
        If the groups are defined in none or in several ways.
    """

    name: str
    column: str
    above: float | None = None
    values: tuple[Hashable, ...] | None = None
    levels: tuple[Hashable, ...] | None = None
    continuous: bool = False
    carriers: tuple[str, ...] = ()
    partition: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        bounds = {name: getattr(self, name) for name in ("above", "at_least", "below", "at_most")}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        rules = (bool(given), self.values is not None, self.levels is not None)
        if sum(rules) + self.continuous != 1:
            raise InputError(
                f"protected attribute {self.name!r} needs exactly one of bounds (`above`, "
                f"`at_least`, `below`, `at_most`), `values`, `levels` and `continuous`, got "
                f"bounds={given}, values={self.values!r}, levels={self.levels!r}, "
                f"continuous={self.continuous!r}"
            )
        # Raises if the bounds do not go together.
        _ = self.interval
        if not self.carriers:
            object.__setattr__(self, "carriers", (self.column,))

    @property
    def interval(self) -> Interval | None:
        """The numbers of the privileged group, if bounds define it."""
        bounds = (self.above, self.at_least, self.below, self.at_most)
        return None if all(bound is None for bound in bounds) else Interval(*bounds)

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

        For a continuous attribute, the number in the column. nan where a value is missing or belongs
        to no group.

        Raises
        ------
        InputError
            If the attribute is continuous and the column is not numeric.
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
        interval = self.interval
        if interval is None:
            privileged = column.isin(self.values or ()).to_numpy(dtype=bool)
        else:
            privileged = interval.contains(column)
        return np.where(column.isna(), np.nan, privileged.astype(np.float64))


# Groups that are named by all of their values have at most so many.
MOST_NAMED = 3


def group_names(attribute: SensitiveAttribute, column: pd.Series) -> tuple[str, ...]:
    """Return the names of an attribute's groups, in the words of the data, by their numbers.

    Parameters
    ----------
    attribute : SensitiveAttribute
        The attribute; a continuous one has no groups.
    column : pandas.Series
        The values of its column.

    Examples
    --------
    >>> import pandas as pd
    >>> from grad_ext.data.sensitive import SensitiveAttribute, group_names
    >>> group_names(SensitiveAttribute("sex", "sex", values=("m",)), pd.Series(["f", "m", "f"]))
    ('f', 'm')
    >>> group_names(SensitiveAttribute("age", "age", at_least=25), pd.Series([20, 30]))
    ('not age>=25', 'age>=25')
    """
    if attribute.continuous:
        return ()
    if attribute.levels is not None:
        return tuple(map(value_text, attribute.levels))
    if attribute.interval is not None:
        name = attribute.interval.text(attribute.column)
        return f"not {name}", name
    values = attribute.values or ()
    others = [value for value in distinct_values(column) if value not in values]
    name = "|".join(map(value_text, values))
    if 0 < len(others) <= MOST_NAMED:
        return "|".join(map(value_text, others)), name
    return f"not {name}", name


def sensitive_frame(
    sensitive_features: Any, n: int, index: pd.Index | None = None, reference: str = "X"
) -> pd.DataFrame:
    """Return sensitive features as a frame with one column for each attribute.

    Parameters
    ----------
    sensitive_features : array, Series, frame, list or mapping
        The values, n rows; None and nan are missing values in each of them.
    n : int
        Number of rows.
    index : pandas.Index, optional
        The index of the rows that they belong to: a Series or frame, or one in a mapping, is
        aligned by it. Without it rows match by position.
    reference : str, default 'X'
        Name of those rows in errors.

    Returns
    -------
    pandas.DataFrame of n rows

    Raises
    ------
    InputError
        If the number of rows differs, the index is another, there is no column, or two columns have
        the same name.
    """
    given = sensitive_features
    if hasattr(given, "to_pandas"):
        given = given.to_pandas()
        # What is no pandas object has no index, and gets a meaningless one.
        index = None
    if isinstance(given, pd.Series):
        frame = given.to_frame(given.name if given.name is not None else "sensitive_feature")
    elif isinstance(given, pd.DataFrame):
        frame = given.copy(deep=False)
    elif isinstance(given, Mapping):
        frame = _mapping_frame(given, n, index, reference)
    else:
        frame = _array_frame(given, n)
    frame.columns = [str(name) for name in frame.columns]
    if len(frame) != n:
        raise InputError(f"sensitive_features: expected {n} rows, got {len(frame)}")
    if not len(frame.columns):
        raise InputError("sensitive_features: expected at least one column, got none")
    if not frame.columns.is_unique:
        raise InputError(f"sensitive_features: names must differ, got {list(frame.columns)}")
    if isinstance(given, (pd.Series, pd.DataFrame)):
        frame = aligned("sensitive_features", frame, index, reference)
    return frame.reset_index(drop=True)


def _mapping_frame(
    given: Mapping[Any, Any], n: int, index: pd.Index | None, reference: str
) -> pd.DataFrame:
    lengths = {name: len(values) for name, values in given.items()}
    if any(length != n for length in lengths.values()):
        raise InputError(f"sensitive_features: expected {n} rows each, got {lengths}")
    if index is None:
        # The Series of a mapping belong to the same rows.
        index, reference = index_of(*given.values()), "the first Series"
    return pd.DataFrame(
        {
            name: _column(aligned(f"sensitive_features[{name!r}]", values, index, reference))
            for name, values in given.items()
        }
    )


def _array_frame(given: Any, n: int) -> pd.DataFrame:
    # Lists as objects, so that None and nan beside names stay missing and become no names.
    array = np.asarray(given) if hasattr(given, "dtype") else np.asarray(given, dtype=object)
    if array.ndim not in (1, 2):
        raise InputError(
            f"sensitive_features: expected shape ({n},) or ({n}, K), got {array.shape}"
        )
    array = array[:, None] if array.ndim == 1 else array
    if array.shape[1] == 1:
        return pd.DataFrame({"sensitive_feature": _column(array[:, 0])})
    columns = {f"sensitive_feature_{k}": _column(one) for k, one in enumerate(array.T)}
    return pd.DataFrame(columns, index=range(len(array)))


def _column(values: Any) -> pd.Series:
    """Return values by position, with the type of those that are present."""
    if isinstance(values, pd.Series):
        return values.reset_index(drop=True)
    array = np.asarray(values) if hasattr(values, "dtype") else np.asarray(values, dtype=object)
    return pd.Series(array.tolist() if array.dtype == object else array)


def index_frame(index: pd.Index, prot_attr: Any) -> pd.DataFrame:
    """Return the levels of an index that AIF360's `prot_attr` names, as a frame.

    Raises
    ------
    InputError
        If the index has no such level.
    """
    levels = index.to_frame(index=False)
    levels.columns = [str(name) for name in index.names]
    if isinstance(prot_attr, (bool, np.bool_)) and prot_attr:
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

    The combination is missing where one of the attributes is.
    """
    complete = frame.notna().all(axis=1)
    joined = frame.astype(str).agg(CROSS.join, axis=1).where(complete, None)
    return joined.to_frame(CROSS.join(frame.columns))


def attributes_of(
    frame: pd.DataFrame, continuous: Collection[str]
) -> tuple[SensitiveAttribute, ...]:
    """Return the attribute of each column: groups, unless it is continuous.

    Parameters
    ----------
    frame : pandas.DataFrame
        One column for each attribute.
    continuous : collection of str
        Names of continuous columns; floats with fractions and more than two values always are.

    Raises
    ------
    InputError
        If `continuous` has an unknown name, or a column has too many groups.
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
    return SensitiveAttribute(name, name, levels=_sorted_levels(values))


def with_groups(
    attributes: Sequence[SensitiveAttribute], groups: Any
) -> tuple[SensitiveAttribute, ...]:
    """Return attributes with the groups that a user names.

    Parameters
    ----------
    attributes : sequence of SensitiveAttribute
        Attributes with the groups of the rows at hand.
    groups : mapping of str to sequence, or sequence
        All groups of some attributes by name, or of the only attribute.

    Raises
    ------
    InputError
        If `groups` has no names though there are several attributes, an unknown name, fewer than two
        groups, a missing value, or not all groups of the rows; or names groups of a continuous
        attribute.
    """
    names = [attribute.name for attribute in attributes]
    if not isinstance(groups, Mapping):
        if len(names) != 1:
            raise InputError(f"groups: expected the groups by name, of {names}, got {groups!r}")
        groups = {names[0]: groups}
    for name in groups:
        if name not in names:
            raise unknown("sensitive feature", name, names)
    return tuple(
        _with_groups(attribute, groups[attribute.name]) if attribute.name in groups else attribute
        for attribute in attributes
    )


def _with_groups(attribute: SensitiveAttribute, groups: Any) -> SensitiveAttribute:
    what = f"groups of {attribute.name!r}"
    if attribute.levels is None:
        raise InputError(f"{what}: expected none of a continuous attribute, got {groups!r}")
    if not checks.is_sequence(groups) and not isinstance(groups, (pd.Index, pd.Series)):
        raise InputError(f"{what}: expected a list, got {groups!r}")
    named = pd.Series(list(groups), dtype=object)
    if named.isna().any():
        raise InputError(f"{what}: expected no missing value, got {list(groups)}")
    levels = _sorted_levels(pd.unique(named))
    if len(levels) < 2:
        raise InputError(f"{what}: expected at least two, got {list(groups)}")
    others = [level for level in attribute.levels if level not in levels]
    if others:
        raise InputError(
            f"{what}: expected all that the rows have, got {list(groups)} without {others}"
        )
    return replace(attribute, levels=levels)


def _sorted_levels(values: Iterable[Any]) -> tuple[Hashable, ...]:
    return tuple(sorted(values, key=lambda v: (str(type(v)), v)))


def numbers(frame: pd.DataFrame, attributes: Sequence[SensitiveAttribute]) -> NDArray[np.float64]:
    """Return the attributes' numbers, shape (N, K): see `SensitiveAttribute.numbers`.

    Raises
    ------
    InputError
        If the columns are not those of the attributes.
    """
    names = [attribute.name for attribute in attributes]
    if list(frame.columns) != names:
        raise InputError(f"sensitive_features: expected {names}, got {list(frame.columns)}")
    if not names:
        return np.zeros((len(frame), 0))
    return np.stack([a.numbers(frame[a.name]) for a in attributes], axis=1)
