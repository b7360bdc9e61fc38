"""The exact graph of nearest neighbours that Consistency needs, found once for many predictions.

On one-hot data many rows lie at the k-th distance, and which of them a search returns depends on
the order of the rows. Here the neighbours tied at the k-th distance share the weight that is left,
so that the graph, and Consistency, do not depend on the order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.spatial.distance import cdist

from grad_ext.errors import InputError

# Distances that differ by less than this share of themselves are rounding, not order.
TIE = 1e-9
# Bytes of the block of distances held at once.
BLOCK_BYTES = 256 * 2**20


def neighbor_graph(X: ArrayLike, k: int = 5, include_self: bool = False) -> sparse.csr_array:
    """Return the k-nearest-neighbour graph as weights that sum to 1 in every row.

    Parameters
    ----------
    X : array of shape (N, D)
        Where the rows lie; Euclidean distance, computed in float64.
    k : int, default 5
        Number of neighbours, smaller than N (at most N with `include_self`).
    include_self : bool, default False
        Count each row among its own neighbours.

    Returns
    -------
    scipy.sparse.csr_array of shape (N, N)
        ``graph @ y`` is the mean of y over each row's neighbours.

    Raises
    ------
    InputError
        If `k` is out of range or `X` is not a finite matrix.
    """
    points = np.asarray(X, dtype=np.float64)
    if points.ndim != 2:
        raise InputError(f"X: expected a matrix of shape (N, D), got shape {points.shape}")
    if not np.isfinite(points).all():
        raise InputError("X: expected finite numbers, got NaN or infinity")
    n = len(points)
    most = n if include_self else n - 1
    if not 1 <= k <= most:
        raise InputError(f"k: expected 1 to {most} neighbours for {n} rows, got {k}")
    step = max(1, BLOCK_BYTES // (8 * n))
    blocks = [_block(points, start, step, k, include_self) for start in range(0, n, step)]
    graph: sparse.csr_array = sparse.vstack(blocks, format="csr")
    return graph


def _block(
    points: np.ndarray, start: int, step: int, k: int, include_self: bool
) -> sparse.csr_array:
    distance = cdist(points[start : start + step], points)
    rows = np.arange(len(distance))
    if not include_self:
        distance[rows, start + rows] = np.inf
    kth = np.partition(distance, k - 1, axis=1)[:, k - 1 : k]
    nearer = distance < kth * (1.0 - TIE)
    tied = (distance <= kth * (1.0 + TIE)) & ~nearer
    left = (k - nearer.sum(axis=1)) / tied.sum(axis=1)
    weight = (nearer + tied * left[:, None]) / k
    return sparse.csr_array(weight)
