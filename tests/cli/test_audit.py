"""`grad-ext audit`: trained models, saved models, files, errors and Ctrl-C."""

import re
import signal
import subprocess
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from command import BIN, PATIENCE, grad_ext, wait_until
from leakage import leaky

from grad_ext import GRADClassifier, GRADInProcessing, audit, load_dataset, save
from grad_ext.auditing.plain import plain_representation
from grad_ext.cli import main
from grad_ext.data.split import split
from grad_ext.errors import ConstantPredictionWarning


def test_training_writes_a_table_and_a_figure(tmp_path):
    done = grad_ext("audit", "--protected", "age,sex", "--epochs", 3, "--folds", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder = next((tmp_path / "audits").iterdir())
    assert folder.name.startswith("german-age-sex-grad-pred-")
    assert {p.name for p in folder.iterdir()} == {"audit.csv", "audit.png", "audit.svg"}
    table = pd.read_csv(folder / "audit.csv")
    assert table["attribute"].unique().tolist() == ["age", "sex", "age x sex"]
    assert table["source"].unique().tolist() == [
        "features",
        *(f"{s} (λ = {n})" for s in ("representation", "scores", "labels") for n in (0, 100)),
    ]
    assert set(table["rows"]) == {200}
    assert done.stdout.endswith(
        f"\nTable: {folder / 'audit.csv'}\nPicture: {folder / 'audit.png'}\n"
    )
    printed = " ".join(done.stdout.split())
    assert "GRAD-Pred on german, λ = 100: " in printed
    assert "age (2 groups, the largest 81% of 200 rows): AUC" in printed
    assert "0.700" in printed


def test_saved_models_are_audited(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = load_dataset("german", ["age"])
    train = split(table).train
    model = GRADClassifier(epochs=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantPredictionWarning)
        model.fit(train.inputs(), train.frame["credit"], sensitive_features=train.a()[:, 0])
        algorithm = GRADInProcessing(epochs=2, random_state=0).fit(train.to_aif360())
    save(model, "mine.safetensors")
    save(algorithm, "theirs.safetensors")
    for name in ("mine", "theirs"):
        size = ("--folds", "2", "--seed", "3", "--out", name)
        assert main(["audit", f"{name}.safetensors", *size]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        assert f"{name} on german: " in printed.out
    mine = pd.read_csv(tmp_path / "mine" / "audit.csv")
    test = split(table).test
    older = {"age": np.where(test.a()[:, 0] == 1, "privileged", "others")}
    plain = plain_representation(model, train, test)
    own = audit(model, test.inputs(), older, folds=2, seed=3, plain=plain).table
    pd.testing.assert_frame_equal(mine, own, check_dtype=False)


BAD_COMMANDS = {
    "--dataset germna": "unknown data set 'germna': did you mean 'german'?",
    "--protected agee": "unknown protected attribute 'agee' of 'german': did you mean 'age'",
    "--lam=-1": "lambda must be a finite number of at least 0, got -1",
    "--epochs 0": "epochs must be",
    "--data people.csv": "--label",
    "--data people.csv --dataset german": "people.csv",
    "--label x": "--label belongs to a file of your own",
    "--variant prod": "unknown variant 'prod'",
    "--checkpoint best": "unknown rule for the epoch to keep 'best'",
    "--rows train": "unknown choice of rows 'train'",
    "--folds 1": "folds must be a whole number of at least 2, got 1",
    "--seed=-1": "got -1",
    "none.safetensors": "none.safetensors does not exist",
    "none.safetensors --lam 3": "--lam is for training",
    "--out file/audit": "cannot write to the folder",
    "--nothing": "No such option",
}


@pytest.mark.parametrize("arguments", BAD_COMMANDS)
def test_a_bad_command_is_one_line_and_exit_code_2(arguments, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert main(["audit", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"Error: [^\n]+\n", printed.err), printed.err
    assert BAD_COMMANDS[arguments] in printed.err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_model_of_other_columns_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    X, y, sex = leaky(60)
    frame = pd.DataFrame(X, columns=["duration", "b", "c"])
    refused = {
        "array": (X, "expected a model fitted on named columns of german, got one fitted on an"),
        "frame": (frame, "unknown feature 'b' of 'german'"),
    }
    for name, (rows, message) in refused.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantPredictionWarning)
            model = GRADClassifier(epochs=1, random_state=0).fit(rows, y, sensitive_features=sex)
        save(model, f"{name}.safetensors")
        assert main(["audit", f"{name}.safetensors"]) == 2
        assert message in capsys.readouterr().err


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    command = [BIN, "audit", "--dataset", "adult", "--epochs", "500", "--out", "results"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (tmp_path / "results").exists() or process.poll() is not None)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert errors.startswith("Interrupted: ")
    assert errors.count("\n") == 1
    assert not list((tmp_path / "results").iterdir())
