"""Data that many tests share, and how tests are divided among processes."""

import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import prepare
from grad_ext.training.settings import Settings

# The same examples on every machine and in every run, however long one takes. To look for others:
# --hypothesis-profile=default.
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")

# What takes longest goes first, in this order, so that no process is left with it alone in the end.
LONG = (
    *(
        "tests/sweeps/run/test_tune.py",
        "tests/sweeps/studies/test_comparison.py",
        "tests/training/test_loop.py",
    ),
    *(
        "tests/cli/test_output.py",
        "tests/sweeps/run/test_faults.py",
        "tests/sweeps/test_retrain.py",
    ),
    *("tests/engine/test_network.py", "docs/studies.md", "docs/comparing.md", "docs/attach.md"),
    *(
        "README.md",
        "docs/report.md",
        "tests/docs/test_gallery.py",
        "tests/sweeps/studies/test_reproduction.py",
    ),
    "tests/sweeps/run/test_limits.py",
)


def pytest_xdist_auto_num_workers():
    """One more than there are processors, since Ray lets those who start it wait."""
    return (os.cpu_count() or 1) + 1


def group(nodeid):
    """A file's tests stay together for the sake of its fixtures; pages of the docs share none."""
    file, _, test = nodeid.partition("::")
    return test.partition("[")[2].rstrip("]") if file.endswith("test_docs.py") else file


class Groups(LoadScopeScheduling):
    """Hands out groups; the marks of --dist=loadgroup go unseen from pytest 9.2 on."""

    def _split_scope(self, nodeid):
        return group(nodeid)


def pytest_xdist_make_scheduler(config, log):
    """Divide finer than by file."""
    return Groups(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items):
    """Put those that take longest first."""
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(group(item.nodeid), len(LONG)))


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
