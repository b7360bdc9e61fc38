"""A table of data: one pandas frame and the roles of its columns.

`Table` is the only form of data before it is encoded. It never changes values: a protected attribute
is a *rule* over a column (age above 25), so that the column itself is unchanged in the frame, and
the roles determine whether it is an input of the network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.roles import Roles
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table_report import TableReport
from grad_ext.errors import InputError, unknown

if TYPE_CHECKING:
    from aif360.datasets import BinaryLabelDataset


@dataclass(frozen=True)
class Target:
    """The column to predict, and its two values.

    Attributes
    ----------
    column : str
        Name of the column in the frame.
    favorable, unfavorable : object
        The values that become 1 and 0.
    """

    column: str
    favorable: Any
    unfavorable: Any


@dataclass(frozen=True)
class Table:
    """Rows of data with the roles of the columns.

    Attributes
    ----------
    name : str
        Short name, used in results.
    frame : pandas.DataFrame
        All columns, unchanged, N rows.
    features : tuple of str
        Columns that may be inputs of a network, protected or not.
    target : Target
        The column to predict.
    protected : tuple of SensitiveAttribute
        The attributes to protect, in order; K of them.
    weights : str, optional
        Column of instance weights.
    groups : str, optional
        Column with the unit of each row (a patient, say), if rows of one unit are not independent;
        never a feature.
    scores : str, optional
        Column of predicted scores, if there are any.
    n_test : int
        Number of last rows that are the source's own test set; 0 if it has none.
    source : str
        Source of the data, with its licence.
    checksums : dict of str to str
        SHA-256 of each file with rows, by the file's name.
    report : TableReport, optional
        What was read and left out, of a file or frame of the user's.
    roles : Roles, optional
        The roles of its columns as texts, of a file or frame of the user's: with them another file
        of the same form is read. They name the features that were chosen, and no separator or
        encoding.

    Raises
    ------
    InputError
        If a column with a role is not in the frame, or the label or the unit is a feature.
    """

    name: str
    frame: pd.DataFrame
    features: tuple[str, ...]
    target: Target
    protected: tuple[SensitiveAttribute, ...] = ()
    weights: str | None = None
    groups: str | None = None
    scores: str | None = None
    n_test: int = 0
    source: str = field(default="", compare=False)
    checksums: dict[str, str] = field(default_factory=dict, compare=False)
    report: TableReport | None = field(default=None, compare=False, repr=False)
    roles: Roles | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        missing = [c for c in self.columns if c not in self.frame.columns]
        if missing:
            raise InputError(
                f"table {self.name!r}: no column {missing[0]!r}; "
                f"there are {', '.join(map(repr, self.frame.columns))}"
            )
        for what, column in (("label", self.target.column), ("unit of the rows", self.groups)):
            if column in self.features:
                raise InputError(
                    f"table {self.name!r}: the {what}, {column!r}, must not be a feature"
                )

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        label: str,
        protected: Sequence[str | SensitiveAttribute] | Mapping[str, Any],
        favorable: Any = None,
        *,
        continuous: Sequence[str] | None = None,
        features: Sequence[str] | None = None,
        drop: Sequence[str] | None = None,
        weights: str | None = None,
        groups: str | None = None,
        missing: Literal["use", "drop", "error"] = "use",
        missing_values: Sequence[str] | None = None,
        name: str = "data",
    ) -> Table:
        """Return a table of your own frame, as `grad_ext.load_table` of a file with its content.

        Parameters
        ----------
        frame : pandas.DataFrame
            N rows. An index with a name is a column.
        label, protected, favorable, continuous, features, drop, weights, groups
            As for `grad_ext.load_table`.
        missing, missing_values
            As for `grad_ext.load_table`.
        name : str
            Name of the data set.

        Raises
        ------
        InputError
            With all problems of the frame at once.

        Examples
        --------
        >>> import pandas as pd
        >>> from grad_ext.data import Table
        >>> frame = pd.DataFrame({"x": [5, 7, 9, 4], "age": [20, 30, 40, 50], "y": [0, 1, 1, 0]})
        >>> Table.from_frame(frame, label="y", protected=["age>=35"]).a()[:, 0].tolist()
        [0.0, 0.0, 1.0, 1.0]
        """
        # Lazy: what reads frames makes tables of them.
        from grad_ext.data.source import table_from_frame

        return table_from_frame(
            frame,
            label,
            protected,
            favorable,
            continuous=continuous,
            features=features,
            drop=drop,
            weights=weights,
            groups=groups,
            missing=missing,
            missing_values=missing_values,
            name=name,
        )

    @classmethod
    def from_bunch(
        cls,
        bunch: Any,
        protected: Sequence[str | SensitiveAttribute] | Mapping[str, Any],
        favorable: Any = None,
        **options: Any,
    ) -> Table:
        """Return a table of what scikit-learn's and Fairlearn's ``fetch_*`` functions return.

        Parameters
        ----------
        bunch : sklearn.utils.Bunch, or tuple of data and target
            Features and one target, as frames or arrays. The target is the label; that of an array
            is called ``'target'``.
        protected, favorable
            As for `from_frame`.
        **options
            Further parameters of `from_frame`.

        Raises
        ------
        InputError
            If it has no data and one target of the same rows, and whatever `from_frame` raises.

        Examples
        --------
        >>> import pandas as pd
        >>> from grad_ext.data import Table
        >>> X = pd.DataFrame({"x": [5, 7, 9, 4], "sex": ["f", "m", "m", "f"]})
        >>> y = pd.Series([0, 1, 1, 0], name="y")
        >>> Table.from_bunch((X, y), protected=["sex=m"]).a()[:, 0].tolist()
        [0.0, 1.0, 1.0, 0.0]
        """
        # Lazy: what reads frames makes tables of them.
        from grad_ext.data.bunch import table_from_bunch

        return table_from_bunch(bunch, protected, favorable, **options)

    @classmethod
    def from_aif360(
        cls,
        dataset: BinaryLabelDataset,
        protected: Sequence[str] | None = None,
        continuous: Sequence[str] = (),
        de_dummy_code: bool = False,
    ) -> Table:
        """Return AIF360's data set as a table; see `grad_ext.adapters.aif360.datasets.from_aif360`.

        Parameters
        ----------
        dataset : aif360.datasets.BinaryLabelDataset
            N rows; also a StandardDataset, such as CompasDataset.
        protected, continuous, de_dummy_code
            As for `grad_ext.adapters.aif360.datasets.from_aif360`.

        Raises
        ------
        MissingToolkit
            If AIF360 is not installed.
        """
        # Lazy: adapters import tables, and only AIF360's users need AIF360.
        from grad_ext.adapters.aif360.datasets import from_aif360

        return from_aif360(dataset, protected, continuous, de_dummy_code)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns with a role, each once."""
        optional = (self.weights, self.groups, self.scores)
        named = (c for c in optional if c is not None)
        protected = (p.column for p in self.protected)
        return tuple(dict.fromkeys([*self.features, self.target.column, *protected, *named]))

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the protected attributes, in order."""
        return tuple(p.name for p in self.protected)

    @property
    def label_words(self) -> tuple[Any, Any]:
        """The unfavorable and the favorable label, in the data's words.

        Of several values the favorable one, or the condition that makes it, names the other label too:
        ``yes`` and ``not yes``, ``income>50000`` and ``not income>50000``.
        """
        target = self.target
        if self.report is None or target.column in {each.name for each in self.report.columns}:
            return target.unfavorable, target.favorable
        favorable = [label.value for label in self.report.values if label.favorable]
        others = [label.value for label in self.report.values if not label.favorable]
        word = favorable[0] if len(favorable) == 1 else target.column
        return others[0] if len(others) == 1 else f"not {word}", word

    def inputs(self, use_protected: bool = False) -> pd.DataFrame:
        """Return the features that are inputs of the network.

        Parameters
        ----------
        use_protected : bool, default False
            Include the columns with a protected attribute.
        """
        carriers = {c for p in self.protected for c in p.carriers}
        return self.frame[[c for c in self.features if use_protected or c not in carriers]]

    def y(self) -> NDArray[np.bool_]:
        """Return whether each row's label is the favorable one, shape (N,).

        Raises
        ------
        InputError
            If a label is neither the favorable nor the unfavorable value.
        """
        column = self.frame[self.target.column]
        favorable: NDArray[np.bool_] = (column == self.target.favorable).to_numpy(dtype=bool)
        other = ~favorable & ~(column == self.target.unfavorable).to_numpy(dtype=bool)
        if other.any():
            raise InputError(
                f"label {self.target.column!r}: expected {self.target.favorable!r} or "
                f"{self.target.unfavorable!r}, got {column[other].tolist()[0]!r}"
            )
        return favorable

    def a(self) -> NDArray[np.float64]:
        """Return the numbers of the protected attributes, shape (N, K): see `SensitiveAttribute.of`."""
        columns = [p.of(self.frame) for p in self.protected]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self), 0))

    def w(self) -> NDArray[np.float64]:
        """Return the instance weights, ones if the table has none, shape (N,)."""
        if self.weights is None:
            return np.ones(len(self))
        return np.asarray(self.frame[self.weights], dtype=np.float64)

    def g(self) -> NDArray[np.intp]:
        """Return the number of each row's unit, shape (N,).

        Units are numbered in order of appearance; without units each row is one.
        """
        if self.groups is None:
            return np.arange(len(self), dtype=np.intp)
        codes = pd.factorize(self.frame[self.groups], use_na_sentinel=False)[0]
        return np.asarray(codes, dtype=np.intp)

    def protecting(self, names: Sequence[str]) -> Table:
        """Return the same table with only the named attributes protected, in that order.

        Raises
        ------
        InputError
            If a name is not a protected attribute of the table, or repeated.
        """
        by_name = {p.name: p for p in self.protected}
        for name in names:
            if name not in by_name:
                raise unknown("protected attribute", name, by_name, self.name)
        if len(set(names)) != len(names):
            raise InputError(f"protected attributes must differ, got {list(names)!r}")
        return replace(self, protected=tuple(by_name[name] for name in names))

    def take(self, rows: NDArray[np.intp]) -> Table:
        """Return the table of the given row positions, in that order."""
        return replace(self, frame=self.frame.iloc[rows], n_test=0)

    def known(self) -> Table:
        """Return the rows whose protected attributes are all known, in order."""
        rows = np.flatnonzero(~np.isnan(self.a()).any(axis=1))
        # The source's own test set is still the last rows.
        tested = int((rows >= len(self) - self.n_test).sum())
        return replace(self.take(rows), n_test=tested)

    def digest(self) -> str:
        """Return the SHA-256 of the roles and of the values of all columns with a role.

        It is the same in every process. It depends on the order of the rows and features, but not on
        the order of the frame's columns, the row labels, the name and the source.
        """
        roles = {
            "features": self.features,
            "target": [self.target.column, self.target.favorable, self.target.unfavorable],
            "protected": [_set(asdict(p)) for p in self.protected],
            "weights": self.weights,
            "groups": self.groups,
            "scores": self.scores,
            "n_test": self.n_test,
        }
        total = hashlib.sha256(json.dumps(_set(roles), sort_keys=True, default=_plain).encode())
        for name in sorted(self.columns, key=str):
            kind, levels, values = _content(self.frame[name])
            total.update(json.dumps([name, kind, levels]).encode())
            total.update(values.tobytes())
        return total.hexdigest()

    def to_aif360(self) -> BinaryLabelDataset:
        """Return the table as a data set of AIF360; see `grad_ext.adapters.aif360.datasets`.

        Raises
        ------
        MissingToolkit
            If AIF360 is not installed.
        """
        # Lazy: adapters import tables, and only this method needs AIF360.
        from grad_ext.adapters.aif360.datasets import to_aif360

        return to_aif360(self)


def _content(column: pd.Series) -> tuple[str, list[Any], NDArray[Any]]:
    """Return a column as kind, levels and numbers that do not depend on the platform."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_integer_dtype(column):
        if not column.isna().any():
            return "integer", [], column.to_numpy(dtype="<i8")
    elif pd.api.types.is_float_dtype(column):
        numbers = column.to_numpy(dtype="<f8", na_value=np.nan)
        return "float", [], np.where(np.isnan(numbers), np.nan, numbers + 0.0)
    codes, levels = pd.factorize(column.astype(object))
    return "levels", [_typed(level) for level in levels], codes.astype("<i8")


def _set(roles: dict[str, Any]) -> dict[str, Any]:
    """Return the roles that are set, so that new roles do not change older digests."""
    return {k: v for k, v in roles.items() if v is not None and v is not False and v != ()}


def _plain(value: Any) -> Any:
    """Return numpy's scalars as Python's, and other values as text."""
    return value.item() if isinstance(value, np.generic) else repr(value)


def _typed(value: Any) -> list[str]:
    """Return a value's type and text, so that 1 and "1" differ."""
    value = value.item() if isinstance(value, np.generic) else value
    return [type(value).__name__, repr(value)]
