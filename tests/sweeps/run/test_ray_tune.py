"""Packs on Ray: the same models as on this machine's CPUs, and failures that are told alike."""

import pandas as pd
import pytest

from grad_ext import StudyPlan
from grad_ext.errors import InputError
from grad_ext.sweeps.run.cluster import cluster
from grad_ext.sweeps.run.executors import StudyIncomplete, run
from grad_ext.sweeps.run.fitting import train_together
from grad_ext.sweeps.run.progress import status
from grad_ext.sweeps.run.resources import Resources

pytestmark = pytest.mark.long

ray = pytest.importorskip("ray")


def plan(folder):
    settings = {"epochs": 2, "recipe": "paper"}
    return StudyPlan("lambda", set={"lam": [1, 100]}, seeds=2, settings=settings, out=folder)


def results(folder):
    """The text of results.csv but for the time."""
    return pd.read_csv(folder / "results.csv", dtype=str).drop(columns="seconds").to_csv()


def test_a_ray_that_does_not_start_is_tried_again_and_told_in_a_line(tmp_path, monkeypatch):
    tried = []

    def init(**options):
        tried.append(options["num_cpus"])
        raise OSError("The current node timed out during startup.\nAnd more of it.")

    monkeypatch.setattr(ray, "init", init)
    with (
        pytest.raises(InputError, match=r"timed out during startup\. Use --engine local") as caught,
        cluster(Resources(1, engine="ray"), tmp_path),
    ):
        pass
    assert tried == [1, 1]
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("running_ray")
def test_ray_trains_the_same_models(tmp_path):
    # A Ray that this process has started is used unless the user names the other.
    plan(tmp_path / "ray").run(pack_size=2, log=("tensorboard",))
    plan(tmp_path / "local").run(engine="local", log=("tensorboard",))
    assert results(tmp_path / "ray") == results(tmp_path / "local")
    for engine, packs in (("ray", 2), ("local", 1)):
        folder = tmp_path / engine
        assert len(list((folder / "tensorboard").iterdir())) == 4
        now = status(folder)
        assert (now.done, now.run.packs, now.run.done, now.run.share) == (4, packs, packs, 4.0)
        assert now.run.best


@pytest.mark.usefixtures("running_ray")
def test_a_failing_pack_is_reported_and_the_rest_is_kept(tmp_path):
    def fit_pack(trials, encoded, on_records, on_progress):
        if trials[0].lam == 1.0:
            raise OSError("no space left")
        train_together(trials, encoded, on_records, on_progress)

    opened = plan(tmp_path).open()
    encode = lambda trials: {trials[0].rows: opened.encode(trials[0])}
    failed = "2 of 4 models are missing, because 1 of 2 packs failed.*no space left"
    with pytest.raises(StudyIncomplete, match=failed):
        run(opened.directory, encode, Resources(1, 2, engine="ray"), fit_pack=fit_pack)
    assert [(t.lam, t.seed) for t in opened.directory.missing()] == [(1.0, 0), (1.0, 1)]
