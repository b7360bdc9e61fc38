"""A file to a saved model and back, on the command line."""

import json

import pandas as pd
import pytest
from people import people

from grad_ext import load
from grad_ext.cli import main

ROLES = ["--label", "decision", "--favorable", "approved", "--protected", "sex,age>=40"]
FAST = ["--epochs", "10", "--lam", "0.1", "--set", "batch_size=16"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    people().to_csv(folder / "loans.csv", index=False)
    people(80, seed=1).to_csv(folder / "test.csv", index=False)
    model = str(folder / "model.safetensors")
    assert main(["fit", "--data", str(folder / "loans.csv"), *ROLES, *FAST, "--save", model]) == 0
    return folder


def test_fit_shows_what_was_read_and_the_held_out_metrics(folder, capsys):
    assert main(["fit", "--data", str(folder / "loans.csv"), *ROLES, *FAST]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for fact in ("300 rows", "'approved'", "balanced accuracy", "chance level", "true positive"):
        assert fact in out, fact
    for group in ("Female", "Male", "age>=40", "not age>=40"):
        assert group in out, group


def test_fit_as_json(folder, capsys):
    assert main(["fit", "--dataset", "german", "--epochs", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["model"] is None
    assert document["trained_on"]["name"] == "german"
    metrics = {row["metric"]: row for row in document["metrics"]}
    assert metrics["accuracy"]["majority"] == 0.7
    assert document["groups"][0]["attribute"] == "age"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--variant", "auto"], "variant"),
        (["--lam=-1"], "lambda"),
        (["--save", "no_such_folder/model"], "no_such_folder"),
        (["--set", "dropuot=0.1"], "dropuot"),
        (["--epochs", "0"], "epochs"),
    ],
)
def test_bad_options_are_told_before_training(options, part, folder, capsys):
    assert main(["fit", "--data", str(folder / "loans.csv"), *ROLES, *options]) == 2
    assert part in capsys.readouterr().err


def test_evaluate_needs_nothing_repeated(folder, capsys):
    model = str(folder / "model.safetensors")
    assert main(["evaluate", model, str(folder / "test.csv"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    test = pd.read_csv(folder / "test.csv")
    fitted = load(model)
    predicted = fitted.predict(test[list(fitted.feature_names_in_)])
    metrics = {row["metric"]: row["estimate"] for row in document["metrics"]}
    assert metrics["accuracy"] == pytest.approx((predicted == test["decision"]).mean())
    assert "test.csv" in document["rows"]


def test_evaluate_tells_the_test_set_of_the_training(folder, capsys):
    model = str(folder / "model.safetensors")
    assert main(["evaluate", model, "--data", str(folder / "loans.csv")]) == 0
    assert "60 of 300 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "loans.csv"),
        (["test.csv", "--data", "test.csv"], "test.csv and test.csv"),
        (["german", "--label", "x"], "--label"),
        (["test.csv", "--rows", "train"], "train"),
        (["nowhere.csv"], "nowhere.csv"),
    ],
)
def test_rows_that_cannot_be_told_are_refused(arguments, part, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert main(["evaluate", "model.safetensors", *arguments]) == 2
    assert part in capsys.readouterr().err


def test_card_and_audit_need_nothing_repeated(folder, capsys):
    model, test = str(folder / "model.safetensors"), str(folder / "test.csv")
    assert main(["card", model, test, "--folds", "2"]) == 0
    card = (folder / "model.card.md").read_text()
    for fact in ("loans.csv", "test.csv", "Female", "not age", "'approved'"):
        assert fact in card, fact
    assert main(["audit", model, test, "--folds", "2", "--out", str(folder / "audit")]) == 0
    assert "test.csv" in " ".join(capsys.readouterr().out.split())
    attributes = pd.read_csv(folder / "audit" / "audit.csv")["attribute"].unique()
    assert attributes.tolist() == ["sex", "age>=40", "sex x age>=40"]


def test_predict_writes_labels_in_the_words_of_the_data(folder, capfdbinary):
    model, test = str(folder / "model.safetensors"), str(folder / "test.csv")
    out = folder / "scores.csv"
    assert main(["predict", model, test, "--out", str(out), "--keep", "age"]) == 0
    capfdbinary.readouterr()
    written = pd.read_csv(out)
    assert list(written) == ["age", "prediction", "score"]
    assert set(written["prediction"]) <= {"approved", "denied"}
    assert main(["predict", model, test, "--keep", "age"]) == 0
    assert capfdbinary.readouterr().out == out.read_bytes()
    assert main(["predict", model, test, "--json"]) == 2


def test_export_takes_raw_columns(folder, capsys):
    import numpy as np
    import onnxruntime

    model = str(folder / "model.safetensors")
    assert main(["export", model]) == 2
    assert main(["export", model, "--onnx"]) == 0
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    test = pd.read_csv(folder / "test.csv")
    inputs = {
        "income": test[["income"]].to_numpy(dtype=np.float64),
        "job": test[["job"]].to_numpy(dtype=object),
    }
    probabilities, label = session.run(["probabilities", "label"], inputs)
    fitted = load(model)
    assert label.tolist() == fitted.predict(test[["income", "job"]]).tolist()
    assert probabilities == pytest.approx(fitted.predict_proba(test[["income", "job"]]), abs=1e-9)
