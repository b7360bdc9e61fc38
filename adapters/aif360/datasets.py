"""AIF360's data sets to and from tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from grad_ext.data.table import Protected, Table, Target
from grad_ext.errors import InputError, MissingToolkit, unknown
from grad_ext.sensitive import MOST_GROUPS

try:
    from aif360.datasets import BinaryLabelDataset
except ImportError as error:
    raise MissingToolkit("aif360", "aif360") from error

# AIF360's own separator of a categorical column's name and level.
SEPARATOR = "="


def to_aif360(table: Table) -> BinaryLabelDataset:
    """Return a table as AIF360's data set.

    Categorical features become 0/1 columns named ``column=level``. The columns that hold a
    protected attribute are replaced by one column with the attribute's name, 1 for the privileged,
    as in AIF360's own data sets. Labels keep their values if these are numbers, else the favorable
    one becomes 1 and the other 0.

    Parameters
    ----------
    table : Table
        N rows.

    Returns
    -------
    aif360.datasets.BinaryLabelDataset
        The rows in order; privileged values, label values and instance weights set.
    """
    features = table.inputs(use_protected=False)
    categorical = [c for c in features if not pd.api.types.is_numeric_dtype(features[c])]
    frame = pd.get_dummies(features, columns=categorical, prefix_sep=SEPARATOR, dtype=float)
    for attribute, privileged in zip(table.protected, table.a().T, strict=True):
        frame[attribute.name] = privileged.astype(float)
    favorable, unfavorable = table.target.favorable, table.target.unfavorable
    if not all(isinstance(v, (int, float)) for v in (favorable, unfavorable)):
        favorable, unfavorable = 1.0, 0.0
    frame[table.target.column] = np.where(table.y(), favorable, unfavorable).astype(float)
    if table.weights is not None:
        frame[table.weights] = table.w()
    k = len(table.protected)
    return BinaryLabelDataset(
        favorable_label=favorable,
        unfavorable_label=unfavorable,
        df=frame,
        label_names=[table.target.column],
        protected_attribute_names=list(table.attribute_names),
        instance_weights_name=table.weights,
        privileged_protected_attributes=[np.array([1.0])] * k,
        unprivileged_protected_attributes=[np.array([0.0])] * k,
        metadata={
            "label_maps": [
                {
                    float(favorable): str(table.target.favorable),
                    float(unfavorable): str(table.target.unfavorable),
                }
            ]
        },
    )


def from_aif360(
    dataset: BinaryLabelDataset,
    protected: Sequence[str] | None = None,
    continuous: Sequence[str] = (),
) -> Table:
    """Return AIF360's data set as a table.

    Parameters
    ----------
    dataset : aif360.datasets.BinaryLabelDataset
        N rows.
    protected : sequence of str, optional
        The attributes to protect; all of the data set's if not given.
    continuous : sequence of str, optional
        Those of them that are numbers and not groups.

    Returns
    -------
    Table
        The rows in order; a row is privileged where the data set says so. An attribute of more than
        two values has a group for each.

    Raises
    ------
    InputError
        If it is no BinaryLabelDataset, lacks one of the attributes, or one of them has too many
        values for groups.
    """
    if not isinstance(dataset, BinaryLabelDataset):
        raise InputError(f"expected a BinaryLabelDataset, got {type(dataset).__name__}")
    names = list(dataset.protected_attribute_names)
    chosen = names if protected is None else list(protected)
    if not chosen:
        raise InputError("expected at least one protected attribute, got none")
    if len(set(dataset.feature_names)) != len(dataset.feature_names):
        repeated = [n for n in dataset.feature_names if dataset.feature_names.count(n) > 1]
        raise InputError(f"feature names must differ, got {repeated[0]!r} more than once")
    label = dataset.label_names[0]
    frame = pd.DataFrame(dataset.features, columns=dataset.feature_names)
    frame[label] = dataset.labels.ravel()
    weights = _column(frame, "instance_weights", dataset.instance_weights)
    return Table(
        name=type(dataset).__name__,
        frame=frame,
        features=tuple(dataset.feature_names),
        target=Target(label, dataset.favorable_label, dataset.unfavorable_label),
        protected=tuple(_attribute(dataset, name, frame, name in continuous) for name in chosen),
        weights=weights,
    )


def _column(frame: pd.DataFrame, name: str, values: Any) -> str:
    """Add a column under a name that is free, and return that."""
    while name in frame.columns:
        name += "_"
    frame[name] = values
    return name


def _attribute(
    dataset: BinaryLabelDataset, name: str, frame: pd.DataFrame, continuous: bool
) -> Protected:
    names = list(dataset.protected_attribute_names)
    if name not in names:
        raise unknown("protected attribute", name, names)
    column = dataset.protected_attributes[:, names.index(name)]
    # The data set's `protected_attributes` say who is who, whatever the feature column holds.
    own = _column(frame, f"protected_{name}", column)
    carriers = (name, own)
    if continuous:
        return Protected(name, own, continuous=True, carriers=carriers)
    values = np.unique(column[~np.isnan(column)])
    if len(values) > MOST_GROUPS:
        raise InputError(
            f"protected attribute {name!r} has {len(values)} values; name it among `continuous`, "
            f"or group it into at most {MOST_GROUPS}"
        )
    if len(values) > 2:
        levels = tuple(float(v) for v in values)
        return Protected(name, own, levels=levels, carriers=carriers)
    privileged = dataset.privileged_protected_attributes[names.index(name)]
    return Protected(
        name, own, values=tuple(float(v) for v in np.ravel(privileged)), carriers=carriers
    )
