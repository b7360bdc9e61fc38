"""Conversion of tables to and from the frames of AIF360's scikit-learn interface.

Their protected attributes are levels of the index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from grad_ext.adapters.aif360.datasets import add_column, complete_groups, too_many_groups
from grad_ext.data.sensitive import MOST_GROUPS, SensitiveAttribute, index_frame
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError, MissingToolkit, unknown

try:
    from aif360.sklearn.datasets.utils import Dataset, WeightedDataset
except ImportError as error:
    raise MissingToolkit("aif360", "aif360") from error


def to_aif360_sklearn(table: Table) -> Any:
    """Return a table as the frames of AIF360's scikit-learn interface.

    Parameters
    ----------
    table : Table
        N rows.

    Returns
    -------
    namedtuple of X, y and, if the table has weights, sample_weight
        As ``aif360.sklearn.datasets.fetch_german`` returns them. ``X`` is a frame of all features,
        the protected ones included, with the protected attributes in its index: an attribute's
        values if each group has one, ordered so that the privileged one comes last, else 1 for the
        privileged and 0 for the others. ``y`` holds the labels, the favorable one last.

    Raises
    ------
    InputError
        If a label is neither of the target's values.
    """
    target = table.target
    if not table.protected:
        raise InputError("expected at least one protected attribute, got none")
    attributes = {p.name: _index_level(p, table.frame) for p in table.protected}
    index: pd.Index = pd.MultiIndex.from_frame(pd.DataFrame(attributes))
    index = index if len(attributes) > 1 else index.get_level_values(0)
    X = table.frame[list(table.features)].set_axis(index)
    labels = np.where(table.y(), 1, 0)
    levels = pd.Index([target.unfavorable, target.favorable])
    y = pd.Series(
        pd.Categorical.from_codes(labels, levels, ordered=True), index, name=target.column
    )
    if table.weights is None:
        return Dataset(X, y)
    return WeightedDataset(X, y, pd.Series(table.w(), index, name=table.weights))


def from_aif360_sklearn(
    X: pd.DataFrame,
    y: pd.Series,
    sample_weight: Any = None,
    *,
    prot_attr: Any = None,
    favorable: Any = None,
    continuous: Sequence[str] = (),
    carriers: Mapping[str, Sequence[str]] | None = None,
    name: str = "frame",
) -> Table:
    """Return a frame with protected attributes in its index as a table.

    Parameters
    ----------
    X : pandas.DataFrame of shape (N, D)
        Features.
    y : pandas.Series of shape (N,)
        Labels of two values.
    sample_weight : array-like of shape (N,), optional
        Instance weights.
    prot_attr : str or sequence of str, optional
        Levels of the index to protect; all of them if not given.
    favorable : object, optional
        The favorable label. Not needed for ordered categories, of which it is the last, or 0 and 1.
    continuous : sequence of str
        Those of the attributes that are numbers instead of groups.
    carriers : mapping of str to sequence of str, optional
        Columns of X that hold an attribute, in addition to the one of its name.
    name : str
        Name of the table.

    Returns
    -------
    Table
        The rows in order. Of two groups, the privileged one is the last of ordered categories, else
        the greater value. More than two values are a group each.

    Raises
    ------
    InputError
        If lengths differ, the index lacks a level, labels do not have two values, or an attribute
        has too many values for groups.
    """
    if len(X) != len(y):
        raise InputError(f"expected as many labels as rows, got {len(y)} for {len(X)}")
    index = index_frame(X.index, True if prot_attr is None else prot_attr)
    frame = X.rename(columns=str).reset_index(drop=True)
    features = tuple(frame.columns)
    label = add_column(frame, str(y.name or "label"), np.asarray(y.astype(object)))
    levels = _ordered(y)
    if len(levels) != 2:
        raise InputError(f"expected labels of two values, got {len(levels)}: {levels[:10]}")
    if favorable is None and not (_is_ordered(y) or set(levels) == {0, 1}):
        raise InputError(f"labels are {levels[0]!r} and {levels[1]!r}; set `favorable` to one")
    if favorable is not None and favorable not in levels:
        raise unknown("label", favorable, map(str, levels))
    high = levels[1] if favorable is None else favorable
    low = levels[0] if high == levels[1] else levels[1]
    protected = []
    for attribute in index.columns:
        own = add_column(
            frame, f"protected_{attribute}", np.asarray(index[attribute].astype(object))
        )
        frame[own] = frame[own].infer_objects()
        held = (own, attribute, *(carriers or {}).get(attribute, ()))
        groups = _ordered(index[attribute])
        if attribute in continuous:
            rule = SensitiveAttribute(attribute, own, continuous=True, carriers=held)
        elif len(groups) > MOST_GROUPS:
            raise too_many_groups(attribute, len(groups))
        elif len(groups) > 2:
            rule = SensitiveAttribute(attribute, own, levels=tuple(groups), carriers=held)
        else:
            plain = not _is_ordered(index[attribute]) and set(groups) <= {0, 1}
            high_group = (1,) if plain else tuple(groups[1:])
            rule = SensitiveAttribute(attribute, own, values=high_group, carriers=held)
        protected.append(rule)
    weights = None
    if sample_weight is not None:
        own = str(getattr(sample_weight, "name", None) or "sample_weight")
        weights = add_column(frame, own, np.asarray(sample_weight, dtype=np.float64))
    return Table(name, frame, features, Target(label, high, low), tuple(protected), weights)


def _index_level(attribute: SensitiveAttribute, frame: pd.DataFrame) -> Any:
    """Return an attribute as a level of an index."""
    groups, column = complete_groups(attribute, frame), frame[attribute.column]
    if attribute.continuous:
        return groups
    if attribute.levels is not None:
        return pd.Categorical(column, categories=list(attribute.levels))
    high, low = (pd.unique(column[groups == g]) for g in (1, 0))
    if len(high) == len(low) == 1:
        return pd.Categorical(column, categories=[low[0], high[0]], ordered=True)
    return groups.astype(np.int64)


def _is_ordered(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype) and bool(column.dtype.ordered)


def _ordered(column: pd.Series) -> list[Any]:
    """Return the values of a column: its categories in their order, or sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.categories)
    values = pd.unique(column.dropna().astype(object)).tolist()
    return sorted(values, key=lambda v: (str(type(v)), v))
