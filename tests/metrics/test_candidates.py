"""Candidates for nearest neighbours: no neighbour is missing, whichever way they are found."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from grad_ext.metrics import candidates
from grad_ext.metrics.candidates import Blocks, Tree, prefers_tree, squared_distances


@pytest.mark.parametrize(
    ("points", "dimensions", "tree"),
    [
        (2000, 2, True),
        (2000, 12, False),
        (30_000, 8, True),
        (30_000, 20, False),
        (45_000, 101, False),
    ],
)
def test_a_tree_is_preferred_in_few_dimensions(points, dimensions, tree):
    assert prefers_tree(points, dimensions) == tree


@pytest.mark.parametrize(
    "found",
    [
        lambda X, k: Tree(X, k),
        lambda X, k: Blocks(X, k, np.float32),
        lambda X, k: Blocks(X, k, np.float64),
        lambda X, k: Blocks(X, k, np.float64, "cpu:0"),
    ],
)
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_no_neighbour_is_missing(found, far):
    X = np.random.default_rng(0).normal(size=(90, 4)) + far
    of, near = found(X, 3).of(np.arange(90))
    pairs = set(zip(of.tolist(), near.tolist(), strict=True))
    assert len(pairs) == len(of)
    distance = cdist(X, X)
    np.fill_diagonal(distance, np.inf)
    for row, nearest in enumerate(np.argsort(distance, axis=1)[:, :3]):
        assert pairs >= {(row, other) for other in nearest.tolist()}
        assert (row, row) not in pairs


def test_too_many_candidates_are_none():
    """Squares of this size leave no digit of float32 for what the points differ by."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.repeat([0.0, 1e5], 45), rng.normal(size=(90, 3))])
    assert Blocks(X, 3, np.float32).of(np.arange(90), most=360) is None
    assert Blocks(X, 3, np.float64).of(np.arange(90), most=360) is not None


def test_squared_distances_of_pairs(monkeypatch):
    X = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    of, near = np.array([0, 1, 2]), np.array([1, 2, 2])
    for coordinates in (2, 2**17):
        monkeypatch.setattr(candidates, "COORDINATES", coordinates)
        assert squared_distances(X, of, near).tolist() == [25.0, 18.0, 0.0]
