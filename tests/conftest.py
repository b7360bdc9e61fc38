"""Data that many tests share, and how tests are divided among processes."""

import os

import pytest

from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluate import prepare
from grad_ext.trial import Settings

# What takes longest goes first, in this order, so that no process is left with it alone in the end.
LONG = (
    *("test_compare.py", "test_study_runs.py", "test_study_faults.py", "studies.md"),
    *("comparing.md", "test_terminal.py", "test_search.py", "test_reproduce.py"),
    *("test_retrain.py", "test_limits.py", "README.md", "report.md", "attach.md"),
    *("criterion.md", "audit.md", "test_audit.py", "terminal.md", "reproduction.md"),
)


def pytest_xdist_auto_num_workers():
    """One more than there are processors, since Ray lets those who start it wait."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A file's tests stay together for the sake of its fixtures; pages of the docs share none."""

    def group(item):
        page = getattr(item, "callspec", None) and item.callspec.params.get("page")
        return page.name if page else item.path.name

    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(group(item), len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def ray_at_full_speed():
    """Ray's workers step back behind everything else, and so behind the tests that run beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        yield


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache of the tests' own, also for the processes that they start."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAD_EXT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def german():
    """German credit with both of its attributes protected."""
    return load_dataset("german", protected=["age", "sex"])


@pytest.fixture(scope="session")
def german_problem(german):
    """German credit, split, and encoded as the paper's recipe does."""
    return prepare(split(german), Settings(recipe="paper"))
