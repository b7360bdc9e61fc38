"""Fits in processes of their own: what fails, hangs or eats memory costs its own record only."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import psutil
import pytest
from command import PATIENCE, wait_until
from sklearn.linear_model import LogisticRegression

from grad_ext.adapters.sklearn import Estimators
from grad_ext.errors import InputError
from grad_ext.evaluation import evaluate
from grad_ext.sweeps.run.limits import Limits, fit, machine_memory, memory_from_text
from grad_ext.sweeps.run.worker import one_line
from grad_ext.trial import Trial

pytestmark = pytest.mark.long

# The processes cannot import the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
MIB = 2**20
# What a fit may take that hangs; all others have as long as the busiest machine needs.
SECONDS = 8.0


class Fails:
    def fit(self, X, y):
        print("chatter on the standard output")
        raise ValueError("no such luck\nand more of it")


class Leaves:
    def fit(self, X, y):
        sys.exit(3)


class Dies:
    def fit(self, X, y):
        os.write(2, b"its last words\n")
        os.kill(os.getpid(), signal.SIGSEGV)


class Nothing:
    def fit(self, X, y):
        pass

    def predict(self, X):
        return np.where(np.arange(len(X)) < 7, np.nan, 1.0)


class Hangs:
    """Waits for ever, and so does what it started."""

    def __init__(self, pids):
        self.pids = pids

    def fit(self, X, y):
        sleeper = subprocess.Popen(["sleep", "1000"])
        Path(self.pids).write_text(f"{os.getpid()} {sleeper.pid}")
        time.sleep(1000)


class Eats:
    def fit(self, X, y):
        eaten = []
        while True:
            eaten.append(np.ones(20 * MIB // 8))


class Holds:
    def fit(self, X, y):
        np.ones(200 * MIB // 8).sum()

    def predict(self, X):
        return (X[:, 0] > 0).astype(float)


class Together:
    """A method that fits all its trials at once, and none where one of them is bad."""

    def fit(self, trials, training, validation, on_epoch=None):
        assert len(trials) <= 3
        if any(trial.lam == 13.0 for trial in trials):
            raise ArithmeticError("13 brings bad luck")
        method = Estimators(lambda trial: LogisticRegression(max_iter=2000))
        return method.fit(trials, training, validation)


def trial(name, lam=0.0, **options):
    return Trial("german", ("age",), lam=lam, baseline=name, options=options)


def make(trial):
    if trial.baseline == "broken":
        raise RuntimeError("cannot be made")
    if trial.baseline == "together":
        return Together()
    classes = {"fails": Fails, "leaves": Leaves, "dies": Dies, "nan": Nothing, "hangs": Hangs}
    classes |= {"eats": Eats, "holds": Holds}
    if trial.baseline in classes:
        return Estimators(lambda t: classes[t.baseline](**dict(t.options)))
    return Estimators(lambda t: LogisticRegression(max_iter=2000))


def gone(pid):
    """Return whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def records(german_problem, tmp_path_factory):
    """One of each kind, in a folder whose file would hide a module of Python's."""
    folder = tmp_path_factory.mktemp("limits")
    (folder / "random.py").write_text("raise ImportError('not this one')")
    hanging = [trial("hangs", pids=str(folder / "pids")), trial("fails", lam=1.0)]
    names = ("first", "fails", "leaves", "broken", "nan", "dies", "eats", "holds", "last")
    trials = [trial(name) for name in names]
    trials += [trial("together", lam=lam) for lam in (1.0, 13.0, 2.0, 3.0)]
    ended, found = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fit(make, hanging, german_problem, ended.extend, Limits(SECONDS, 900 * MIB))
        fit(make, trials, german_problem, found.extend, Limits(PATIENCE, 900 * MIB), lambda t: 3)
    assert [record.trial for record in (*ended, *found)] == [*hanging, *trials]
    named = {record.trial.baseline: record for record in found[:-4]}
    named |= {"hangs": ended[0], "after": ended[1], "together": found[-4:]}
    return {**named, "pids": (folder / "pids").read_text().split()}


