"""A table of data: one pandas frame, and which column plays which part.

`Table` is the only form in which data travels before it is encoded. It never changes the values it
was given: a protected attribute is a *rule* over a column (age above 25), so that the column itself
stays in the frame as it came, and the roles say whether the network may see it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.sensitive import SensitiveAttribute
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
        The value that counts as 1 and the value that counts as 0.
    """

    column: str
    favorable: Any
    unfavorable: Any


@dataclass(frozen=True)
class Table:
    """Rows of data with the parts that the columns play.

    Attributes
    ----------
    name : str
        Short name, used in results.
    frame : pandas.DataFrame
        All columns as they came, N rows.
    features : tuple of str
        Columns that a network may see, protected or not.
    target : Target
        The column to predict.
    protected : tuple of SensitiveAttribute
        The attributes to protect, in order; K of them.
    weights : str, optional
        Column of instance weights.
    groups : str, optional
        Column that names the unit a row belongs to (a patient, say), where rows of one unit are not
        independent; never a feature.
    scores : str, optional
        Column of predicted scores, where the rows come with a prediction.
    n_test : int
        How many of the last rows are the source's own test part; 0 if it has none.
    source : str
        Where the data comes from, with its licence.
    checksums : dict of str to str
        SHA-256 of each file that the rows were read from, by the file's name.

    Raises
    ------
    InputError
        If a column that plays a part is not in the frame, or the label or the unit is a feature.
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

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that play a part, each once."""
        optional = (self.weights, self.groups, self.scores)
        named = (c for c in optional if c is not None)
        protected = (p.column for p in self.protected)
        return tuple(dict.fromkeys([*self.features, self.target.column, *protected, *named]))

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the protected attributes, in order."""
        return tuple(p.name for p in self.protected)

    def inputs(self, use_protected: bool = False) -> pd.DataFrame:
        """Return the features a network may see.

        Parameters
        ----------
        use_protected : bool, default False
            Keep the columns that hold a protected attribute.
        """
        carried = {c for p in self.protected for c in p.carriers}
        kept = [c for c in self.features if use_protected or c not in carried]
        return self.frame[kept]

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
        """Return each row's group by each protected attribute, see `SensitiveAttribute.of`, shape (N, K)."""
        columns = [p.of(self.frame) for p in self.protected]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self), 0))

    def w(self) -> NDArray[np.float64]:
        """Return the instance weights, ones if the table has none, shape (N,)."""
        if self.weights is None:
            return np.ones(len(self))
        return np.asarray(self.frame[self.weights], dtype=np.float64)

    def g(self) -> NDArray[np.intp]:
        """Return the number of the unit that each row belongs to, shape (N,).

        Units are numbered as they first appear; each row is one of its own if the table names none.
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
            If a name is not one of the table's protected attributes, or appears twice.
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
        """Return the rows whose group is known for every protected attribute, in order."""
        rows = np.flatnonzero(~np.isnan(self.a()).any(axis=1))
        # The source's own test part stays the last rows.
        tested = int((rows >= len(self) - self.n_test).sum())
        return replace(self.take(rows), n_test=tested)

    def digest(self) -> str:
        """Return the SHA-256 of the roles and of the values of all columns that play a part.

        The same in every process and for every order of the frame's columns; the name, the source
        and the row labels do not count, the order of the rows and of the features does.
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
        """Return the table as AIF360's data set; see `grad_ext.adapters.aif360.datasets`."""
        from grad_ext.adapters.aif360.datasets import to_aif360

        return to_aif360(self)


def _content(column: pd.Series) -> tuple[str, list[Any], NDArray[Any]]:
    """Return a column as bytes that are the same everywhere: kind, levels, numbers."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_integer_dtype(column):
        if not column.isna().any():
            return "integer", [], column.to_numpy(dtype="<i8")
    elif pd.api.types.is_float_dtype(column):
        numbers = column.to_numpy(dtype="<f8", na_value=np.nan)
        return "float", [], np.where(np.isnan(numbers), np.nan, numbers + 0.0)
    codes, levels = pd.factorize(column.astype(object))
    return "levels", [_typed(level) for level in levels], codes.astype("<i8")


def _set(roles: dict[str, Any]) -> dict[str, Any]:
    """Return the roles that are filled, so that a digest outlives new kinds of roles."""
    return {k: v for k, v in roles.items() if v is not None and v is not False and v != ()}


def _plain(value: Any) -> Any:
    """Return a value as Python's own, or as text."""
    return value.item() if isinstance(value, np.generic) else repr(value)


def _typed(value: Any) -> list[str]:
    """Return a value as its type and its text, so that 1 and "1" differ."""
    value = value.item() if isinstance(value, np.generic) else value
    return [type(value).__name__, repr(value)]
