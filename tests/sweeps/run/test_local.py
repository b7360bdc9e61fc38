"""Packs in this process and in processes of this machine: the same models, whoever dies."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading

import cloudpickle
import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from command import PATIENCE, wait_until

from grad_ext import StudyPlan
from grad_ext.constraints import CONSTRAINTS, DemographicParity
from grad_ext.errors import InputError
from grad_ext.sweeps.run.executors import StudyIncomplete, run
from grad_ext.sweeps.run.fitting import train_together
from grad_ext.sweeps.run.local import SMALL, LocalExecutor
from grad_ext.sweeps.run.progress import status
from grad_ext.sweeps.run.resources import Resources, available_cpus
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

# The processes cannot import the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
two_cpus = pytest.mark.skipif(available_cpus() < 2, reason="one CPU needs one process")


def plan(folder, **changes):
    given = {"set": {"lam": [1, 100]}, "seeds": 2, "settings": {"epochs": 2, "recipe": "paper"}}
    return StudyPlan("lambda", out=folder, **given | changes)


def results(folder):
    """The text of results.csv but for the time."""
    return pd.read_csv(folder / "results.csv", dtype=str).drop(columns="seconds").to_csv()


def train(folder, fit_pack, cpus=2):
    """Run four models in four packs."""
    opened = plan(folder).open()
    encode = lambda trials: {trials[0].rows: opened.encode(trials[0])}
    run(opened.directory, encode, Resources(cpus, 1), fit_pack=fit_pack)
    return opened.directory


def log(folder):
    return (folder / "study.log").read_text()


def test_a_small_study_starts_no_process_and_leaves_this_one_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    processes = set()

    def fit_pack(trials, *rest):
        processes.update(child.pid for child in psutil.Process().children())
        train_together(trials, *rest)
        assert torch.get_num_threads() == 1

    try:
        opened = plan(tmp_path / "study").open()
        encode = lambda trials: {trials[0].rows: opened.encode(trials[0])}
        before = {child.pid for child in psutil.Process().children()}
        run(opened.directory, encode, fit_pack=fit_pack)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert processes <= before
    assert not opened.directory.missing()
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert after == states
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


@two_cpus
def test_processes_train_the_same_models_also_of_a_constraint_of_ones_own(tmp_path, monkeypatch):
    class Own(DemographicParity):
        name = "of_ones_own"

    monkeypatch.setitem(CONSTRAINTS, Own.name, Own())
    folders = [tmp_path / "here", tmp_path / "there"]
    for folder, given in zip(folders, ({}, {"pack_size": 1, "num_cpus": 2}), strict=True):
        plan(folder, settings={"epochs": 2, "constraint": "of_ones_own"}).run(**given)
    assert results(folders[0]) == results(folders[1])
    assert "in 1 packs" in log(folders[0])
    assert "in 4 packs" in log(folders[1])
    assert status(folders[1]).run.ended


@two_cpus
def test_a_pack_whose_process_dies_is_tried_once_more_and_fails_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    died = tmp_path / "died"

    def fit_pack(trials, encoded, on_records, on_progress):
        (trial,) = trials
        once = (trial.lam, trial.seed) == (1.0, 1) and not died.exists()
        if once:
            died.touch()
        if once or (trial.lam, trial.seed) == (100.0, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        train_together(trials, encoded, on_records, on_progress)

    message = r"1 of 4 models are missing, because 1 of 4 packs failed.*ended with code -9"
    with pytest.raises(StudyIncomplete, match=message):
        train(tmp_path / "study", fit_pack)
    directory = plan(tmp_path / "study").open().directory
    assert [(trial.lam, trial.seed) for trial in directory.missing()] == [(100.0, 0)]
    assert log(tmp_path / "study").count("was lost and is tried again: ProcessDied: ") == 2
    assert not list(tmp_path.glob("grad-ext-run-*"))
    # The one that was tried again is what it is without a death.
    whole = train(tmp_path / "whole", None, cpus=1).records()
    assert [r.metrics for r in directory.records()] == [
        r.metrics for r in whole if (r.trial.lam, r.trial.seed) != (100.0, 0)
    ]


@two_cpus
def test_processes_that_cannot_start_end_the_study_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StudyIncomplete, match=r"4 of 4 models are missing.*ended with code 1"):
        train(tmp_path / "study", None)
    # A pack of each process, and the first one's second try.
    assert log(tmp_path / "study").count("begins") <= 4


@two_cpus
def test_what_cannot_be_sent_is_said_with_a_way_out(tmp_path):
    lock = threading.Lock()

    def fit_pack(trials, encoded, on_records, on_progress):
        with lock:
            train_together(trials, encoded, on_records, on_progress)

    with pytest.raises(InputError, match=r"cannot be sent .*lock.*num_cpus=1"):
        train(tmp_path / "study", fit_pack)
    assert not train(tmp_path / "study", fit_pack, cpus=1).missing()


def test_little_work_is_not_worth_a_process_by_hand(german_problem):
    assert len(german_problem.training) == 640
    for models, workers in ((SMALL // 6400, 1), (SMALL // 6400 + 1, 7)):
        trials = [
            Trial("german", ("age",), 1.0, s, settings=Settings(epochs=10)) for s in range(models)
        ]
        executor = LocalExecutor(7)
        assert executor.workers_for(trials, {trials[0].rows: german_problem}) == workers


DRIVER = """
import sys, time
from pathlib import Path
from grad_ext import StudyPlan
from grad_ext.sweeps.run.executors import run
from grad_ext.sweeps.run.resources import Resources

def fit_pack(trials, encoded, on_records, on_progress):
    Path(f"began-{trials[0].seed}").touch()
    time.sleep(1000)

opened = StudyPlan("seed", seeds=2, out="study").open()
encode = lambda trials: {trials[0].rows: opened.encode(trials[0])}
run(opened.directory, encode, Resources(2, 1), fit_pack=fit_pack)
"""


@two_cpus
def test_a_killed_driver_leaves_neither_processes_nor_files(tmp_path):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    wait_until(lambda: len(list(tmp_path.glob("began-*"))) == 2 or driver.poll() is not None)
    assert list(tmp_path.glob("grad-ext-run-*/rows.bin"))
    started = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    driver.wait()
    assert len(started) == 2
    _, alive = psutil.wait_procs(started, timeout=PATIENCE)
    assert not alive
    assert not list(tmp_path.glob("grad-ext-run-*"))
