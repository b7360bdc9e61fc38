"""The exact graph of nearest neighbours for Consistency, computed once for many predictions.

On one-hot data many rows lie at the k-th distance, and which of them a search returns depends on
the order of the rows. In this graph the neighbours tied at the k-th distance share the remaining
weight, so that the graph, and Consistency, do not depend on the order.

Equal rows are one point. `grad_ext.metrics.candidates` returns a few candidates for each point, among
them all its neighbours; their distances are computed in double precision from the differences
of the coordinates, and decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from grad_ext.errors import InputError, unknown
from grad_ext.metrics.candidates import TIE, candidates, squared_distances

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
# Number of neighbours: AIF360's default, where the paper is silent.
NEIGHBORS = 5
TIES = ("share", "first")
# Bytes that the finished graph may have.
GRAPH_BYTES = 2 * 2**30


@dataclass(frozen=True)
class NeighborGraph:
    """The nearest neighbours of N rows that lie at U different points.

    Attributes
    ----------
    points : int array of shape (N,)
        The point of each row.
    own : array of shape (U,)
        Weight of each other row at the same point (and of the row itself, with `include_self`).
    others : scipy.sparse.csr_array of shape (U, U)
        Weight of each row at another point.
    include_self : bool
        Whether a row is among its own neighbours.
    """

    points: Ints
    own: Floats
    others: sparse.csr_array
    include_self: bool

    def __len__(self) -> int:
        return len(self.points)

    def mean(self, values: ArrayLike) -> Floats:
        """Return the mean of values over each row's neighbours.

        Parameters
        ----------
        values : array of shape (..., N)
            One or many predictions.

        Returns
        -------
        array of shape (..., N)
            A constant's mean is that constant exactly.
        """
        array = np.asarray(values, dtype=np.float64)
        flat = array.reshape(-1, len(self)).T
        total = self._total(np.ones((len(self), 1)))
        return np.asarray((self._total(flat) / total).T.reshape(array.shape))

    def _total(self, values: Floats) -> Floats:
        """Return the weighted sum over each row's neighbours, shape (N, P)."""
        n = len(self)
        at = sparse.csr_array((np.ones(n), self.points, np.arange(n + 1)), shape=(n, len(self.own)))
        sums = np.asarray(at.T @ values)
        at_points = self.own[:, None] * sums + np.asarray(self.others @ sums)
        near: Floats = at_points[self.points]
        return near if self.include_self else near - self.own[self.points, None] * values

    def toarray(self) -> Floats:
        """Return the weights as a matrix of shape (N, N), each row of which sums to 1."""
        return self._total(np.eye(len(self)))


def neighbor_graph(
    X: ArrayLike,
    k: int = NEIGHBORS,
    include_self: bool = False,
    ties: str = "share",
    device: str = "cpu",
) -> NeighborGraph:
    """Return the exact k-nearest-neighbour graph.

    Parameters
    ----------
    X : array of shape (N, D)
        Coordinates of the rows; Euclidean distance, decided in float64.
    k : int, default 5
        Number of neighbours, smaller than N (at most N with `include_self`).
    include_self : bool, default False
        Count each row among its own neighbours.
    ties : {'share', 'first'}, default 'share'
        Rows tied at the k-th distance share the remaining weight; or the first of them are taken, for
        comparison with searches that do so.
    device : str, default 'cpu'
        Where distances are computed: 'cpu', or a device of torch such as 'cuda'. The graph is the
        same.

    Returns
    -------
    NeighborGraph

    Raises
    ------
    InputError
        If `k` is out of range, `X` is not a finite matrix, or so many rows are tied that the graph
        would need more than 2 GiB.
    """
    points = np.array(X, dtype=np.float64, ndmin=1)
    if points.ndim != 2:
        raise InputError(f"X: expected a matrix of shape (N, D), got shape {points.shape}")
    if not np.isfinite(points).all():
        raise InputError("X: expected finite numbers, got NaN or infinity")
    n = len(points)
    most = n if include_self else n - 1
    if not 1 <= k <= most:
        raise InputError(f"k: expected 1 to {most} neighbours for {n} rows, got {k}")
    if ties not in TIES:
        raise unknown("ties", ties, TIES)
    # A minus before a zero makes no other point.
    unique, at, sizes = _distinct(points + 0.0)
    beside = sizes - (0 if include_self else 1)
    left = np.maximum(k - beside, 0)
    pairs = _search(unique, sizes, left, k, device)
    if ties == "first":
        return _first(at, pairs, k, include_self)
    weight = np.where(pairs.tied, pairs.share, 1.0) / k
    return NeighborGraph(
        points=at,
        own=1.0 / np.maximum(beside, k),
        others=sparse.csr_array((weight, (pairs.of, pairs.near)), shape=(len(unique),) * 2),
        include_self=include_self,
    )


@dataclass(frozen=True)
class _Pairs:
    """Points and their nearest other points, ordered by the first.

    `tied` marks those at the k-th distance, `share` is what of the number of neighbours is left for
    them, divided by their rows.
    """

    of: Ints
    near: Ints
    tied: NDArray[np.bool_]
    share: Floats


