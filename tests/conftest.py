"""Data that many tests share, and the order in which files are handed to processes."""

import logging
import os

# Read when numpy and torch are imported, here and in the processes that tests start. Tests run in several
# processes at once: threads of theirs that wait for each other would take many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import prepare
from grad_ext.sweeps.run.cluster import OBJECT_STORE_BYTES, environment
from grad_ext.training.settings import Settings

# The same examples on every machine and in every run, however long one takes. To look for others:
# --hypothesis-profile=default.
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")


def pytest_configure(config):
    """Ignore that models of few epochs and rows are as good as constant: that hangs on rounding.

    Added here and not where it happens, since a processor that rounds otherwise has other such models.
    """
    config.addinivalue_line("filterwarnings", "ignore::grad_ext.errors.NearlyConstantWarning")


def pytest_xdist_auto_num_workers():
    """One more than there are processors, since Ray lets those who start it wait."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items):
    """Put files marked as long first, so that no process is left with one of them alone in the end.

    Their lines do not count as covered: the other tests reach most of them, and tracing takes time.
    """
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("no_cover")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def ray_at_full_speed():
    """Ray's workers step back behind everything else, and so behind the tests that run beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        yield


@pytest.fixture(scope="module")
def running_ray():
    """A Ray of one CPU that the studies of a file share, since each would take seconds to start its own.

    Studies use a Ray that their process has started, and leave it running. That they start and end one
    themselves is tested where the command runs in a process of its own.
    """
    ray = pytest.importorskip("ray")
    with environment():
        ray.init(
            address="local",
            num_cpus=1,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    yield
    ray.shutdown()


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