@pytest.mark.parametrize("name", ["first", "last"])
def test_what_is_sound_is_what_it_is_without_limits(records, german_problem, name):
    method = Estimators(lambda t: LogisticRegression(max_iter=2000))
    (expected,) = evaluate(method, [trial(name)], german_problem, validation=True)
    assert records[name].metrics == pytest.approx(expected.metrics)
    assert records[name].error == ""
    assert records[name].seconds > 0
    assert records[name].predict_seconds > 0


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("fails", "ValueError: no such luck"),
        ("after", "ValueError: no such luck"),
        ("leaves", "SystemExit: 3"),
        ("broken", "RuntimeError: cannot be made"),
        ("dies", f"ProcessDied: the process ended with code {-signal.SIGSEGV}: its last words"),
        ("hangs", "TimeLimit: took more than 8 s"),
        ("eats", "MemoryLimit: held "),
    ],
)
def test_what_fails_says_why(records, name, error):
    record = records[name]
    assert record.error.startswith(error)
    assert record.metrics == {}
    assert (record.epoch, record.constant, record.diverged) == (0, False, False)


def test_scores_that_are_no_numbers(records):
    record = records["nan"]
    assert record.error == "returned NaN or infinity for 7 of 200 rows"
    assert record.diverged
    assert not record.constant
    assert np.isnan(record.metrics["accuracy"])
    assert np.isnan(record.metrics["validation_delta"])
    assert record.metrics["majority_accuracy"] == 0.7


def test_the_fit_in_progress_had_what_the_limits_allow(records):
    assert records["hangs"].seconds >= SECONDS
    assert records["eats"].peak_bytes > 300 * MIB


def test_peak_memory_is_that_of_the_fit(records):
    assert 195 * MIB < records["holds"].peak_bytes < 260 * MIB
    assert 0 <= records["last"].peak_bytes < 60 * MIB


def test_of_trials_fitted_together_only_the_one_that_fails_does(records):
    errors = [record.error for record in records["together"]]
    assert errors == ["", "ArithmeticError: 13 brings bad luck", "", ""]


def test_nothing_is_left_behind(records):
    fitting, started = map(int, records["pids"])
    wait_until(lambda: gone(fitting) and gone(started))
    assert not [
        p for p in psutil.Process().children() if "grad_ext.sweeps.run.worker" in p.cmdline()
    ]


def test_what_cannot_even_start_fails_every_trial(german_problem):
    found = []
    fit(make, [trial("a"), trial("b")], german_problem, found.extend, Limits(SECONDS, 10 * MIB))
    assert [record.trial.baseline for record in found] == ["a", "b"]
    for record in found:
        assert record.error.endswith("more than 0.01 GiB")


def test_a_process_dies_with_its_parent(tmp_path):
    script = """
import sys, time
from pathlib import Path
from grad_ext.adapters.sklearn import Estimators
from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import prepare
from grad_ext.sweeps.run.limits import fit
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

class Hangs:
    def fit(self, X, y):
        import os
        Path("new").write_text(str(os.getpid()))
        Path("new").rename("pid")
        time.sleep(1000)

problem = prepare(split(load_dataset("german", ["age"])), Settings())
fit(lambda t: Estimators(lambda t: Hangs()), [Trial("german", ("age",), baseline="x")], problem, print)
"""
    driver = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    wait_until(lambda: (tmp_path / "pid").exists() or driver.poll() is not None)
    driver.kill()
    driver.wait()
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: gone(pid))


def test_amounts_of_memory():
    assert memory_from_text("4GiB") == memory_from_text(" 4 ") == 4 * 2**30
    assert memory_from_text("1.5 gb") == 1_500_000_000
    for bad in ("", "much", "4 apples", "-1GiB", "0"):
        with pytest.raises(InputError, match="such as 4GiB or 500MB"):
            memory_from_text(bad)
    assert Limits().bytes == machine_memory() // 2 > 0
    assert Limits(memory=7).bytes == 7
    for seconds in (0, -1.0, float("nan")):
        with pytest.raises(InputError, match="seconds above 0"):
            Limits(seconds)
    with pytest.raises(InputError, match="bytes above 0"):
        Limits(memory=0)


def test_errors_are_one_line():
    assert one_line(ValueError("one\ntwo")) == "ValueError: one"
    assert one_line(KeyError()) == "KeyError"
