"""What scikit-learn's and Fairlearn's ``fetch_*`` functions return, as a table.

They return a Bunch with data and target, or these two alone (``return_X_y=True``), as frames or as
arrays. Neither library is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from grad_ext.data.source import Protected, table_from_frame
from grad_ext.data.table import Table
from grad_ext.errors import InputError

# The name of a target that brings none along.
TARGET = "target"


def table_from_bunch(
    bunch: Any, protected: Protected, favorable: Any = None, *, name: str = "data", **options: Any
) -> Table:
    """Return a table of a Bunch, or of its data and target; see `Table.from_bunch`.

    Raises
    ------
    InputError
        If it has no data and one target of the same rows, and whatever `Table.from_frame` raises.
    """
    frame, label = frame_of(bunch)
    return table_from_frame(frame, label, protected, favorable, name=name, **options)


def frame_of(bunch: Any) -> tuple[pd.DataFrame, str]:
    """Return a Bunch's features and target as one frame, and the target's name.

    Raises
    ------
    InputError
        If it has no data and one target of the same rows.
    """
    names = None
    if isinstance(bunch, Mapping):
        data, target = bunch.get("data"), bunch.get("target")
        names = bunch.get("feature_names")
        labels = bunch.get("target_names")
    elif isinstance(bunch, tuple) and len(bunch) == 2:
        data, target, labels = *bunch, None
    else:
        data = target = labels = None
    if data is None or target is None:
        raise InputError(
            "expected a Bunch with data and target, as scikit-learn's and Fairlearn's fetch_* "
            f"functions return it, or the pair of both, got {type(bunch).__name__}"
        )
    X, y = _frame(data, names), _series(target, labels)
    if len(X) != len(y):
        raise InputError(f"expected data and target of the same rows, got {len(X)} and {len(y)}")
    indexed = isinstance(data, pd.DataFrame) and isinstance(target, (pd.DataFrame, pd.Series))
    if indexed and not X.index.equals(y.index):
        raise InputError("expected data and target with the same index, got two that differ")
    label = str(y.name)
    if label in X.columns:
        raise InputError(f"the target's name, {label!r}, is that of a feature too")
    frame = X.reset_index(drop=True)
    frame[label] = y.reset_index(drop=True)
    return frame, label


def _frame(data: Any, names: Any) -> pd.DataFrame:
    """Return the features as a new frame."""
    if isinstance(data, pd.DataFrame):
        return data.copy(deep=False)
    values = np.asarray(data)
    if values.ndim != 2:
        raise InputError(f"data: expected a frame or an array of two axes, got {data!r:.80}")
    if names is None or len(names) != values.shape[1]:
        names = [f"x{i}" for i in range(values.shape[1])]
    return pd.DataFrame(values, columns=[str(name) for name in names])


def _series(target: Any, labels: Any) -> pd.Series:
    """Return the target as a series with a name; `labels` are names of the target's columns."""
    if isinstance(target, pd.DataFrame):
        if target.shape[1] != 1:
            raise InputError(
                f"expected one target, got {', '.join(map(repr, target.columns))}: choose one "
                "with target_columns, or pass a frame to Table.from_frame"
            )
        target = target.iloc[:, 0]
    if isinstance(target, pd.Series):
        return target if target.name is not None else target.rename(TARGET)
    values = np.asarray(target)
    if values.ndim != 1:
        raise InputError(f"expected one target, got an array of shape {values.shape}")
    # Of load_* functions these are the names of the classes, of which there is more than one.
    named = isinstance(labels, list) and len(labels) == 1
    return pd.Series(values, name=str(labels[0]) if named else TARGET)
