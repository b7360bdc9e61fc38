"""Studies through the command line; in a process of its own where that is what counts."""

import contextlib
import json
import re
import signal
import subprocess

import numpy as np
import pandas as pd
import psutil
import pytest
from command import BIN, PATIENCE, grad_ext, wait_until

from grad_ext import StudyPlan
from grad_ext.cli import main
from grad_ext.sweeps.run import executors
from grad_ext.sweeps.run.fitting import train_together
from grad_ext.sweeps.run.resources import Resources, available_cpus

pytestmark = pytest.mark.long

SMALL = ("sweep", "lambda", "--values", "0,1,100", "--seeds", "3", "--epochs", "3")


def rows(folder):
    return pd.read_csv(folder / "results.csv").drop(columns="seconds")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return folder, grad_ext(*SMALL, "--out", "study", cwd=folder)


def test_a_study_writes_its_folder_and_says_where(finished):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    study = folder / "study"
    names = {p.name for p in study.iterdir()}
    assert names == {
        ".lock",
        "progress.json",
        "study.log",
        "study.json",
        "records",
        "results.csv",
        "lambda.png",
        "lambda.svg",
        "plane.png",
        "plane.svg",
        "spread.png",
        "spread.svg",
        "report.html",
    }
    assert f"Study folder: {study}\nReport: {study / 'report.html'}\n" in done.stdout
    frame = rows(study)
    assert frame["lam"].tolist() == [0] * 3 + [1] * 3 + [100] * 3
    assert frame["seed"].tolist() == [0, 1, 2] * 3
    assert set(frame["method"]) == {"NN-Pred", "GRAD-Pred"}
    assert "majority class" in done.stdout
    assert re.search(r"\d of 9 models (is|are) constant", done.stdout)


def test_a_study_is_quiet_but_for_its_result(finished):
    _, done = finished
    assert done.stderr == ""
    assert "ray" not in done.stdout.lower()


def test_the_numbers_do_not_depend_on_packs_or_processes(finished, monkeypatch):
    folder, _ = finished
    monkeypatch.chdir(folder)
    assert main([*SMALL, "--out", "singles", "--pack-size", "1", "--num-cpus", "1"]) == 0
    assert len(list((folder / "singles" / "records").iterdir())) == 9
    pd.testing.assert_frame_equal(
        rows(folder / "study"), rows(folder / "singles"), check_exact=True
    )


def test_the_same_command_again_trains_nothing_and_more_seeds_extend(finished, monkeypatch):
    folder, _ = finished
    monkeypatch.chdir(folder)
    before = {p: p.stat().st_mtime_ns for p in (folder / "study" / "records").iterdir()}
    # What a run left that was killed while it wrote results.
    (folder / "study" / ".results.csv.abcdefg1.grad-ext-tmp").write_text("lam,")
    assert main([*SMALL, "--out", "study"]) == 0
    assert not list((folder / "study").glob(".results*"))
    assert {p: p.stat().st_mtime_ns for p in (folder / "study" / "records").iterdir()} == before
    old = rows(folder / "study")
    more = ("sweep", "lambda", "--values", "1,5", "--seeds", "4", "--epochs", "3", "--out", "study")
    assert main([*more]) == 0
    new = rows(folder / "study")
    assert len(new) == 9 + 1 + 4
    kept = new.merge(old, how="inner")
    assert len(kept) == 9


LAMBDA = ("lambda", "--seeds", "40", "--pack-size", "1")
SEARCH = ("search", "--set", "lam=1:1000:log", "--models", "60", "--seeds", "1", "--epochs", "30")
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
# In one process, and in several where there are CPUs for them.
HERE, SIDE_BY_SIDE = (("--num-cpus", str(cpus)) for cpus in (1, min(2, available_cpus())))


def listening(processes):
    """Return the addresses on which processes wait for connections."""
    addresses = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            open_now = process.net_connections()
            addresses |= {each.laddr.ip for each in open_now if each.status == psutil.CONN_LISTEN}
    return addresses


