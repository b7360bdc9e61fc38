"""Features as users pass them: sparse matrices, columns in another order, arrays of objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from grad_ext.errors import InputError

# Sparse features are made dense up to this size, in bytes of float64.
MOST_DENSE_BYTES = 2**30


def dense(X: Any) -> Any:
    """Return sparse features as dense ones, and others as they are.

    Parameters
    ----------
    X : object
        A sparse matrix or array of scipy becomes an array; sparse columns of a frame become dense.

    Raises
    ------
    InputError
        If the dense values would take more than `MOST_DENSE_BYTES`.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from grad_ext.models.inputs import dense
    >>> dense(csr_array([[0.0, 1.0]]))
    array([[0., 1.]])
    """
    if sparse.issparse(X):
        matrix: Any = X
        _check_size(*matrix.shape)
        return matrix.toarray()
    if isinstance(X, pd.DataFrame):
        places = [k for k, dtype in enumerate(X.dtypes) if isinstance(dtype, pd.SparseDtype)]
        if places:
            _check_size(len(X), len(places))
            columns: list[Any] = [X.iloc[:, k] for k in range(len(X.columns))]
            for k in places:
                columns[k] = columns[k].sparse.to_dense()
            filled = pd.concat(columns, axis=1)
            filled.columns = X.columns
            return filled
    return X


def _check_size(rows: int, columns: int = 1) -> None:
    size = 8 * rows * columns
    if size > MOST_DENSE_BYTES:
        raise InputError(
            f"X: sparse features are made dense, which may take {MOST_DENSE_BYTES:,} bytes; "
            f"{rows:,} rows of {columns:,} columns take {size:,}; select fewer columns, or reduce "
            "them first, as sklearn.decomposition.TruncatedSVD does"
        )


def by_name(X: Any, names: Any) -> Any:
    """Return rows with the columns of fitting in the order of fitting.

    Parameters
    ----------
    X : object
        A frame with the same columns in another order is put in order; an array or list of objects
        or texts becomes a frame, since its columns have types of their own. Others stay as they are.
    names : array of str or None
        The names of the columns of fitting, in order; None if it had none.
    """
    if names is None:
        return X
    if isinstance(X, pd.DataFrame):
        ordered = list(X.columns)
        if ordered != list(names) and sorted(map(str, ordered)) == sorted(names):
            return X[list(names)]
        return X
    array = np.asarray(X, dtype=object) if isinstance(X, list) else X
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "OUS":
        return X
    if array.ndim != 2 or array.shape[1] != len(names):
        return X
    return pd.DataFrame(array, columns=list(names)).infer_objects()