def _distinct(points: Floats) -> tuple[Floats, Ints, Ints]:
    """Return the different points, the number of each row's, and how many rows each has.

    By a hash of the rows, which sorts faster than they do.
    """
    bits = points.view(np.uint64)
    factors = np.random.default_rng(0).integers(2**63, size=points.shape[1], dtype=np.uint64)
    _, first, at, sizes = np.unique(
        (bits ^ (bits >> np.uint64(32))) @ factors,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    unique = points[first]
    if not np.array_equal(unique[at], points):  # two rows of one hash
        unique, at, sizes = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    return unique, at.reshape(-1), sizes


def _search(points: Floats, sizes: Ints, left: Ints, k: int, device: str) -> _Pairs:
    """Find, for each point that lacks neighbours, the points that its `left` next rows lie at."""
    none = np.zeros(0, dtype=np.intp)
    blocks, entries = [_Pairs(none, none, none.astype(np.bool_), none.astype(np.float64))], 0
    for of, near in candidates(points, np.flatnonzero(left), k, device):
        block = _decide(points, sizes, left, of, near)
        entries += len(block.of)
        if 16 * entries > GRAPH_BYTES:
            raise InputError(
                f"X: so many rows are tied at the distance of their neighbour {k} that the graph "
                f"would need more than {GRAPH_BYTES / 2**30:g} GiB"
            )
        blocks.append(block)
    return _Pairs(
        of=np.concatenate([block.of for block in blocks]),
        near=np.concatenate([block.near for block in blocks]),
        tied=np.concatenate([block.tied for block in blocks]),
        share=np.concatenate([block.share for block in blocks]),
    )


def _decide(points: Floats, sizes: Ints, left: Ints, of: Ints, near: Ints) -> _Pairs:
    """Choose the nearest among candidates, by exact distance."""
    squared = squared_distances(points, of, near)
    order = _by_two(of, squared)
    of, near, squared = of[order], near[order], squared[order]
    first = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
    which = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(of)]))
    rows = np.cumsum(sizes[near])
    rows -= (rows[first] - sizes[near][first])[which]
    # The k-th row lies at the first point with which there are enough.
    enough = np.flatnonzero(rows >= left[of])
    kth = squared[enough[np.r_[True, which[enough][1:] != which[enough][:-1]]]][which]
    nearer = squared < kth * (1.0 - TIE)
    tied = (squared <= kth * (1.0 + TIE)) & ~nearer
    remaining = left[of[first]] - np.bincount(which, nearer * sizes[near])
    share = (remaining / np.bincount(which, tied * sizes[near]))[which]
    chosen = nearer | tied
    return _Pairs(of[chosen], near[chosen], tied[chosen], share[chosen])


def _first(at: Ints, pairs: _Pairs, k: int, include_self: bool) -> NeighborGraph:
    """Return the graph in which the first of the tied rows are taken; every row is a point."""
    n = len(at)
    members = np.argsort(at, kind="stable")
    sizes = np.bincount(at)
    starts = np.cumsum(sizes) - sizes
    # Rows at nearer points all count; of the tied, and of those at the same point, the first.
    of = np.r_[pairs.of, np.arange(len(sizes))]
    near = np.r_[pairs.near, np.arange(len(sizes))]
    rank = np.r_[np.where(pairs.tied, 2, 1), np.zeros(len(sizes), dtype=int)]
    # One more than k may be needed where a row is among those at its own point.
    capped = np.minimum(sizes[near], k + 1)
    pair = np.repeat(np.arange(len(of)), capped)
    member = members[starts[near[pair]] + _counting(capped)]
    # One number a member sorts faster than three, which are then computed from it.
    key = np.sort((of * 3 + rank)[pair] * n + member)
    point, member = key // (3 * n), key % n
    taken = _counting(np.bincount(point, minlength=len(sizes))) <= k
    point, member = point[taken], member[taken]
    many = np.bincount(point, minlength=len(sizes))
    ends = np.cumsum(many)
    row = np.repeat(np.arange(n), many[at])
    neighbor = member[(ends - many)[at[row]] + _counting(many[at])]
    if not include_self:
        row, neighbor = row[row != neighbor], neighbor[row != neighbor]
    neighbor = neighbor[_counting(np.bincount(row, minlength=n)) < k]
    weight = np.full(n * k, 1.0 / k)
    return NeighborGraph(
        points=np.arange(n),
        own=np.zeros(n),
        others=sparse.csr_array((weight, neighbor, np.arange(0, n * k + 1, k)), shape=(n, n)),
        include_self=True,
    )


def _by_two(first: Ints, second: Floats) -> Ints:
    """Return the order by one number and, where it is equal, by another.

    As two sorts of whole numbers, which are faster than one that compares pairs.
    """
    by_second = np.argsort(second)
    rank = np.empty(len(second), dtype=np.intp)
    rank[by_second] = np.arange(len(second))
    by_both: Ints = by_second[np.sort(first * len(second) + rank) % max(1, len(second))]
    return by_both


def _counting(sizes: Ints) -> Ints:
    """Return 0, 1, ... up to each size, one after another."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
