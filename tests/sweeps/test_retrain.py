"""A model of a study trained again: by its key or row, the same to the bit, saved and loaded."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grad_ext import GRADClassifier, GRADEncoder, StudyPlan, load, load_dataset
from grad_ext.cli import main
from grad_ext.data.split import split
from grad_ext.errors import InputError
from grad_ext.sweeps.folder import StudyDirectory, write_records
from grad_ext.sweeps.retrain import find, retrain
from grad_ext.sweeps.studies.comparison import compare
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

pytestmark = pytest.mark.long

FIGURES = {
    "accuracy": 0.75,
    "balanced_accuracy": 0.6,
    "discrimination": 0.1,
    "delta": 0.65,
    "balanced_delta": 0.5,
    "consistency": 0.8,
    "positive_rate": 0.7,
    "majority_accuracy": 0.7,
    "majority_favorable": 1.0,
    "chance_level": 0.05,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight models: both protected sets, both variants, two seeds each."""
    folder = tmp_path_factory.mktemp("studies") / "one"
    StudyPlan(
        "grid",
        protected=[["age"], ["age", "sex"]],
        set={"variant": ["pred", "auto"]},
        settings={"epochs": 3, "recipe": "paper"},
        seeds=2,
        out=folder,
    ).run(num_cpus=1)
    return folder


