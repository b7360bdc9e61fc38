"""The exact graph of nearest neighbours for Consistency, computed once for many predictions.

On one-hot data many rows lie at the k-th distance, and which of them a search returns depends on
the order of the rows. In this graph the neighbours tied at the k-th distance share the remaining
weight, so that the graph, and Consistency, do not depend on the order.

Equal rows are one point. In few dimensions a k-d tree returns a few candidates for each point;
otherwise the distances of all pairs are computed in blocks of single precision, on the CPU or a GPU.
The candidates' distances are then computed in double precision from the differences of the
coordinates, and decide. Rounding cannot hide a neighbour: the candidates are all those whose
distance, less the largest error that the block can have, is not above that of k others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from grad_ext.errors import InputError, unknown
from grad_ext.files import write_atomically

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
# Pairs of points: numbers of the points, and of those near them.
_Found = tuple[Ints, Ints]

# Number of neighbours: AIF360's default, where the paper is silent.
NEIGHBORS = 5
TIES = ("share", "first")
# Squared distances that differ by less than this share of themselves are rounding, not order.
TIE = 2e-9
# Bytes of the block of distances held at once.
BLOCK_BYTES = 128 * 2**20
# Bytes that the finished graph may have.
GRAPH_BYTES = 2 * 2**30
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
# Graphs of this process that are remembered.
REMEMBERED = 8
# Fewer rows than this have their graph sooner than a file is read.
WORTH_A_FILE = 2000
# Part of a cached graph's name: another number for another content.
FORMAT = 1


@dataclass(frozen=True)
class NeighborGraph:
    """The nearest neighbours of N rows that lie at U different points.

    Attributes
    ----------
    points : int array of shape (N,)
        The point of each row.
    own : array of shape (U,)
        Weight of each other row at a point for a row there (and of itself, with `include_self`).
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
    found = _search(unique, sizes, left, k, device)
    if ties == "first":
        return _first(at, found, k, include_self)
    weight = np.where(found.tied, found.share, 1.0) / k
    return NeighborGraph(
        points=at,
        own=1.0 / np.maximum(beside, k),
        others=sparse.csr_array((weight, (found.of, found.near)), shape=(len(unique),) * 2),
        include_self=include_self,
    )


_remembered: OrderedDict[str, NeighborGraph] = OrderedDict()


def cached_graph(
    X: ArrayLike,
    k: int = NEIGHBORS,
    include_self: bool = False,
    ties: str = "share",
    device: str = "cpu",
    folder: Path | None = None,
) -> NeighborGraph:
    """Return `neighbor_graph`, computed once for the same content and arguments.

    Parameters
    ----------
    X, k, include_self, ties, device
        As `neighbor_graph`.
    folder : pathlib.Path, optional
        Folder in which graphs of many rows are stored for later processes, named by a hash of the
        content; a damaged file is written again. Without it, the process caches the last few.
    """
    points = np.ascontiguousarray(X, dtype=np.float64)
    about = repr((FORMAT, points.shape, k, include_self, ties))
    key = sha256(about.encode() + points.tobytes()).hexdigest()
    graph = _remembered.pop(key, None)
    path = None if folder is None or len(points) < WORTH_A_FILE else folder / f"{key}.npz"
    if graph is None and path is not None:
        graph = _read(path, len(points))
    if graph is None:
        graph = neighbor_graph(points, k, include_self, ties, device)
        if path is not None:
            # Without a cache that can be written to, the graph is computed again.
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, _written(graph))
    _remembered[key] = graph
    while len(_remembered) > REMEMBERED:
        _remembered.popitem(last=False)
    return graph


def _written(graph: NeighborGraph) -> bytes:
    file = BytesIO()
    np.savez(
        file,
        points=graph.points,
        own=graph.own,
        weight=graph.others.data,
        near=graph.others.indices,
        ends=graph.others.indptr,
        include_self=np.array(graph.include_self),
    )
    return file.getvalue()


