"""Candidates for the nearest neighbours of points: few for each point, and no neighbour is missing.

In few dimensions by a k-d tree; otherwise by the distances of all pairs, in blocks of single
precision, on the CPU or a GPU. Rounding cannot hide a neighbour: the candidates are all points whose
distance, less the largest error that the block can have, is not above that of k others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
# Pairs of points: numbers of the points, and of those near them.
Pairs = tuple[Ints, Ints]


# Squared distances that differ by less than this share of themselves are rounding, not order.
TIE = 2e-9
# Bytes of the block of distances held at once.
BLOCK_BYTES = 128 * 2**20
# Columns of a block of which only the nearest is looked at first.
STRIDE = 64
# Candidates for each point beyond which single precision is too coarse for these numbers.
COARSE = 256
# Points from which a tree can be faster; it is queried for SPARE more than k. Its leaves hold LEAF
# points.
WORTH_A_TREE, SPARE, LEAF = 1024, 14, 16
# Points that a tree is queried for at once.
QUERIES = 2**16
# Coordinates of the pairs whose exact distance is computed at once: few enough for the cache.
COORDINATES = 2**17


def candidates(points: Floats, asking: Ints, k: int, device: str) -> Iterator[Pairs]:
    """Yield candidates for some points, a block of them at a time."""
    if device == "cpu" and len(asking) >= WORTH_A_TREE and prefers_tree(*points.shape):
        tree = Tree(points, k)
        for start in range(0, len(asking), QUERIES):
            yield tree.of(asking[start : start + QUERIES])
        return
    # In double precision on a device: its single precision can be rounded more than float32 is.
    single = Blocks(points, k, np.float32) if device == "cpu" else None
    double = None if single else Blocks(points, k, np.float64, device)
    step = max(1, BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(asking), step):
        rows = asking[start : start + step]
        pairs = single.of(rows, COARSE * len(rows)) if single else None
        if pairs is None:
            single, double = None, double or Blocks(points, k, np.float64)
            pairs = double.of(rows)
            assert pairs is not None
        yield pairs


def prefers_tree(points: int, dimensions: int) -> bool:
    """Return whether a k-d tree is expected to be faster than blocks of all pairs.

    Measured on normal and one-hot data and on Adult, 2,000 to 45,000 points in 2 to 101 dimensions:
    the dimension at which both take the same time grows with the logarithm of the number of points,
    from 5 for 2,000 to 10 for 30,000. Both are exact, so only the time depends on it.
    """
    return bool(dimensions <= 4.0 / 3.0 * np.log2(points) - 9.7)


class Tree:
    """Candidates by a k-d tree, which is faster in few dimensions."""

    def __init__(self, points: Floats, k: int) -> None:
        # Late, since processes that only train do not need it.
        from scipy.spatial import KDTree

        # The sooner a sum of squares grows, the sooner a point is known to be too far.
        ordered = points[:, np.argsort(-points.var(axis=0), kind="stable")]
        # With the points in the order of a first tree's leaves, and queried in that order, near points
        # are near in memory too, and in the cache.
        self._order = KDTree(ordered, leafsize=LEAF).indices
        self._points = ordered[self._order]
        self._tree = KDTree(self._points, leafsize=LEAF)
        self._place = np.empty(len(points), dtype=np.intp)
        self._place[self._order] = np.arange(len(points))
        self._wanted = min(k, len(points) - 1)
        self._count = min(self._wanted + SPARE, len(points))

    def of(self, rows: Ints) -> Pairs:
        """Return pairs of a row and a candidate."""
        rows = np.sort(self._place[rows])
        queries = self._points[rows]
        nearest = self._tree.query(queries, k=np.arange(1, self._count + 1), workers=-1)
        distance, near = np.asarray(nearest[0]), np.asarray(nearest[1])
        # Nearest is the point itself, for no two are alike.
        reach = distance[:, self._wanted] * (1.0 + TIE)
        inside = distance <= reach[:, None]
        # If the last of them is no farther, there can be more.
        more = np.flatnonzero(inside[:, -1]) if self._count < len(self._points) else rows[:0]
        inside[more] = False
        of, place = np.nonzero(inside)
        of, near = rows[of], near[of, place]
        if len(more):
            lists = self._tree.query_ball_point(queries[more], reach[more], workers=-1)
            of = np.r_[of, np.repeat(rows[more], [len(each) for each in lists])]
            near = np.r_[near, np.concatenate([np.asarray(e, dtype=np.intp) for e in lists])]
        other = of != near
        return self._order[of[other]], self._order[near[other]]


class Blocks:
    """Candidates by blocks of all pairs, in one precision: all that can be among the k nearest."""

    def __init__(
        self,
        points: Floats,
        k: int,
        precision: type[np.float32 | np.float64],
        device: str = "cpu",
    ) -> None:
        self._points, self._device = points, device
        self._wanted = min(k, len(points) - 1)
        # Columns that lie so far apart that the least of each is found by whole rows of a matrix.
        self._width = STRIDE if len(points) >= STRIDE * max(STRIDE, 4 * k) else 1
        self._groups = -(-len(points) // self._width)
        # Near the origin the same rounding is smaller.
        centred = points - points.mean(axis=0)
        self._square = (centred**2).sum(axis=1)
        # More than the error of the rounded product of D + 1 terms.
        terms = points.shape[1] + 8
        self._slack = 4.0 * terms * float(np.finfo(precision).eps) * self._square
        # One product gives |y|² - 2 x·y, less its largest error: a coordinate more holds the square.
        queries = np.column_stack([centred, np.ones(len(points))])
        self._queries: NDArray[np.floating] = queries.astype(precision)
        self._others = np.zeros((points.shape[1] + 1, self._width * self._groups), dtype=precision)
        self._others[:-1, : len(points)] = -2.0 * centred.T
        self._others[-1] = np.inf
        self._others[-1, : len(points)] = self._square - self._slack
        if device != "cpu":
            import torch

            self._device_queries = torch.from_numpy(self._queries).to(device)
            self._device_others = torch.from_numpy(self._others).to(device)

    def of(self, rows: Ints, most: float = np.inf) -> Pairs | None:
        """Return pairs of a row and a candidate, or None if there are more than `most`."""
        find = self._on_cpu if self._device == "cpu" else self._on_device
        pairs = find(rows, most)
        return None if pairs is None or len(pairs[0]) > most else pairs

    def _limit(self, rows: Ints, near: Ints) -> Any:
        """Return the largest product that a candidate can have, given k points that are near."""
        of = np.repeat(rows, near.shape[1])
        farthest = squared_distances(self._points, of, near.ravel()).reshape(near.shape).max(axis=1)
        limit = farthest - self._square[rows] + self._slack[rows]
        limit += TIE * farthest
        precision = self._queries.dtype.type
        return np.nextafter(limit.astype(precision), precision(np.inf))

    def _on_cpu(self, rows: Ints, most: float) -> Pairs | None:
        each = np.arange(len(rows))
        product = self._queries[rows] @ self._others
        product[each, rows] = np.inf
        groups = product.reshape(len(rows), self._width, self._groups)
        least = groups.min(axis=1)
        first = np.argpartition(least, self._wanted - 1, axis=1)[:, : self._wanted]
        depth = groups[each[:, None], :, first].argmin(axis=2)
        limit = self._limit(rows, depth * self._groups + first)
        of, group = np.nonzero(least <= limit[:, None])
        if len(of) > most:
            return None
        pair, depth = np.nonzero(groups[of, :, group] <= limit[of, None])
        return rows[of[pair]], depth * self._groups + group[pair]

    def _on_device(self, rows: Ints, most: float) -> Pairs | None:
        import torch

        numbers = torch.from_numpy(rows).to(self._device)
        each = torch.arange(len(rows), device=self._device)
        product = self._device_queries[numbers] @ self._device_others
        product[each, numbers] = torch.inf
        groups = product.view(len(rows), self._width, self._groups)
        least = groups.amin(dim=1)
        first = least.topk(self._wanted, dim=1, largest=False).indices
        depth = groups[each[:, None], :, first].argmin(dim=2)
        limit = torch.from_numpy(self._limit(rows, (depth * self._groups + first).cpu().numpy()))
        limit = limit.to(self._device)
        of, group = torch.nonzero(least <= limit[:, None], as_tuple=True)
        if len(of) > most:
            return None
        pair, depth = torch.nonzero(groups[of, :, group] <= limit[of, None], as_tuple=True)
        return (
            rows[of[pair].cpu().numpy()],
            (depth * self._groups + group[pair]).cpu().numpy(),
        )


def squared_distances(points: Floats, of: Ints, near: Ints) -> Floats:
    """Return the squared distances of pairs of points, from the differences of the coordinates."""
    squared = np.empty(len(of))
    pairs = max(1, COORDINATES // max(1, points.shape[1]))
    left, right = np.empty((2, min(pairs, len(of)), points.shape[1]))
    for start in range(0, len(of), pairs):
        part = slice(start, start + pairs)
        many = len(of[part])
        np.take(points, of[part], axis=0, out=left[:many], mode="clip")
        np.take(points, near[part], axis=0, out=right[:many], mode="clip")
        left[:many] -= right[:many]
        squared[part] = np.einsum("nd,nd->n", left[:many], left[:many])
    return squared
