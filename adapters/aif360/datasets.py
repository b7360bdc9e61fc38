"""Conversion of tables to and from AIF360's data sets and the frames of its scikit-learn interface.

Conversion is lossless: `from_aif360(to_aif360(table), de_dummy_code=True)` is the table, and
`to_aif360(from_aif360(dataset))` equals the data set, as AIF360 compares them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.sensitive import MOST_GROUPS, SensitiveAttribute, index_frame
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError, MissingToolkit, unknown

try:
    from aif360.datasets import BinaryLabelDataset
    from aif360.sklearn.datasets.utils import Dataset, WeightedDataset
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
    weights = None if table.weights is None else _column(frame, "instance_weights", table.w())
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
    weights = _column(frame, "instance_weights", dataset.instance_weights)
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
    label = _column(frame, str(y.name or "label"), np.asarray(y.astype(object)))
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
        own = _column(frame, f"protected_{attribute}", np.asarray(index[attribute].astype(object)))
        frame[own] = frame[own].infer_objects()
        held = (own, attribute, *(carriers or {}).get(attribute, ()))
        groups = _ordered(index[attribute])
        if attribute in continuous:
            rule = SensitiveAttribute(attribute, own, continuous=True, carriers=held)
        elif len(groups) > MOST_GROUPS:
            raise _too_many(attribute, len(groups))
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
        weights = _column(frame, own, np.asarray(sample_weight, dtype=np.float64))
    return Table(name, frame, features, Target(label, high, low), tuple(protected), weights)


def _coded(
    attribute: SensitiveAttribute, frame: pd.DataFrame
) -> tuple[Floats, Sequence[float], Sequence[float]]:
    """Return an attribute's column in AIF360, and its privileged and unprivileged values."""
    column, groups = frame[attribute.column], _groups(attribute, frame)
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


def _groups(attribute: SensitiveAttribute, frame: pd.DataFrame) -> Floats:
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
        weights = _column(frame, "instance_weights", dataset.instance_weights)
    scores = table.scores
    if not np.array_equal(again.scores, dataset.scores):
        scores = _scores(dataset, frame)
    return replace(table, frame=frame, weights=weights, scores=scores)


def _scores(dataset: BinaryLabelDataset, frame: pd.DataFrame) -> str | None:
    """Add the scores as a column, if they differ from the labels, and return its name."""
    scores = dataset.scores.ravel()
    if np.array_equal(scores, dataset.labels.ravel() == dataset.favorable_label):
        return None
    return _column(frame, "scores", scores)


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


def _column(frame: pd.DataFrame, name: str, values: Any) -> str:
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
    own = _column(frame, f"protected_{name}", column)
    high = tuple(np.ravel(dataset.privileged_protected_attributes[at]).tolist())
    low = tuple(np.ravel(dataset.unprivileged_protected_attributes[at]).tolist())
    rest: dict[str, Any] = {"carriers": (name, own), "partition": (high, low)}
    if continuous:
        return SensitiveAttribute(name, own, continuous=True, **rest)
    values = np.unique(column[~np.isnan(column)]).tolist()
    if levels and set(values) <= set(levels):
        return SensitiveAttribute(name, own, levels=tuple(levels), **rest)
    if len(values) > MOST_GROUPS:
        raise _too_many(name, len(values))
    if len(values) > 2:
        return SensitiveAttribute(name, own, levels=tuple(values), **rest)
    return SensitiveAttribute(name, own, values=high, **rest)


def _too_many(name: str, groups: int) -> InputError:
    return InputError(
        f"protected attribute {name!r} has {groups} values; add it to `continuous`, "
        f"or group it into at most {MOST_GROUPS}"
    )


def _index_level(attribute: SensitiveAttribute, frame: pd.DataFrame) -> Any:
    """Return an attribute as a level of an index."""
    groups, column = _groups(attribute, frame), frame[attribute.column]
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
