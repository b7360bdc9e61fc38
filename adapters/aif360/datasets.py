"""Conversion of tables to and from AIF360's data sets.

Conversion is lossless: `from_aif360(to_aif360(table), de_dummy_code=True)` is the table, and
`to_aif360(from_aif360(dataset))` equals the data set, as AIF360 compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.sensitive import MOST_GROUPS, SensitiveAttribute
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError, MissingToolkit, unknown

try:
    from aif360.datasets import BinaryLabelDataset
except ImportError as error:
    raise MissingToolkit("aif360", "aif360") from error

Floats = NDArray[np.float64]

# AIF360's separator between the name and the level of a categorical column.
SEPARATOR = "="
# Key of the original table in a data set's metadata.
TABLE = "table"


def to_aif360(table: Table) -> BinaryLabelDataset:
    """Return a table as AIF360's data set.

    Categorical features become 0/1 columns named ``column=level``, after the numeric ones. The
    columns that hold a protected attribute are replaced by one column with the attribute's name, as
    in AIF360's own data sets: 1 for the privileged of two groups and 0 for the others; the number
    of the group where there are more (the first one privileged); the number itself for a continuous
    attribute (the highest privileged, as AIF360 has it). Groups and labels that are numbers keep
    their values; of other labels the favorable one becomes 1 and the other 0.

    Parameters
    ----------
    table : Table
        N rows.

    Returns
    -------
    aif360.datasets.BinaryLabelDataset
        The rows in order, named by the frame's index, with privileged values, label values, instance
        weights and scores. The metadata hold the table, for `from_aif360`.

    Raises
    ------
    InputError
        If a feature has missing values, a row belongs to no group, or two columns would have the
        same name.
    """
    carried = {c for p in table.protected for c in p.carriers}
    names = table.attribute_names
    columns = [c for c in table.features if c not in carried or c in names]
    frame = table.frame[columns].copy(deep=False)
    gaps = [c for c in columns if c not in names and frame[c].isna().any()]
    if gaps:
        n = int(frame[gaps[0]].isna().sum())
        raise InputError(f"feature {gaps[0]!r}: AIF360 takes no missing values, got {n}")
    coded = [_coded(attribute, table.frame) for attribute in table.protected]
    for attribute, (values, _, _) in zip(table.protected, coded, strict=True):
        if attribute.name in table.features and attribute.name not in attribute.carriers:
            raise InputError(
                f"protected attribute {attribute.name!r}: a feature of that name holds other values"
            )
        frame[attribute.name] = values
    text = [c for c in frame if not pd.api.types.is_numeric_dtype(frame[c])]
    # As objects, so that a category without rows gets no column.
    frame = frame.astype(dict.fromkeys(text, object))
    frame = pd.get_dummies(frame, columns=text, prefix_sep=SEPARATOR, dtype=float)
    label, favorable, unfavorable = (
        table.target.column,
        table.target.favorable,
        table.target.unfavorable,
    )
    numeric = isinstance(favorable, Real) and isinstance(unfavorable, Real)
    high, low = (float(favorable), float(unfavorable)) if numeric else (1.0, 0.0)
    taken = [*frame.columns, label]
    repeated = [c for c in taken if taken.count(c) > 1]
    if repeated:
        raise InputError(f"two columns would be called {repeated[0]!r} in AIF360's data set")
    frame[label] = np.where(table.y(), high, low)
    weights = None if table.weights is None else add_column(frame, "instance_weights", table.w())
    metadata: dict[str, Any] = {TABLE: table}
    if not numeric:
        metadata["label_maps"] = [{high: str(favorable), low: str(unfavorable)}]
    dataset = BinaryLabelDataset(
        favorable_label=high,
        unfavorable_label=low,
        df=frame,
        label_names=[label],
        protected_attribute_names=list(names),
        instance_weights_name=weights,
        privileged_protected_attributes=[np.array(values) for _, values, _ in coded],
        unprivileged_protected_attributes=[np.array(values) for _, _, values in coded],
        metadata=metadata,
    )
    for attribute in table.protected:
        # A feature may differ from the protected attribute of the same name.
        if attribute.column != attribute.name and attribute.name in table.features:
            own = table.frame[attribute.name]
            if pd.api.types.is_numeric_dtype(own):
                dataset.features[:, dataset.feature_names.index(attribute.name)] = own
    if table.scores is not None:
        dataset.scores = np.asarray(table.frame[table.scores], dtype=np.float64)[:, None]
    return dataset


def from_aif360(
    dataset: BinaryLabelDataset,
    protected: Sequence[str] | None = None,
    continuous: Sequence[str] = (),
    de_dummy_code: bool = False,
) -> Table:
    """Return AIF360's data set as a table.

    Parameters
    ----------
    dataset : aif360.datasets.BinaryLabelDataset
        N rows.
    protected : sequence of str, optional
        The attributes to protect; all of the data set's if not given.
    continuous : sequence of str, optional
        Those of them that are numbers instead of groups, in addition to those of the table that
        `to_aif360` converted.
    de_dummy_code : bool, default False
        Join 0/1 columns named ``column=level`` to one column of text with these levels, and give
        labels their names. A data set of `to_aif360` gives the columns of its table again, unless
        its features or protected attributes have changed since.

    Returns
    -------
    Table
        The rows in order, privileged as in the data set. An attribute of more than two values has a
        group for each.

    Raises
    ------
    InputError
        If it is not a BinaryLabelDataset, lacks one of the attributes, or one of them has too many
        values for groups.
    """
    if not isinstance(dataset, BinaryLabelDataset):
        raise InputError(f"expected a BinaryLabelDataset, got {type(dataset).__name__}")
    names = list(dataset.protected_attribute_names)
    chosen = names if protected is None else list(protected)
    if not chosen:
        raise InputError("expected at least one protected attribute, got none")
    for name in chosen:
        if name not in names:
            raise unknown("protected attribute", name, names)
    if len(set(dataset.feature_names)) != len(dataset.feature_names):
        repeated = [n for n in dataset.feature_names if dataset.feature_names.count(n) > 1]
        raise InputError(f"feature names must differ, got {repeated[0]!r} more than once")
    origin, levels = dataset.metadata.get(TABLE), {}
    if isinstance(origin, Table):
        if de_dummy_code and (known := _restored(dataset, origin)) is not None:
            return known.protecting(chosen)
        continuous = [*continuous, *(p.name for p in origin.protected if p.continuous)]
        levels = {p.name: _level_numbers(p, origin.frame) for p in origin.protected}
    label, labels = dataset.label_names[0], dataset.labels.ravel()
    favorable, unfavorable = dataset.favorable_label, dataset.unfavorable_label
    index = pd.Index(dataset.instance_names)
    frame = pd.DataFrame(dataset.features, columns=dataset.feature_names, index=index)
    features = list(frame.columns)
    if de_dummy_code:
        frame, features = _undummied(frame)
        texts = dataset.metadata.get("label_maps", [{}])[0]
        if {favorable, unfavorable} <= texts.keys():
            labels = np.array([texts.get(v, v) for v in labels], dtype=object)
            favorable, unfavorable = texts[favorable], texts[unfavorable]
    frame[label] = labels
    weights = add_column(frame, "instance_weights", dataset.instance_weights)
    scores = _scores(dataset, frame)
    return Table(
        name=type(dataset).__name__,
        frame=frame,
        features=tuple(features),
        target=Target(label, favorable, unfavorable),
        protected=tuple(
            _attribute(dataset, name, frame, name in continuous, levels.get(name, []))
            for name in chosen
        ),
        weights=weights,
        scores=scores,
    )


def _coded(
    attribute: SensitiveAttribute, frame: pd.DataFrame
) -> tuple[Floats, Sequence[float], Sequence[float]]:
    """Return an attribute's column in AIF360, and its privileged and unprivileged values."""
    column, groups = frame[attribute.column], complete_groups(attribute, frame)
    if attribute.partition is not None:
        return column.to_numpy(dtype=np.float64), *attribute.partition
    if attribute.levels is not None:
        numbers = _level_numbers(attribute, frame)
        values = np.array(numbers)[groups.astype(np.intp)]
        high = numbers[:1]
    elif attribute.continuous:
        values, high = groups, [float(groups.max())] if len(groups) else []
    else:
        return groups, [1.0], [0.0]
    return values, high, [v for v in np.unique(values).tolist() if v not in high]


