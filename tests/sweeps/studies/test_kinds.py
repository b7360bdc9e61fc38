"""The registry of study kinds, and a kind of a user's own."""

import json

import numpy as np
import pandas as pd
import pytest

from grad_ext import StudyPlan, load_table
from grad_ext.cli import main
from grad_ext.errors import InputError
from grad_ext.evaluation import evaluate
from grad_ext.method import GRAD
from grad_ext.report.tables import results
from grad_ext.sweeps.folder import StudyDirectory, write_records
from grad_ext.sweeps.retrain import retrain
from grad_ext.sweeps.studies import kinds
from grad_ext.sweeps.studies.kinds import (
    BUILT_IN,
    KINDS,
    OTHER_KINDS,
    kind_of,
    register,
    study_kind,
)
from grad_ext.sweeps.studies.reproduction import PREFIX, TABLES
from grad_ext.sweeps.studies.study import StudyKind
from grad_ext.trial import Trial


@pytest.fixture
def registry(monkeypatch):
    """A copy of the registry, so that a test's kinds are gone after it."""
    monkeypatch.setattr(kinds, "KINDS", dict(KINDS))


def train(run):
    """Train the missing models of an open study in this process, and write their records."""
    for trial in run.missing():
        [record] = evaluate(GRAD(), [trial], run.encode(trial), validation=True)
        write_records(run.directory.folder, [record])
    return run.result(["svg"])


def directory(folder, kind):
    return StudyDirectory.open(folder, [Trial("german", ("age",))], {"kind": kind})


def test_every_name_has_a_class_that_says_what_varies(tmp_path):
    assert set(KINDS) >= {"lambda", "seed", "grid", "search"}
    for name in BUILT_IN:
        kind = kind_of(directory(tmp_path / name, name))
        assert type(kind) is not StudyKind
        assert kind.varies
        assert kind.seeds >= 1
        assert kind.name in (name, "")
    assert [name for name in OTHER_KINDS if name != "compare"] == [f"{PREFIX}{t}" for t in TABLES]


def test_a_plan_has_one_of_the_kinds_that_can_be_planned():
    assert StudyPlan("seed").seeds == tuple(range(30))
    for name in ("compare", "lambada", 3):
        with pytest.raises(InputError, match=rf"{name}.*'lambda', 'seed', 'grid', 'search'"):
            study_kind(name)


def test_a_study_whose_kind_is_not_registered_is_written_as_settings(tmp_path):
    assert type(kind_of(directory(tmp_path, "mine"))) is StudyKind


@pytest.mark.parametrize("taken", ["", "grid", "compare"])
def test_a_kind_needs_a_name_of_its_own(taken, registry):
    with pytest.raises(InputError, match="Mine: expected a name"):
        register(type("Mine", (StudyKind,), {"name": taken}))


def test_a_kind_of_ones_own_is_planned_run_written_and_retrained(registry, tmp_path, capsys):
    @register
    class SplitStudy(StudyKind):
        name = "split"
        varies = "the train/test split"
        seeds = 1

        def varied(self, given):
            return super().varied({"split_seed": (0, 1, 2), **given})

    settings = {"epochs": 2, "recipe": "paper"}
    plan = StudyPlan("split", protected=["age"], settings=settings, out=tmp_path / "one")
    run = plan.open()
    assert [(t.split_seed, t.seed, t.lam) for t in run.trials] == [(s, 0, 100.0) for s in (0, 1, 2)]
    outcome = train(run)
    assert outcome.kind == "split"
    assert outcome.points["split_seed"].tolist() == [0, 1, 2]
    assert not outcome.curve
    assert retrain(outcome.folder, "2").differing == []
    # More values extend the study, and the command line writes its report again.
    wider = StudyPlan(
        "split", set={"split_seed": [3]}, protected=["age"], settings=settings, out=outcome.folder
    ).open()
    assert (len(wider.missing()), wider.models) == (1, 4)
    (outcome.folder / "results.csv").unlink()
    assert main(["report", str(outcome.folder), "--format", "svg"]) == 0
    assert capsys.readouterr().out == f"Report: {outcome.page}\n"
    assert len(pd.read_csv(outcome.folder / "results.csv")) == 3


HANDLE = (0.0, 2.0, 5.0, 10.0, 20.0, 35.0, 50.0, 100.0, 200.0, 400.0)
PAPERS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)


@pytest.mark.parametrize(
    ("set_", "settings", "lams"),
    [
        ({}, {}, HANDLE),
        ({}, {"recipe": "smooth", "epochs": 3}, HANDLE),
        ({}, {"recipe": "steady"}, PAPERS),
        ({}, {"recipe": "paper"}, PAPERS),
        # Auto has no score to keep alike, and the strength of its reversal saturates.
        ({}, {"variant": "auto"}, PAPERS),
        ({"recipe": ["steady", "paper"]}, {}, PAPERS),
        ({"recipe": ["smooth", "paper"]}, {}, tuple(sorted({*HANDLE, *PAPERS}))),
        ({"variant": ["pred", "auto"]}, {"recipe": "steady"}, PAPERS),
        ({"lam": [3], "hidden": [8]}, {}, (3.0,)),
    ],
)
def test_a_study_of_lambda_has_the_values_of_its_recipes_unless_they_are_given(
    set_, settings, lams
):
    plan = StudyPlan("lambda", set=set_, settings=settings)
    assert plan.set["lam"] == lams
    assert {name: plan.set[name] for name in set_ if name != "lam"} == {
        name: tuple(values) for name, values in set_.items() if name != "lam"
    }


def test_attributes_with_commas_in_their_names(tmp_path):
    """They are lists in study.json, CSV in results.csv, and found again by retraining."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=120), "sex": rng.choice(["f", "m"], 120)})
    frame["group, home"] = rng.choice(["a", "b"], 120)
    frame["paid"] = (frame["x"] + rng.normal(size=120) > 0).astype(int)
    frame.to_csv(tmp_path / "people.csv", index=False)
    names = ["sex", "group, home"]
    table = load_table(tmp_path / "people.csv", "paid", names)
    plan = {"settings": {"epochs": 2}, "seeds": 2, "out": tmp_path / "study"}
    outcome = train(StudyPlan("seed", table, **plan).open())
    about = json.loads((outcome.folder / "study.json").read_text())["about"]
    assert about["dataset"]["people"]["protected"] == [names]
    assert list(about["data"]["people"]) == ['sex,"group, home"']
    assert (
        pd.read_csv(outcome.folder / "results.csv")["protected"].tolist()
        == ['sex,"group, home"'] * 2
    )
    assert "discrimination_group, home" in results(StudyDirectory.read(outcome.folder).records())
    assert "people, protecting sex and group, home" in outcome.page.read_text()
    data = {"path": str(tmp_path / "people.csv"), "label": "paid"}
    assert retrain(outcome.folder, "1", table=table).differing == []
    assert retrain(outcome.folder, "1", data=data).differing == []
    # The same study, from a plan in a file.
    (tmp_path / "plan.toml").write_text(
        f"""
kind = "seed"
seeds = 2
protected = ["sex", "group, home"]
out = '{outcome.folder}'
data = {{path = '{data["path"]}', label = "paid", drop = []}}
settings = {{epochs = 2}}
"""
    )
    assert StudyPlan.from_file(tmp_path / "plan.toml").open().missing() == []
