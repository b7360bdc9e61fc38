"""A study's files made again from its records, through the command line."""

import json

import pandas as pd
import pytest

from grad_ext import StudyPlan
from grad_ext.cli import main
from grad_ext.report.figures.study import plane_figure
from grad_ext.report.tables import results
from grad_ext.report.text_tables.models import toolkit_lines
from grad_ext.sweeps.folder import StudyDirectory, lock, write_records
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

FIGURES = {
    "accuracy": 0.75,
    "balanced_accuracy": 0.6,
    "discrimination": 0.1,
    "delta": 0.65,
    "consistency": 0.8,
    "positive_rate": 0.7,
    "majority_accuracy": 0.7,
    "majority_favorable": 1.0,
    "chance_level": 0.05,
}
LAMBDA = {"kind": "lambda"}


def study(folder, recipe="paper", about=LAMBDA, lams=(1.0, 100.0)):
    trials = [
        Trial("german", ("age",), lam, seed, settings=Settings(recipe=recipe))
        for lam in lams
        for seed in (0, 1)
    ]
    made = StudyDirectory.open(folder, trials, about)
    write_records(folder, [Record(t, FIGURES, 3, False, False, 0.1) for t in trials])
    return made


def test_a_study_is_read_back(tmp_path):
    made = study(tmp_path / "one")
    again = StudyDirectory.read(tmp_path / "one")
    assert again == made
    assert again.plan()["about"]["kind"] == "lambda"
    assert again.notes() == {}
    again.write_notes({"notes": ["a", "b"]})
    assert StudyDirectory.read(tmp_path / "one").notes() == {"notes": ["a", "b"]}
    assert len(again.records()) == 4


def test_one_study_again_in_other_formats(tmp_path, capsys):
    study(tmp_path / "one")
    assert main(["report", str(tmp_path / "one"), "--format", "pdf"]) == 0
    assert capsys.readouterr().out == f"Report: {tmp_path / 'one' / 'report.html'}\n"
    names = {p.name for p in (tmp_path / "one").iterdir()}
    written = {"lambda.pdf", "plane.pdf", "spread.pdf", "report.html", "results.csv"}
    assert names == {".lock", "study.json", "records", *written}
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


def made_of(folder, plan):
    """Write made-up records of every model of a plan, the less accurate the larger λ."""
    opened = plan.open()
    records = []
    for trial in opened.plan.trials() or [
        one
        for lam in (5.0, 17.25)
        for one in plan.choice_trials(opened.tables["german"][("age",)], {"lam": lam})
    ]:
        fall = 0.001 * trial.lam
        figures = FIGURES | {"accuracy": 0.75 - fall, "discrimination": 0.1 - fall}
        seen = {f"validation_{n}": figures[n] for n in ("accuracy", "discrimination")}
        records.append(Record(trial, figures | seen, 3, False, False, 0.1))
    with lock(opened.directory.folder):
        opened.directory.extended([record.trial for record in records])
    write_records(folder, records)


@pytest.mark.parametrize(
    ("plan", "columns", "figure", "words"),
    [
        (
            {"kind": "lambda", "set": {"lam": [1, 9]}},
            ["lam"],
            "lambda",
            "No difference is resolved",
        ),
        ({"kind": "seed"}, ["lam"], "lambda", "At λ = 100"),
        (
            {"kind": "lambda", "set": {"lam": [1, 9]}, "protected": [["age"], ["sex"]]},
            ["lam"],
            "frontier",
            "4 of 4 choices",
        ),
        (
            {"kind": "grid", "set": {"lam": [1, 9], "dropout": [0, 0.5], "hidden": [8]}},
            ["lam", "dropout", "hidden"],
            "frontier",
            "4 of 4 choices",
        ),
        (
            {"kind": "search", "set": {"lam": "1:100"}, "search": {"objectives": ["accuracy"]}},
            ["lam"],
            "frontier",
            "1 of 2 choices of settings are on the Pareto frontier (*): no other is better in accuracy on",
        ),
    ],
)
def test_every_kind_of_study_has_a_page_again_and_says_how_far_it_is(
    tmp_path, capsys, plan, columns, figure, words
):
    folder = tmp_path / "one"
    made_of(folder, StudyPlan(**{"protected": ["age"], "seeds": 2, "out": folder} | plan))
    assert main(["report", str(folder), "--format", "svg"]) == 0
    text = (folder / "report.html").read_text()
    assert words in text
    drawn = {path.stem for path in folder.glob("*.svg")}
    assert drawn == {"plane", "spread", figure}
    frame = pd.read_csv(folder / "results.csv")
    assert set(columns) <= set(frame)
    data = json.loads(text.split('id="models-data">')[1].split("</script>")[0])
    # What varies is a setting of the page's, and none of its metrics.
    names = {c["name"] for c in data["columns"] if c["role"] == "metric"}
    assert "accuracy" in names
    assert not names & {*columns}
    (commands,) = data["commands"]
    assert "split(table, trial.split_seed, 'random')" in commands["python"]
    capsys.readouterr()
    assert main(["sweep", "status", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"{plan['kind']} study: {len(frame)} of {len(frame)} models" in said


def test_a_search_has_room_for_many_choices(tmp_path):
    plan = StudyPlan("grid", protected=["age"], set={"lam": [*range(1, 71)]}, seeds=1, out=tmp_path)
    made_of(tmp_path, plan)
    assert main(["report", str(tmp_path), "--format", "svg"]) == 0
    text = (tmp_path / "report.html").read_text()
    assert "10 further choices are not in this table" in text
    # More numbers than a legend has room for are told apart by eight ranges of them.
    frame = pd.read_csv(tmp_path / "results.csv")
    labels = [t.get_text() for t in plane_figure(frame, "", "lam").legends[0].get_texts()]
    assert sum(label.startswith("λ ") for label in labels) == 8


def test_the_toolkits_metrics_are_by_data_set_and_protected_attributes():
    trials = [Trial("german", (a,), 1.0, seed) for a in ("age", "sex") for seed in (0, 1)]
    values = [0.1, 0.3, 0.5, 0.9]
    figures = [
        FIGURES | {f"disparate_impact_{t.protected[0]}": v}
        for t, v in zip(trials, values, strict=True)
    ]
    frame = results(
        [Record(t, f, 1, False, False, 0.1) for t, f in zip(trials, figures, strict=True)]
    )
    heading, body = toolkit_lines(frame, "lam")
    assert heading == ["λ", "disparate impact age", "disparate impact sex"]
    assert body == [
        ["majority class, german age", "1.000", "1.000"],
        ["1, german age", "0.200 ±0.141", "–"],
        ["majority class, german sex", "1.000", "1.000"],
        ["1, german sex", "–", "0.700 ±0.283"],
    ]


def test_an_unknown_kind_of_study_has_a_report_too(tmp_path):
    study(tmp_path / "one", about={"kind": "mine"})
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
    StudyDirectory.open(tmp_path / "empty", [Trial("german", ("age",))], LAMBDA)
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