def _level_numbers(attribute: SensitiveAttribute, frame: pd.DataFrame) -> list[float]:
    """Return the numbers that the groups of an attribute of more than two have in AIF360."""
    levels: tuple[Any, ...] = attribute.levels or ()
    if pd.api.types.is_numeric_dtype(frame[attribute.column]):
        return [float(level) for level in levels]
    return [float(number) for number in range(len(levels))]


def complete_groups(attribute: SensitiveAttribute, frame: pd.DataFrame) -> Floats:
    """Return the number of each row's group, since AIF360 takes no missing values."""
    groups = attribute.of(frame)
    outside = int(np.isnan(groups).sum())
    if outside:
        raise InputError(
            f"{outside:,} of {len(frame):,} rows belong to no group of {attribute.name!r}, and "
            "AIF360 takes no missing values; Table.known() leaves them out"
        )
    return groups


def _restored(dataset: BinaryLabelDataset, origin: Table) -> Table | None:
    """Return the rows of the data set's original table, if features and attributes are unchanged.

    Labels, weights and scores are the data set's.
    """
    rows = origin.frame.index.astype(str)
    if not rows.is_unique:
        return None
    at = rows.get_indexer(pd.Index(dataset.instance_names, dtype=rows.dtype))
    if (at < 0).any():
        return None
    again = to_aif360(origin)
    names = ("feature_names", "label_names", "protected_attribute_names", "favorable_label")
    if any(getattr(again, n) != getattr(dataset, n) for n in (*names, "unfavorable_label")):
        return None
    again = again.subset(at)
    if not all(
        np.array_equal(getattr(again, n), getattr(dataset, n))
        for n in ("features", "protected_attributes")
    ):
        return None
    whole = len(at) == len(rows) and (at == np.arange(len(rows))).all()
    table = origin if whole else origin.take(at)
    frame, weights = table.frame.copy(deep=False), table.weights
    if not np.array_equal(again.labels, dataset.labels):
        positive = dataset.labels.ravel() == dataset.favorable_label
        target = table.target
        frame[target.column] = np.where(positive, target.favorable, target.unfavorable)
    if not np.array_equal(again.instance_weights, dataset.instance_weights):
        weights = add_column(frame, "instance_weights", dataset.instance_weights)
    scores = table.scores
    if not np.array_equal(again.scores, dataset.scores):
        scores = _scores(dataset, frame)
    return replace(table, frame=frame, weights=weights, scores=scores)


