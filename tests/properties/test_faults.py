"""Studies that are killed, starved and interfered with, on real processes."""

import contextlib
import random
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
from command import BIN, PATIENCE, grad_ext, wait_until

from grad_ext.cli import main
from grad_ext.sweeps.folder import read_records
from grad_ext.sweeps.run.progress import status
from grad_ext.sweeps.run.resources import available_cpus

pytestmark = pytest.mark.long

WHOLE = (
    "sweep", "grid", "--set", "lam=1,100", "--set", "hidden=8,16", "--seeds", "3", "--epochs", "30",
    "--recipe", "paper", "--out", "study",
)  # fmt: skip
# Twelve packs of one model, two at a time, so that it is not done before it is interrupted.
PACKS = ("--pack-size", "1", "--num-cpus", str(min(2, available_cpus())))
STUDY = (*WHOLE, *PACKS)
MODELS = 12


def results(folder):
    """The text of results.csv but for the time column."""
    return pd.read_csv(folder / "results.csv", dtype=str).drop(columns="seconds").to_csv()


class Driver:
    """The study's command as a process, killed on exit at the latest."""

    def __init__(self, cwd, *command):
        self.records = cwd / "study" / "records"
        self.process = subprocess.Popen(
            [BIN, *(command or STUDY)],
            cwd=cwd,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        else:
            self.process.communicate()

    def done(self):
        return len(list(self.records.glob("*.jsonl")))

    def wait_for(self, models):
        wait_until(lambda: self.done() >= models or self.process.poll() is not None)

    def family(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill(self):
        """Kill the driver alone, and return what it started, which ends by itself."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.communicate()
        return started

    def workers(self):
        """Return the processes that train packs, Ray's or our own."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        commands = {each: " ".join(each.cmdline()) for each in started}
        names = ("ray::Implicit", "grad_ext.sweeps.run.pack_worker")
        return [each for each, command in commands.items() if any(n in command for n in names)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The results of the study, whose packs are as wide as they may be here."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with contextlib.chdir(folder):
        assert main([*WHOLE]) == 0
    return results(folder / "study")


# A study on one CPU has no process that could be killed alone.
@pytest.mark.skipif(available_cpus() < 2, reason="takes two CPUs")
@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_killed_interfered_with_and_finished(engine, undisturbed, tmp_path):
    """The driver killed; then a second driver, a look at it, and a worker killed.

    That it may be killed again and again, the slow test of ten times shows.
    """
    command = (*STUDY, "--engine", engine)
    with Driver(tmp_path, *command) as driver:
        driver.wait_for(2)
        driver.kill()
    stopped = status(tmp_path / "study")
    assert 2 <= stopped.done < MODELS == stopped.planned
    assert not stopped.running
    assert not stopped.run.ended
    with Driver(tmp_path, *command) as driver:
        driver.wait_for(driver.done() + 1)
        # Held while others look, however slow they are; the workers die first, in the middle of packs.
        driver.process.send_signal(signal.SIGSTOP)
        for worker in driver.workers():
            worker.kill()
        second = grad_ext(*STUDY, cwd=tmp_path)
        assert second.returncode == 2, second.stderr
        assert re.fullmatch(r"Error: another process works on [^\n]*\n", second.stderr)
        looked = grad_ext("sweep", "status", "study", cwd=tmp_path)
        assert f"running: process {driver.process.pid} on " in looked.stdout
        driver.process.send_signal(signal.SIGCONT)
        _, errors = driver.process.communicate(timeout=PATIENCE)
        assert driver.process.returncode == 0, errors
    assert results(tmp_path / "study") == undisturbed
    assert "was lost and is tried again" in (tmp_path / "study" / "study.log").read_text()
    kept = [len(read_records(path)) for path in driver.records.glob("*.jsonl")]
    assert kept == [1] * MODELS


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_killed_ten_times_at_random_moments(engine, undisturbed, tmp_path):
    rng = random.Random(0)
    started = []
    for _ in range(10):
        with Driver(tmp_path, *STUDY, "--engine", engine) as driver:
            # While it starts, or just after a record; then at any moment.
            driver.wait_for(min(driver.done() + rng.randint(0, 1), MODELS))
            time.sleep(rng.uniform(0.0, 2.0))
            if driver.process.poll() is None:
                started += driver.kill()
    done = grad_ext(*STUDY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert results(tmp_path / "study") == undisturbed
    assert {p.name for p in (tmp_path / "study").glob(".*")} == {".lock"}
    # Ray notices within a minute or so that its driver is gone.
    _, alive = psutil.wait_procs(started, timeout=PATIENCE)
    assert not alive


@pytest.mark.slow
def test_a_full_disk_ends_a_study_that_goes_on_once_there_is_room(undisturbed, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    try:
        full = grad_ext(*STUDY, cwd=disk)
        assert full.returncode == 1
        assert "No space left on device" in full.stderr
        assert "Traceback" not in full.stderr
        kept = status(disk / "study").done
        assert 0 < kept < MODELS
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        again = grad_ext(*STUDY, cwd=disk)
        assert again.returncode == 0, again.stderr
        assert results(disk / "study") == undisturbed
        # Not even the plan fits.
        fill = ["dd", "if=/dev/zero", f"of={disk / 'ballast'}", "bs=4096"]
        assert subprocess.run(fill, capture_output=True, check=False).returncode == 1
        none = grad_ext(*STUDY, "--out", "other", cwd=disk)
        assert none.returncode == 1
        assert re.fullmatch(r"Error: [^\n]*No space left on device[^\n]*\n", none.stderr)
    finally:
        subprocess.run(["umount", disk], check=True)


CLUSTER = """
import threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from grad_ext import StudyPlan
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.run.progress import status

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
node = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
ray.init(address=cluster.address, log_to_driver=False)

def kill():
    while status("study").done < 2:
        time.sleep(0.02)
    cluster.remove_node(node, allow_graceful=False)
    print("KILLED", flush=True)

study = StudyPlan(
    "grid", set={"lam": [1, 100], "hidden": [8, 16]}, seeds=3,
    settings={"epochs": 30, "recipe": "paper"}, out="study",
)
opened = study.open()
killer = threading.Thread(target=kill)
killer.start()
opened.run(Resources(pack_size=1))
killer.join()
opened.result()
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.slow
def test_a_node_of_a_cluster_that_is_killed_costs_no_model(undisturbed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "KILLED" in done.stdout
    assert results(tmp_path / "study") == undisturbed


@pytest.mark.slow
def test_a_model_that_diverges_is_a_row_and_harms_no_neighbour(tmp_path):
    rest = ("--seeds", "2", "--epochs", "3", "--recipe", "paper")
    # Beyond what a float of 32 bits holds.
    done = grad_ext("sweep", "lambda", "--values", "1,1e39", *rest, "--out", "both", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        grad_ext("sweep", "lambda", "--values", "1", *rest, "--out", "one", cwd=tmp_path).returncode
        == 0
    )
    both, one = (pd.read_csv(tmp_path / name / "results.csv") for name in ("both", "one"))
    assert both["diverged"].tolist() == [False, False, True, True]
    assert both["accuracy"].isna().tolist() == [False, False, True, True]
    # A study in which nothing failed has no column that says what did.
    assert both.pop("error").notna().tolist() == [False, False, True, True]
    pd.testing.assert_frame_equal(
        both[:2].drop(columns="seconds"), one.drop(columns="seconds"), check_exact=True
    )