@pytest.mark.parametrize(
    ("arguments", "models", "number"),
    [
        ((*LAMBDA, *HERE), 400, signal.SIGINT),
        ((*LAMBDA, *SIDE_BY_SIDE), 400, signal.SIGINT),
        ((*LAMBDA, *SIDE_BY_SIDE), 400, signal.SIGTERM),
        ((*LAMBDA, *HERE, "--engine", "ray"), 400, signal.SIGINT),
        pytest.param((*SEARCH, *HERE), 60, signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_study_says_how_to_go_on(arguments, models, number, tmp_path):
    driver = subprocess.Popen(
        [BIN, "sweep", *arguments, "--out", "study"],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    records = tmp_path / "study" / "records"
    wait_until(lambda: list(records.glob("*.jsonl")) or driver.poll() is not None)
    started = psutil.Process(driver.pid).children(recursive=True)
    addresses = listening([psutil.Process(driver.pid), *started])
    driver.send_signal(number)
    _, errors = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 130, errors
    assert "the same command" in errors
    assert "Traceback" not in errors
    assert 0 < len(list(records.glob("*.jsonl"))) < models
    # Nothing is reached from outside, and without Ray nothing from inside.
    assert addresses <= LOOPBACK
    assert bool(addresses) == ("ray" in arguments or "search" in arguments)
    # Ray takes a while.
    _, alive = psutil.wait_procs(started, timeout=PATIENCE)
    assert not alive


@pytest.mark.parametrize("cpus", sorted({1, min(2, available_cpus())}))
def test_a_failing_pack_is_reported_and_the_rest_is_kept(cpus, tmp_path):
    """A worker that fails for good: one of the two packs finds no room for its records."""

    def fit_pack(trials, encoded, on_records, on_progress):
        if trials[0].lam == 1.0:
            raise OSError("no space left")
        train_together(trials, encoded, on_records, on_progress)

    settings = {"epochs": 2}
    opened = StudyPlan(
        "lambda", set={"lam": [1, 100]}, seeds=2, settings=settings, out=tmp_path
    ).open()
    encode = lambda trials: {trials[0].rows: opened.encode(trials[0])}
    failed = "2 of 4 models are missing, because 1 of 2 packs failed.*no space left"
    with pytest.raises(executors.StudyIncomplete, match=failed):
        executors.run(opened.directory, encode, Resources(cpus, 2), fit_pack=fit_pack)
    assert [(t.lam, t.seed) for t in opened.directory.missing()] == [(1.0, 0), (1.0, 1)]


BAD = {
    "--dataset germna": "unknown data set 'germna': did you mean 'german'?",
    "--protected agee": "unknown protected attribute 'agee' of 'german': did you mean 'age'",
    "--values=-1": "lambda must be a finite number of at least 0, got '-1'",
    "--values 1,abc": "lambda must be a finite number of at least 0, got 'abc'",
    "--values nan": "lambda must be a finite number",
    "--seeds 0": "seeds must be a whole number of at least 1, got 0",
    "--seeds many": "Invalid value for '--seeds'",
    "--epochs 0": "epochs must be a whole number of at least 1, got 0",
    "--variant prod": "unknown variant 'prod'",
    "--checkpoint best": "unknown rule for the epoch to keep 'best'",
    "--num-cpus 999": "expected 1 to",
    "--engine dask": "unknown engine 'dask': there are 'auto', 'local', 'ray'",
    "--engine local --storage memory://x": "engine: expected 'ray' or 'auto' with storage, got 'local'",
    "--pack-size 0": "a pack needs at least one model, got 0",
    "--out occupied": "not empty and holds no study",
    "--out occupied/file/study": "cannot write to the folder",
    "--nothing": "No such option",
}  # fmt: skip


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_one_line_and_exit_code_2(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "file").write_text("mine")
    assert main(["sweep", "lambda", *arguments.split()]) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert re.fullmatch(r"Error: [^\n]+\n", written.err), written.err
    assert BAD[arguments] in written.err
    assert [p.name for p in tmp_path.iterdir()] == ["occupied"]
    assert [p.name for p in (tmp_path / "occupied").iterdir()] == ["file"]


def test_the_auto_variant_and_another_rule(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("--variant", "auto", "--checkpoint", "balanced_delta", "--protected", "age,sex")
    size = ("--values", "0,100", "--seeds", "2", "--epochs", "2", "--num-cpus", "1")
    assert main(["sweep", "lambda", *arguments, *size, "--out", "study"]) == 0
    frame = rows(tmp_path / "study")
    assert frame["method"].tolist() == ["NN-Auto"] * 2 + ["GRAD-Auto"] * 2
    assert frame["discrimination_sex"].notna().all()


def test_another_study_in_the_folder_is_left_alone(finished, monkeypatch, capsys):
    folder, _ = finished
    monkeypatch.chdir(folder)
    before = (folder / "study" / "study.json").read_bytes()
    assert main([*SMALL[:-1], "4", "--out", "study"]) == 2
    assert "holds another study" in capsys.readouterr().err
    assert (folder / "study" / "study.json").read_bytes() == before


def test_help_and_version(tmp_path):
    done = grad_ext("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "sweep" in done.stdout
    listed = grad_ext("sweep", "lambda", "--help", cwd=tmp_path).stdout
    for option in (
        "--dataset",
        "--protected",
        "--values",
        "--seeds",
        "--epochs",
        "--out",
        "--num-cpus",
        "--pack-size",
        "--variant",
    ):
        assert option in listed
    version = grad_ext("--version", cwd=tmp_path).stdout
    assert re.fullmatch(r"grad-ext \d+\.\d+\.\d+\n", version)
    assert grad_ext(cwd=tmp_path).returncode == 2


def test_a_study_records_its_versions(finished):
    folder, _ = finished
    plan = json.loads((folder / "study" / "study.json").read_text())
    assert {"python", "grad-ext", "torch", "ray", "numpy"} <= set(plan["versions"])


def test_a_file_of_ones_own_and_what_becomes_of_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    sex, x = rng.choice(["Male", "Female"], 400), rng.normal(size=400)
    income = np.where(x + (sex == "Male") + rng.normal(size=400) > 0.5, ">50K", "<=50K")
    frame = pd.DataFrame({"x": x, "sex": sex, "income": income})
    frame.to_csv(tmp_path / "people.csv", index=False)
    command = (
        "sweep", "seed", "--data", "people.csv", "--label", "income", "--favorable", ">50K",
        "--protected", "sex", "--lam", "1", "--seeds", "2", "--epochs", "2", "--out", "study",
        "--num-cpus", "1",
    )  # fmt: skip
    assert main([*command]) == 0
    printed = capsys.readouterr().out
    assert rows(tmp_path / "study")["dataset"].tolist() == ["people", "people"]
    assert {"plane.png", "plane.svg"} <= {path.name for path in (tmp_path / "study").iterdir()}
    assert "people, protected: sex" in printed
    assert "majority" in printed
    results = (tmp_path / "study" / "results.csv").read_bytes()
    frame.iloc[:-1].to_csv(tmp_path / "people.csv", index=False)
    assert main([*command]) == 2
    message = capsys.readouterr().err
    assert re.search(r"its data.people.sex is '\w{64}', this one has '\w{64}'", message)
    assert (tmp_path / "study" / "results.csv").read_bytes() == results