def _read(path: Path, n: int) -> NeighborGraph | None:
    """Return the graph in a file, or None if there is none that is whole."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            stored = dict(file)
        size = len(stored["own"])
        others = sparse.csr_array(
            (stored["weight"], stored["near"], stored["ends"]), shape=(size, size)
        )
        others.check_format()
        points = stored["points"]
        if points.shape != (n,) or points.min() < 0 or points.max() >= size:
            return None
        return NeighborGraph(points, stored["own"], others, bool(stored["include_self"]))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


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
    for candidates in _candidates(points, np.flatnonzero(left), k, device):
        block = _decide(points, sizes, left, *candidates)
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


def _candidates(points: Floats, asking: Ints, k: int, device: str) -> Iterator[_Found]:
    """Yield candidates for some points, a block of them at a time."""
    if device == "cpu" and len(asking) >= WORTH_A_TREE and prefers_tree(*points.shape):
        tree = _Tree(points, k)
        for start in range(0, len(asking), QUERIES):
            yield tree.of(asking[start : start + QUERIES])
        return
    # A device multiplies in double precision: single may there be rounded more than it says.
    single = _Candidates(points, k, np.float32) if device == "cpu" else None
    double = None if single else _Candidates(points, k, np.float64, device)
    step = max(1, BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(asking), step):
        rows = asking[start : start + step]
        pairs = single.of(rows, COARSE * len(rows)) if single else None
        if pairs is None:
            single, double = None, double or _Candidates(points, k, np.float64)
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


class _Tree:
    """Candidates by a k-d tree, which is faster in few dimensions."""

    def __init__(self, points: Floats, k: int) -> None:
        # Late, since processes that only train do not need it.
        from scipy.spatial import KDTree

        # The sooner a sum of squares grows, the sooner a point is seen to be too far.
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

    def of(self, rows: Ints) -> _Found:
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


class _Candidates:
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

    def of(self, rows: Ints, most: float = np.inf) -> _Found | None:
        """Return pairs of a row and a candidate, or None if there are more than `most`."""
        find = self._on_cpu if self._device == "cpu" else self._on_device
        pairs = find(rows, most)
        return None if pairs is None or len(pairs[0]) > most else pairs

    def _limit(self, rows: Ints, near: Ints) -> Any:
        """Return what a candidate's product may be at most, given k points that are near."""
        of = np.repeat(rows, near.shape[1])
        farthest = _squared(self._points, of, near.ravel()).reshape(near.shape).max(axis=1)
        limit = farthest - self._square[rows] + self._slack[rows]
        limit += TIE * farthest
        precision = self._queries.dtype.type
        return np.nextafter(limit.astype(precision), precision(np.inf))

    def _on_cpu(self, rows: Ints, most: float) -> _Found | None:
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

    def _on_device(self, rows: Ints, most: float) -> _Found | None:
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


def _squared(points: Floats, of: Ints, near: Ints) -> Floats:
    """Return the squared distances of pairs of points, from the differences of the coordinates."""
    squared = np.empty(len(of))
    pairs = max(1, COORDINATES // max(1, points.shape[1]))
    here, there = np.empty((2, min(pairs, len(of)), points.shape[1]))
    for start in range(0, len(of), pairs):
        part = slice(start, start + pairs)
        many = len(of[part])
        np.take(points, of[part], axis=0, out=here[:many], mode="clip")
        np.take(points, near[part], axis=0, out=there[:many], mode="clip")
        here[:many] -= there[:many]
        squared[part] = np.einsum("nd,nd->n", here[:many], here[:many])
    return squared


def _decide(points: Floats, sizes: Ints, left: Ints, of: Ints, near: Ints) -> _Pairs:
    """Choose the nearest among candidates, by exact distance."""
    squared = _squared(points, of, near)
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
    kept = nearer | tied
    return _Pairs(of[kept], near[kept], tied[kept], share[kept])


def _first(at: Ints, found: _Pairs, k: int, include_self: bool) -> NeighborGraph:
    """Return the graph in which the first of the tied rows are taken; every row is a point."""
    n = len(at)
    members = np.argsort(at, kind="stable")
    sizes = np.bincount(at)
    starts = np.cumsum(sizes) - sizes
    # Rows at nearer points all count; of the tied, and of those at the same point, the first.
    of = np.r_[found.of, np.arange(len(sizes))]
    near = np.r_[found.near, np.arange(len(sizes))]
    rank = np.r_[np.where(found.tied, 2, 1), np.zeros(len(sizes), dtype=int)]
    # One more than k may be needed where a row is among those at its own point.
    capped = np.minimum(sizes[near], k + 1)
    pair = np.repeat(np.arange(len(of)), capped)
    member = members[starts[near[pair]] + _counting(capped)]
    # One number a member sorts faster than three, which are then read off it.
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
