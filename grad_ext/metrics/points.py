"""Features as points, between which Consistency measures distances."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.encoding import metric_space
from grad_ext.errors import InputError


def points_of(X: Any, left_out: Collection[str]) -> NDArray[np.float64]:
    """Return the encoded rows of a frame or matrix, without some of its columns; raises as `as_frame`."""
    frame = as_frame(X)
    return metric_space(frame[[c for c in frame.columns if str(c) not in left_out]])


def as_frame(X: Any) -> pd.DataFrame:
    """Return features as a frame of pandas.

    Raises
    ------
    InputError
        If they are neither a frame nor a dense matrix.
    """
    if hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if isinstance(X, pd.DataFrame):
        return X
    array = np.asarray(X)
    if array.ndim != 2:
        raise InputError(f"X: expected a frame or a dense matrix, got {type(X).__name__}")
    return pd.DataFrame(array)
