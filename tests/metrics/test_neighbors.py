"""The neighbour graph against the matrix of all distances, and what its weights promise."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from grad_ext.errors import InputError
from grad_ext.metrics import candidates, neighbors
from grad_ext.metrics.neighbors import neighbor_graph

# A device of torch's that every machine has: the way of a GPU.
DEVICES = ["cpu", "cpu:0", *(["cuda"] if torch.cuda.is_available() else [])]


def slow_graph(X, k, include_self=False, ties="share"):
    """The definition, from the matrix of all distances."""
    distance = cdist(X, X)
    if not include_self:
        np.fill_diagonal(distance, np.inf)
    weight = np.zeros_like(distance)
    for i, row in enumerate(distance):
        kth = np.sort(row)[k - 1]
        nearer = np.flatnonzero(row < kth * (1 - 1e-9))
        tied = np.flatnonzero((row >= kth * (1 - 1e-9)) & (row <= kth * (1 + 1e-9)))
        weight[i, nearer] = 1 / k
        if ties == "share":
            weight[i, tied] = (k - len(nearer)) / len(tied) / k
        else:
            weight[i, tied[: k - len(nearer)]] = 1 / k
    return weight


@st.composite
def clouds(draw):
    """Rows with many ties and repetitions, few, or none; some far from the origin."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, levels = draw(st.integers(3, 60)), draw(st.integers(1, 5))
    X = rng.integers(0, levels, (n, draw(st.integers(1, 4)))).astype(float)
    if draw(st.booleans()):
        X[:, 0] += rng.normal(size=n) * draw(st.sampled_from([1e-6, 1.0, 1e6]))
    return X + draw(st.sampled_from([0.0, 1e5]))


@settings(max_examples=150, deadline=None)
@given(
    X=clouds(),
    k=st.integers(1, 8),
    include_self=st.booleans(),
    ties=st.sampled_from(["share", "first"]),
    stride=st.sampled_from([2, 64]),
    coarse=st.sampled_from([0, 256]),
    block=st.sampled_from([1, 2**27]),
    device=st.sampled_from(DEVICES),
    tree=st.booleans(),
)
def test_against_the_matrix_of_all_distances(
    X, k, include_self, ties, stride, coarse, block, device, tree
):
    k = min(k, len(X) - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "STRIDE", stride)
        patch.setattr(candidates, "COARSE", coarse)
        patch.setattr(candidates, "BLOCK_BYTES", block)
        patch.setattr(candidates, "WORTH_A_TREE", 1)
        patch.setattr(candidates, "SPARE", 2)
        patch.setattr(candidates, "prefers_tree", lambda points, dimensions: tree)
        graph = neighbor_graph(X, k, include_self, ties, device)
    expected = slow_graph(X, k, include_self, ties)
    np.testing.assert_allclose(graph.toarray(), expected, atol=1e-12)
    y = np.random.default_rng(0).integers(0, 2, (3, len(X)))
    np.testing.assert_allclose(graph.mean(y), y @ expected.T, atol=1e-12)
    np.testing.assert_array_equal(graph.mean(np.ones(len(X))), 1.0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e6])
def test_thousands_of_points_go_through_the_least_of_columns(device, scale):
    """More points than the square of the stride, so that columns are looked at by their least."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=4500) * scale, rng.integers(0, 2, (4500, 6))])
    assert len(X) >= candidates.STRIDE**2
    graph = neighbor_graph(X, device=device)
    assert not candidates.prefers_tree(*X.shape)
    theirs = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(X)
    near = theirs.kneighbors(return_distance=False)
    y = rng.integers(0, 2, 4500)
    np.testing.assert_allclose(graph.mean(y), y[near].mean(axis=1), atol=1e-12)


def test_numbers_too_coarse_for_single_precision_are_decided_all_the_same():
    """A column of salaries in cents drowns the others in float32."""
    rng = np.random.default_rng(0)
    salary = rng.integers(1, 400, 600) * 1e7
    X = np.column_stack([salary, rng.normal(size=600)])
    np.testing.assert_allclose(neighbor_graph(X, k=2).toarray(), slow_graph(X, 2), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(X=clouds(), k=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_order_of_the_rows_does_not_matter(X, k, seed):
    k = min(k, len(X) - 1)
    order = np.random.default_rng(seed).permutation(len(X))
    whole, shuffled = neighbor_graph(X, k), neighbor_graph(X[order], k)
    np.testing.assert_allclose(shuffled.toarray(), whole.toarray()[order][:, order], atol=1e-12)
    np.testing.assert_allclose(whole.toarray().sum(axis=1), 1.0)
    assert not whole.toarray().diagonal().any()


def test_tied_neighbours_share_the_weight_that_is_left():
    # Row 0 has rows 1 and 2 at distance 1, row 3 at 2; of k = 1 each of the two gets a half.
    points = [[0.0], [1.0], [-1.0], [2.0]]
    graph = neighbor_graph(points, k=1).toarray()
    np.testing.assert_allclose(graph[0], [0, 0.5, 0.5, 0])
    np.testing.assert_allclose(graph[1], [0.5, 0, 0, 0.5])
    np.testing.assert_allclose(neighbor_graph(points, k=3).toarray()[0], [0, 1 / 3, 1 / 3, 1 / 3])
    first = neighbor_graph(points, k=1, ties="first").toarray()
    np.testing.assert_allclose(first, [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]])


def test_repeated_rows_are_one_point():
    graph = neighbor_graph([[0.0], [0.0], [0.0], [1.0], [-0.0]], k=2)
    assert len(graph) == 5
    assert len(graph.own) == 2
    # Three others lie at the same place as row 0, and share; all four are as far from row 3.
    np.testing.assert_allclose(graph.toarray()[0], [0, 1 / 3, 1 / 3, 0, 1 / 3])
    np.testing.assert_allclose(graph.toarray()[3], [1 / 4, 1 / 4, 1 / 4, 0, 1 / 4])


def test_rows_of_one_hash_are_told_apart_all_the_same(monkeypatch):
    X = np.random.default_rng(0).integers(0, 3, (80, 3)).astype(float)
    expected = slow_graph(X, 3)

    class Zeros:
        def integers(self, *_, size, dtype):
            return np.zeros(size, dtype)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Zeros())
    np.testing.assert_allclose(neighbor_graph(X, k=3).toarray(), expected, atol=1e-12)


def test_as_many_ties_as_rows_are_refused_before_memory_is(monkeypatch):
    monkeypatch.setattr(neighbors, "GRAPH_BYTES", 1000)
    with pytest.raises(InputError, match="so many rows are tied"):
        neighbor_graph(np.eye(40), k=5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neighbor_graph([1.0, 2.0]), "matrix of shape"),
        (lambda: neighbor_graph([[0.0], [np.nan]], k=1), "finite"),
        (lambda: neighbor_graph([[0.0], [1.0]], k=2), "expected 1 to 1 neighbours for 2 rows"),
        (lambda: neighbor_graph([[0.0], [1.0]], k=1, ties="last"), "unknown ties 'last'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_tree_and_blocks_return_the_same_graph(monkeypatch):
    X = np.random.default_rng(0).normal(size=(1500, 3))
    assert candidates.prefers_tree(*X.shape)
    by_tree = neighbor_graph(X)
    monkeypatch.setattr(candidates, "prefers_tree", lambda points, dimensions: False)
    by_blocks = neighbor_graph(X)
    assert (by_tree.others != by_blocks.others).nnz == 0
