"""Graphs of nearest neighbours, kept in memory and in files by their content."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from grad_ext.files import write_atomically
from grad_ext.metrics.neighbors import NEIGHBORS, NeighborGraph, neighbor_graph

# Graphs of this process that are remembered.
REMEMBERED = 8
# Fewer rows than this have their graph sooner than a file is read.
WORTH_A_FILE = 2000
# Part of a cached graph's name: another number for another content.
FORMAT = 1


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
    """Return the graph in a file, or None if there is none, or it is damaged."""
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