def people(path, turned=False):
    """A file of one's own; turned, its last row has the other label."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=120), "sex": rng.choice(["f", "m"], 120)})
    frame["paid"] = np.where(frame["x"] + rng.normal(size=120) > 0, "yes", "no")
    if turned:
        last = frame.index[-1]
        frame.loc[last, "paid"] = "no" if frame.loc[last, "paid"] == "yes" else "yes"
    frame.to_csv(path, index=False)
    return path


def test_every_row_is_the_record_to_the_bit(folder):
    frame = pd.read_csv(folder / "results.csv", float_precision="round_trip")
    records = StudyDirectory.read(folder).records()
    for row in range(1, len(frame) + 1):
        found = retrain(folder, str(row))
        assert found.trial == records[row - 1].trial
        assert found.differing == []
        assert found.record.metrics == found.original.metrics
        assert found.record.history == found.original.history
        assert found.record.metrics["accuracy"] == frame["accuracy"][row - 1]
        assert found.sentences()[0].startswith("Reproduced bit for bit")


def test_what_is_saved_predicts_what_the_study_saw(folder, tmp_path, capsys):
    study = StudyDirectory.read(folder)
    trial = next(
        t for t in study.trials if t.settings.variant == "pred" and t.protected == ("age",)
    )
    path = tmp_path / "model.safetensors"
    assert main(["train", str(folder), trial.key[:8], "--save", str(path)]) == 0
    said = capsys.readouterr().out
    assert "Reproduced bit for bit" in said
    assert said.endswith(f"\nModel: {path}\n")
    model = load(path)
    assert isinstance(model, GRADClassifier)
    test = split(load_dataset("german", ["age"])).test
    right = (model.predict(test.inputs()) == test.frame["credit"]).mean()
    record = next(r for r in study.records() if r.trial == trial)
    assert right == pytest.approx(record.metrics["accuracy"], abs=1e-12)
    assert (model.lam, model.seed_, model.epochs) == (100.0, trial.seed, 3)
    assert [a.levels for a in model.attributes_] == [("others", "privileged")]
    assert model.training_data_.split_seed == trial.split_seed
    # The model knows its rows: the test set of its training.
    assert main(["card", str(path)]) == 0
    assert f"{right:.3f}" in (tmp_path / "model.card.md").read_text()


def test_the_representation_of_grad_auto_is_saved_as_an_encoder(folder, tmp_path):
    study = StudyDirectory.read(folder)
    trial = next(t for t in study.trials if t.settings.variant == "auto" and len(t.protected) == 2)
    path = tmp_path / "model.safetensors"
    assert main(["train", str(folder), trial.key, "--save", str(path)]) == 0
    model = load(path)
    assert isinstance(model, GRADEncoder)
    test = split(load_dataset("german", ["age", "sex"])).test
    labels = model.model_.scores(test.inputs()) >= 0.5
    record = next(r for r in study.records() if r.trial == trial)
    assert (labels == test.y()).mean() == pytest.approx(record.metrics["accuracy"], abs=1e-12)
    assert model.transform(test.inputs()).shape == (200, 40)


def test_a_number_is_a_row_and_else_the_beginning_of_a_key(folder):
    study = StudyDirectory.read(folder)
    records = study.records()
    assert find(study, "3") == records[2].trial
    for record in records:
        key = record.trial.key
        assert find(study, key) == record.trial
        assert find(study, key[:12].upper()) == record.trial
    with pytest.raises(
        InputError, match=r"expected a row of results.csv from 1 to 8, or the begin"
    ):
        find(study, "9999")
    with pytest.raises(InputError, match="has no model ''"):
        find(study, "")


def test_several_keys_with_one_beginning_are_listed(tmp_path):
    trials = [Trial("german", ("age",), seed=seed) for seed in range(40)]
    study = StudyDirectory.open(tmp_path, trials, {"kind": "lambda"})
    # Of forty keys in base sixteen, some begin alike.
    first = [trial.key[0] for trial in study.trials]
    common = max("abcdef", key=first.count)
    with pytest.raises(InputError, match=f"{first.count(common)} models .* begin with '{common}'"):
        find(study, common)
    # Without a record no number is a row.
    with pytest.raises(InputError, match="expected the beginning of a model's key"):
        find(study, "x")


def test_figures_that_differ_are_named_beside_those_of_the_study(tmp_path):
    trial = Trial("german", ("age",), settings=Settings(recipe="paper", epochs=1))
    plan = StudyPlan("seed", protected=["age"], settings={"recipe": "paper", "epochs": 1}, seeds=1)
    study = StudyDirectory.open(tmp_path, [trial], plan.about(plan.tables()))
    assert "has not trained this model yet" in retrain(tmp_path, trial.key).sentences()[0]
    write_records(tmp_path, [Record(trial, FIGURES | {"other": 1.0}, 1, False, False, 0.1)])
    stored = json.loads((tmp_path / "study.json").read_text())
    stored["versions"] |= {"torch": "0.4.0"}
    (tmp_path / "study.json").write_text(json.dumps(stored))
    found = retrain(study.folder, "1")
    assert "accuracy" in found.differing
    assert "other nan" not in found.sentences()[0]
    assert (
        f"accuracy {found.record.metrics['accuracy']:.4f} instead of 0.7500" in found.sentences()[0]
    )
    assert "made with torch 0.4.0" in found.sentences()[0]
    row = next(row for row in found.rows if row["metric"] == "accuracy")
    assert (row["study"], row["majority"]) == (0.75, 0.7)


def test_changed_rows_are_refused(tmp_path, capsys):
    path, out = people(tmp_path / "people.csv"), str(tmp_path / "study")
    file = ["--data", str(path), "--label", "paid", "--favorable", "yes"]
    options = ["--protected", "sex", "--epochs", "2", "--seeds", "1", "--values", "1", "--out", out]
    assert main(["sweep", "lambda", *file, *options]) == 0
    capsys.readouterr()
    assert main(["train", out, "1", *file]) == 0
    assert "Reproduced bit for bit" in capsys.readouterr().out
    # The study knows its file and the roles in it, as long as the file is there.
    assert main(["train", out, "1"]) == 0
    assert "Reproduced bit for bit" in capsys.readouterr().out
    # So does the model that is saved, which is evaluated on the test set of its training.
    model = str(tmp_path / "model")
    assert main(["train", out, "1", "--save", model]) == 0
    assert load(model).classes_.tolist() == ["no", "yes"]
    capsys.readouterr()
    assert main(["evaluate", model, str(path), "--json"]) == 0
    evaluated = {row["metric"]: row for row in json.loads(capsys.readouterr().out)["metrics"]}
    record = StudyDirectory.read(out).records()[0]
    assert evaluated["accuracy"]["estimate"] == pytest.approx(record.metrics["accuracy"])
    path.rename(tmp_path / "moved.csv")
    assert main(["train", out, "1"]) == 2
    assert "a file of your own: name it with --data" in capsys.readouterr().err
    people(path, turned=True)
    assert main(["train", out, "1", *file, "--save", str(tmp_path / "m")]) == 2
    assert "was made with other rows of people" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_of_a_comparison_baselines_are_trained_again_and_grad_is_saved(tmp_path, capsys):
    table = load_dataset("german", ["age"])
    settings = Settings(recipe="paper", epochs=2)
    made = compare(
        ["nn-pred", "logistic"], table, 1, settings=settings, out=tmp_path / "c", num_cpus=1
    )
    rows = {name: str(k + 1) for k, name in enumerate(made.frame["method"])}
    path = tmp_path / "model.safetensors"
    assert main(["train", str(tmp_path / "c"), rows["NN-Pred"], "--save", str(path)]) == 0
    assert "Reproduced bit for bit" in capsys.readouterr().out
    assert load(path).lam == 0.0
    assert main(["train", str(tmp_path / "c"), rows["logistic"]]) == 0
    assert "Reproduced bit for bit" in capsys.readouterr().out
    assert main(["train", str(tmp_path / "c"), rows["logistic"], "--save", str(path)]) == 2
    assert "'logistic' is not GRAD's" in capsys.readouterr().err


def test_an_estimator_of_ones_own_is_left_to_its_owner(tmp_path):
    about = {"kind": "compare", "data": "", "evaluation": {}}
    trial = Trial("german", ("age",), baseline="mine", options={"estimator": "mine.Mine()"})
    StudyDirectory.open(tmp_path, [trial], about)
    with pytest.raises(InputError, match="an estimator of your own"):
        retrain(tmp_path, trial.key, keep=False)


def test_a_table_of_ones_own_is_given_in_python(tmp_path):
    table = replace(load_dataset("german", ["age", "sex"]), name="mine")
    study = StudyPlan(
        "seed", table, settings={"epochs": 1, "recipe": "paper"}, seeds=1, out=tmp_path
    )
    study.run(num_cpus=1)
    assert retrain(tmp_path, "1", table=table).differing == []
    with pytest.raises(InputError, match="was made with other rows"):
        retrain(tmp_path, "1", table=replace(table, frame=table.frame.iloc[::-1]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "1"], "expected the folder of a study"),
        (["{folder}", "1", "--save", "."], "a folder"),
        (["{folder}", "1", "--save", "not/there"], "--save: expected a file"),
        (["{folder}", "1", "--label", "x"], "belongs to a file of your own"),
        (["{folder}", "1", "--data", "x.csv", "--label", "x"], "leave out --data"),
    ],
)
def test_bad_arguments(folder, arguments, said, capsys):
    assert main(["train", *(a.format(folder=folder) for a in arguments)]) == 2
    assert said in capsys.readouterr().err
