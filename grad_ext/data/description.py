"""Describe a table: number of rows, features, classes and groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grad_ext.data.sensitive import SensitiveAttribute, group_names
from grad_ext.data.table import Table


@dataclass(frozen=True)
class GroupDescription:
    """One group of a protected attribute.

    Attributes
    ----------
    attribute : str
        Name of the attribute.
    group : str
        Name of the group in the data's words; the range of an attribute that holds numbers.
    rows : int
        Number of rows.
    favorable : float or None
        Share of them with the favorable label; None for an attribute that holds numbers.
    privileged : bool
        Whether it is the privileged one of two.
    """

    attribute: str
    group: str
    rows: int
    favorable: float | None
    privileged: bool = False


@dataclass(frozen=True)
class TableDescription:
    """Numbers that describe a table.

    Attributes
    ----------
    rows, test_rows : int
        Number of rows, and how many of them, at the end, are the source's own test set.
    units : int or None
        Number of units, such as patients, that rows belong to; None if rows are independent.
    features, numeric_features : int
        Number of features, and how many of them are numeric.
    favorable_share, majority : float
        Shares of the rows with the favorable label, and with the most frequent label.
    groups : tuple of GroupDescription
        The groups of each protected attribute; rows without a known group count as 'unknown'.
    """

    rows: int
    test_rows: int
    units: int | None
    features: int
    numeric_features: int
    favorable_share: float
    majority: float
    groups: tuple[GroupDescription, ...]


def describe(table: Table) -> TableDescription:
    """Return the number of rows, features, classes and groups of a table.

    Examples
    --------
    >>> from grad_ext import load_dataset
    >>> from grad_ext.data.description import describe
    >>> german = describe(load_dataset("german", ["age"]))
    >>> german.rows, german.majority, [(group.group, group.rows) for group in german.groups]
    (1000, 0.7, [('not age>25', 190), ('age>25', 810)])
    """
    y = table.y()
    share = float(y.mean())
    groups = [
        group
        for attribute, a in zip(table.protected, table.a().T, strict=True)
        for group in _groups(table, attribute, a, y)
    ]
    return TableDescription(
        rows=len(table),
        test_rows=table.n_test,
        units=None if table.groups is None else len(np.unique(table.g())),
        features=len(table.features),
        numeric_features=table.frame[list(table.features)].select_dtypes("number").shape[1],
        favorable_share=share,
        majority=max(share, 1 - share),
        groups=tuple(groups),
    )


def _groups(table: Table, attribute: SensitiveAttribute, a: Any, y: Any) -> list[GroupDescription]:
    """Return the groups of an attribute that have rows."""
    if attribute.continuous:
        known = ~np.isnan(a)
        if not known.any():
            return []
        span = f"{np.nanmin(a):g} to {np.nanmax(a):g}"
        return [GroupDescription(attribute.name, span, int(known.sum()), None)]
    names = group_names(attribute, table.frame[attribute.column])
    two = attribute.levels is None
    members = [(name, a == code, two and code == 1) for code, name in enumerate(names)]
    members.append(("unknown", np.isnan(a), False))
    return [
        GroupDescription(attribute.name, name, int(rows.sum()), float(y[rows].mean()), privileged)
        for name, rows, privileged in members
        if rows.any()
    ]
