"""Graphs that are kept by their content, in memory and in files."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import numpy as np
import pytest

from grad_ext.metrics import graph_cache
from grad_ext.metrics.graph_cache import cached_graph
from grad_ext.metrics.neighbors import neighbor_graph


@pytest.fixture
def forgetful(monkeypatch):
    """A process that remembers no graph."""
    monkeypatch.setattr(graph_cache, "REMEMBERED", 0)
    monkeypatch.setattr(graph_cache, "WORTH_A_FILE", 50)


def test_a_graph_is_kept_by_content_and_read_again(forgetful, tmp_path, monkeypatch):
    X = np.random.default_rng(0).integers(0, 3, (60, 4)).astype(float)
    folder = tmp_path / "neighbors"
    made = cached_graph(X, k=3, folder=folder)
    assert len(list(folder.iterdir())) == 1
    with monkeypatch.context() as patch:
        patch.delattr(graph_cache, "neighbor_graph")  # the second time nothing is searched
        np.testing.assert_array_equal(cached_graph(X, k=3, folder=folder).toarray(), made.toarray())
    np.testing.assert_array_equal(made.toarray(), neighbor_graph(X, k=3).toarray())
    for other in (
        cached_graph(X + 1, k=3, folder=folder),
        cached_graph(X, k=4, folder=folder),
        cached_graph(X, k=3, ties="first", folder=folder),
        cached_graph(X, k=3, include_self=True, folder=folder),
    ):
        assert len(other) == 60
    assert len(list(folder.iterdir())) == 5
    cached_graph(X[:40], k=3, folder=folder)  # not worth a file
    assert len(list(folder.iterdir())) == 5


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "text"])
def test_a_damaged_file_is_made_anew(forgetful, tmp_path, harm):
    X = np.random.default_rng(0).normal(size=(60, 4))
    made = cached_graph(X, folder=tmp_path).toarray()
    path = next(tmp_path.iterdir())
    content = bytearray(path.read_bytes())
    whole = bytes(content)
    content[len(content) // 2] ^= 1
    path.write_bytes(
        {"cut": whole[:300], "flip": bytes(content), "empty": b"", "text": b"points"}[harm]
    )
    np.testing.assert_array_equal(cached_graph(X, folder=tmp_path).toarray(), made)
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_to_does_no_harm(forgetful, tmp_path):
    (tmp_path / "file").write_text("")
    graph = cached_graph(np.arange(60.0)[:, None], folder=tmp_path / "file")
    assert len(graph) == 60


def test_a_process_remembers_its_last_graphs(monkeypatch):
    X = np.random.default_rng(5).normal(size=(30, 2))
    graph = cached_graph(X, k=2)
    assert cached_graph(X.copy(), k=2) is graph
    for k in range(3, 3 + graph_cache.REMEMBERED):
        cached_graph(X, k=k)
    assert cached_graph(X, k=2) is not graph
