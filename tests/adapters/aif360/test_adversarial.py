"""AIF360's AdversarialDebiasing, and the process of its own that it runs in."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from command import PATIENCE, wait_until

from grad_ext.adapters.aif360 import worker
from grad_ext.adapters.aif360.adversarial import adversarial_debiasing
from grad_ext.adapters.aif360.isolated import IsolatedMethod, ask
from grad_ext.adapters.isolation import Child
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.metrics.group import accuracy
from grad_ext.trial import Trial

needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow")


def alive(pid):
    """Whether a process runs; one that ended and that nobody has asked for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def tensorflow_modules():
    return {name for name in sys.modules if name.split(".")[0] == "tensorflow"}


@pytest.fixture(scope="module")
def trials():
    settings = [(0.1, 0), (0.1, 1), (0.1, 0), (3.0, 0)]
    return [Trial("german", ("age", "sex"), lam=lam, seed=seed) for lam, seed in settings]


@needs_tensorflow
def test_a_pack_of_models(german_problem, trials):
    """One process fits them all; seed and weight decide, and nothing happens in this process."""
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    loaded = tensorflow_modules()  # by AIF360's metrics, if another test used them
    done = []
    models = adversarial_debiasing(epochs=20, timeout=PATIENCE).fit(
        trials, german_problem.training, german_problem.validation, done.append
    )
    test = german_problem.test
    scores = models.scores(test.X)
    assert scores.shape == (4, 1, 200)
    assert ((scores > 0) & (scores < 1)).all()
    one, other, again, stronger = scores[:, 0]
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01
    assert np.abs(one - stronger).max() > 0.01
    assert accuracy(test.y, one >= 0.5) > test.y.mean()
    np.testing.assert_array_equal(models.scores_with(test.X, test.a), scores)
    assert models.epochs.tolist() == [20] * 4
    assert done == [20]
    assert tensorflow_modules() == loaded
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    pid = models.child.pid
    assert alive(pid)
    del models
    assert not alive(pid)


@needs_tensorflow
def test_rows_that_it_would_learn_nothing_of_are_refused(german_problem, trials):
    rows = german_problem.training
    few = replace(rows, X=rows.X[:127], y=rows.y[:127], a=rows.a[:127], w=rows.w[:127])
    with pytest.raises(InputError, match="at least 128 training rows, got 127"):
        adversarial_debiasing().fit(trials, few, german_problem.validation)
    weighted = replace(rows, w=np.linspace(1, 2, len(rows)))
    with pytest.raises(InputError, match="adversarial takes no instance weights"):
        adversarial_debiasing().fit(trials, weighted, german_problem.validation)


@needs_tensorflow
def test_a_fit_that_takes_too_long_is_ended(german_problem, trials):
    before = children()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.3 seconds"):
        adversarial_debiasing(timeout=0.3).fit(
            trials, german_problem.training, german_problem.validation
        )
    assert children() == before


def children():
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
        return set(file.read().split())


def test_a_missing_package_is_named_with_its_extra(german_problem, trials):
    method = IsolatedMethod("adversarial", packages={"nowhere": "some"})
    with pytest.raises(MissingToolkit, match=r"nowhere is not installed; .*grad-ext\[some\]"):
        method.fit(trials, german_problem.training, german_problem.validation)


def test_what_an_algorithm_raises_is_passed_on():
    child = Child(worker.__name__)
    with pytest.raises(RuntimeError, match="KeyError: 'nothing'"):
        ask(child, PATIENCE, algorithm="nothing", settings="{}", seeds=[0], hyperparameters=[0.0])
    wait_until(lambda: not alive(child.pid))


BUSY = """
import numpy as np
from grad_ext.adapters.aif360 import worker
from grad_ext.adapters.aif360.isolated import ask
from grad_ext.adapters.isolation import Child
child = Child(worker.__name__)
print(child.pid, flush=True)
X, y = np.random.default_rng(0).random((300, 4)), np.arange(300) % 2.0
ask(child, None, algorithm="adversarial", settings='{"num_epochs": 1000000}', seeds=[0],
    hyperparameters=[0.1], X=X, y=y, a=y[:, None])
"""


@needs_tensorflow
@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_a_busy_process_dies_with_its_parent(seconds):
    parent = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True)
    with parent:
        pid = int(parent.stdout.readline())
        time.sleep(seconds)
        assert alive(pid)
        parent.kill()
    wait_until(lambda: not alive(pid))