def _scores(dataset: BinaryLabelDataset, frame: pd.DataFrame) -> str | None:
    """Add the scores as a column, if they differ from the labels, and return its name."""
    scores = dataset.scores.ravel()
    if np.array_equal(scores, dataset.labels.ravel() == dataset.favorable_label):
        return None
    return add_column(frame, "scores", scores)


def _undummied(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Join 0/1 columns ``column=level`` of a frame to one column; return the frame and its columns."""
    held: dict[str, list[str]] = {}
    for name in frame.columns:
        held.setdefault(name.partition(SEPARATOR)[0], []).append(name)
    columns: dict[str, Any] = {}
    for prefix, names in held.items():
        block = frame[names].to_numpy()
        dummies = all(SEPARATOR in name for name in names)
        if dummies and np.isin(block, (0, 1)).all() and (block.sum(axis=1) == 1).all():
            levels = np.array([name.partition(SEPARATOR)[2] for name in names], dtype=object)
            columns[prefix] = levels[block.argmax(axis=1)]
        else:
            columns |= {name: frame[name] for name in names}
    return pd.DataFrame(columns, index=frame.index), list(columns)


def add_column(frame: pd.DataFrame, name: str, values: Any) -> str:
    """Add a column under an unused name, and return the name."""
    while name in frame.columns:
        name += "_"
    frame[name] = values
    return name


def _attribute(
    dataset: BinaryLabelDataset,
    name: str,
    frame: pd.DataFrame,
    continuous: bool,
    levels: Sequence[float],
) -> SensitiveAttribute:
    """Return an attribute, with the given levels if it has no other values."""
    at = list(dataset.protected_attribute_names).index(name)
    column = dataset.protected_attributes[:, at]
    # The groups are those of `protected_attributes`, whatever the feature column holds.
    own = add_column(frame, f"protected_{name}", column)
    high = tuple(np.ravel(dataset.privileged_protected_attributes[at]).tolist())
    low = tuple(np.ravel(dataset.unprivileged_protected_attributes[at]).tolist())
    rest: dict[str, Any] = {"carriers": (name, own), "partition": (high, low)}
    if continuous:
        return SensitiveAttribute(name, own, continuous=True, **rest)
    values = np.unique(column[~np.isnan(column)]).tolist()
    if levels and set(values) <= set(levels):
        return SensitiveAttribute(name, own, levels=tuple(levels), **rest)
    if len(values) > MOST_GROUPS:
        raise too_many_groups(name, len(values))
    if len(values) > 2:
        return SensitiveAttribute(name, own, levels=tuple(values), **rest)
    return SensitiveAttribute(name, own, values=high, **rest)


def too_many_groups(name: str, groups: int) -> InputError:
    """Return the error for an attribute of more values than groups can have."""
    return InputError(
        f"protected attribute {name!r} has {groups} values; add it to `continuous`, "
        f"or group it into at most {MOST_GROUPS}"
    )
