"""A study's files made again from its records, through the command line."""

import json

import pandas as pd
import pytest

from grad_ext.cli import main
from grad_ext.report.tables import results
from grad_ext.sweeps.study import Study, write_records
from grad_ext.trial import Record, Settings, Trial

FIGURES = {
    "accuracy": 0.75,
    "balanced_accuracy": 0.6,
    "discrimination": 0.1,
    "delta": 0.65,
    "consistency": 0.8,
    "positive_rate": 0.7,
    "majority_accuracy": 0.7,
    "majority_favorable": 1.0,
    "discrimination_floor": 0.05,
}


def study(folder, recipe="paper", about=None, lams=(1.0, 100.0)):
    trials = [
        Trial("german", ("age",), lam, seed, settings=Settings(recipe=recipe))
        for lam in lams
        for seed in (0, 1)
    ]
    made = Study.open(folder, trials, about)
    write_records(folder, [Record(t, FIGURES, 3, False, False, 0.1) for t in trials])
    return made


def test_a_study_is_read_back(tmp_path):
    made = study(tmp_path / "one")
    again = Study.read(tmp_path / "one")
    assert again == made
    assert again.plan()["about"]["kind"] == "lambda"
    assert again.noted() == {}
    again.note({"notes": ["a", "b"]})
    assert Study.read(tmp_path / "one").noted() == {"notes": ["a", "b"]}
    assert len(again.records()) == 4


def test_one_study_again_in_other_formats(tmp_path, capsys):
    study(tmp_path / "one")
    assert main(["report", str(tmp_path / "one"), "--format", "pdf"]) == 0
    assert capsys.readouterr().out == f"Report: {tmp_path / 'one' / 'report.html'}\n"
    names = {p.name for p in (tmp_path / "one").iterdir()}
    written = {"lambda.pdf", "plane.pdf", "spread.pdf", "report.html", "results.csv"}
    assert names == {"study.json", "records", *written}
    pdf = (tmp_path / "one" / "lambda.pdf").read_bytes()
    # TrueType outlines are in the file.
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


def test_several_studies_on_one_page(tmp_path):
    one, two = study(tmp_path / "one"), study(tmp_path / "two", recipe="steady")
    folders = [str(s.folder) for s in (one, two)]
    assert main(["report", *folders, "--out", str(tmp_path / "both"), "--format", "svg"]) == 0
    frame = pd.read_csv(tmp_path / "both" / "results.csv")
    assert frame["study"].tolist() == ["one"] * 4 + ["two"] * 4
    assert frame["accuracy"].tolist() == [0.75] * 8
    text = (tmp_path / "both" / "report.html").read_text()
    assert "2 studies side by side" in text
    data = json.loads(text.split('id="models-data">')[1].split("</script>")[0])
    columns = {c["name"]: c for c in data["columns"]}
    assert columns["study"]["levels"] == ["one", "two"]
    assert columns["recipe"]["levels"] == ["paper", "steady"]
    # What the recipe decides is kept for the trials, but tells nothing more.
    assert columns["dropout"]["hidden"]
    assert data["studies"] == [0] * 4 + [1] * 4


def test_an_unknown_kind_of_study_has_a_report_too(tmp_path):
    study(tmp_path / "one", about={"kind": "grid"})
    assert main(["report", str(tmp_path / "one")]) == 0
    assert len(pd.read_csv(tmp_path / "one" / "results.csv")) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none"], "has no study.json"),
        (["one", "--format", "jpeg"], "unknown format 'jpeg'"),
        (["one", "--out", "x"], "--out is for several studies"),
        (["one", "one"], "one of them twice"),
        (["one", "two", "--out", "two"], "is one of the studies"),
        (["empty"], "has no model yet"),
    ],
)
def test_refusals_name_the_reason(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    study(tmp_path / "one")
    study(tmp_path / "two")
    Study.open(tmp_path / "empty", [Trial("german", ("age",))])
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert main(["report", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_epochs_survive_the_record(tmp_path):
    history = {"loss": (0.5, float("nan")), "accuracy": (0.7, 0.8)}
    record = Record(Trial("german", ("age",)), FIGURES, 2, False, False, 0.1, history=history)
    again = Record.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False)))
    assert again.history["accuracy"] == (0.7, 0.8)
    assert again.history["loss"][0] == 0.5
    assert again.history["loss"][1] != again.history["loss"][1]
    old = {n: v for n, v in record.to_json().items() if n != "history"}
    assert Record.from_json(old).history == {}
    assert len(results([record])) == 1
