"""The paper's tables: as published, as trials, and side by side."""

import pandas as pd
import pytest

from grad_ext.cli import main
from grad_ext.errors import InputError
from grad_ext.evaluation import EvaluationConfig
from grad_ext.report.published import TABLES
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.reproduction import Reproduction, algorithm, reproduce
from grad_ext.sweeps.studies.values import LAMBDAS

pytestmark = pytest.mark.long


def test_table1_is_both_networks_in_both_variants():
    asked = Reproduction("table1", seeds=3, recipes=("paper",))
    trials = asked.trials(["adult"])
    own = [t for t in trials if t.protected == ("sex",)]
    assert {algorithm(t) for t in own} == {"NN-Pred", "GRAD-Pred", "NN-Auto", "GRAD-Auto"}
    assert {t.lam for t in own} == {0.0, 100.0}
    assert len(own) == 4 * 3
    assert {t.protected for t in trials} == {("sex",), ("race",)}
    # German's few test rows: five divisions of the rows, each with every seed.
    german = asked.trials(["german"])
    assert {t.split_seed for t in german} == set(range(5))
    assert len(german) == 2 * 4 * 5 * 3
    assert len(set(trials)) == len(trials)


def test_table2_protects_both_or_one_and_judges_by_both():
    asked = Reproduction("table2", seeds=1, recipes=("paper",))
    trials = asked.trials(["diabetes"])
    assert sorted(algorithm(t) for t in trials) == sorted(TABLES["table2"]["diabetes"])
    assert len({t.rows for t in trials}) == 1
    assert all(asked.in_order(t) == ["race", "gender"] for t in trials)
    alone = next(t for t in trials if algorithm(t) == "GRAD-Pred-G")
    assert (alone.protected, alone.also_evaluated) == (("gender",), ("race",))


def test_figure2_is_a_study_of_lambda():
    trials = Reproduction("figure2", seeds=2, recipes=("paper",)).trials(["adult"])
    assert sorted({t.lam for t in trials}) == sorted(LAMBDAS)
    assert len(trials) == 2 * len(LAMBDAS)


def test_other_attributes_can_be_asked_for():
    asked = Reproduction("table1", protected={"german": ("sex",)}, seeds=1, recipes=("paper",))
    assert {t.protected for t in asked.trials(["german"])} == {("sex",)}
    asked = Reproduction("table1", protected={"adult": ("sex", "race")}, seeds=1, epochs=3)
    assert {t.settings.epochs for t in asked.trials(["adult"])} == {3}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Reproduction("table3"), "did you mean 'table"),
        (lambda: Reproduction("table1", seeds=0), "seeds must be .* of at least 1, got 0"),
        (lambda: Reproduction("table1", recipes=("papr",)), "did you mean 'paper'"),
        (
            lambda: Reproduction("table2", protected={"adult": ("sex",)}),
            "unknown data set 'adult' of 'table2'",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ("--datasets", "german", "--epochs", "1", "--recipes", "paper", "--out", "study")
    command = ("reproduce", "table1", *small, "--seeds", "1", "--num-cpus", "1")
    assert main([*command]) == 0
    printed = capsys.readouterr().out
    assert "majority class" in printed
    assert "as published" in printed
    frame = pd.read_csv(tmp_path / "study" / "results.csv")
    assert len(frame) == 2 * 4 * 5
    assert "consistency@k=10" in frame.columns
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "study" / "records").iterdir()}
    assert main([*command]) == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "study" / "records").iterdir()} == before
    capsys.readouterr()
    for arguments, message in (
        (("table1", "--datasets", "germn"), "did you mean 'german'"),
        (("table4",), "unknown table 'table4'"),
        (("table1", "--protected", "german"), "something like german=sex"),
        (("table1", *small, "--k", "10"), "evaluation.k is 5, this one has 10"),
    ):
        assert main(["reproduce", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_a_table_from_python(tmp_path):
    result = reproduce(
        "table1",
        ["german"],
        out=tmp_path,
        resources=Resources(num_cpus=1),
        seeds=1,
        recipes=("steady",),
        epochs=1,
        evaluation=EvaluationConfig(k=1),
    )
    # Two variants, with and without reversal, on five splits.
    assert len(pd.read_csv(tmp_path / "results.csv")) == 2 * 2 * 5
    trained = result.rows[result.rows["recipe"] == "steady"]
    assert set(trained["algorithm"]) >= {"NN-Pred", "NN-Auto", "GRAD-Pred", "GRAD-Auto"}
    tables = result.tables()
    assert len(tables) == len(result.rows.groupby(["dataset", "attributes"]))
    for title, heading, body in tables:
        assert title.startswith(("german, ", "adult, ", "health, "))
        assert body
        assert all(len(line) == len(heading) for line in body)
    assert [row["dataset"] for row in result.majority] == ["german"]
    assert result.sentences
    assert (tmp_path / "report.html").exists()
