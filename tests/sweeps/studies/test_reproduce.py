"""Reproductions from Python: data sets that are missing, and results without training."""

import pandas as pd
import pytest

from grad_ext.errors import InputError
from grad_ext.evaluation import EvaluationConfig
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.reproduce import planned, reproduce
from grad_ext.sweeps.studies.reproduction import Reproduction


def test_a_data_set_without_files_is_left_out_unless_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GRAD_EXT_DATA_DIR", str(tmp_path / "empty"))
    asked = Reproduction("table1", seeds=1, recipes=("paper",), epochs=1)
    plan = planned(asked, out=tmp_path / "study")
    assert {trial.dataset for trial in plan.study.trials} == {"german", "adult"}
    [missing] = plan.missing
    assert missing.startswith("health ")
    # German has five splits and two attributes, Adult one split.
    assert len(plan.encoded_splits) == len({trial.rows for trial in plan.study.trials})
    with pytest.raises(InputError, match=r"Claims\.csv"):
        planned(asked, ["health"], out=tmp_path / "other")
    with pytest.raises(InputError, match=r"'germn'.*'german'"):
        planned(asked, ["germn"], out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


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
    [(title, heading, lines)] = result.tables()
    assert title.startswith("german, ")
    assert len(lines) == len(result.rows)
    assert all(len(line) == len(heading) for line in lines)
    assert [row["dataset"] for row in result.majority] == ["german"]
    assert result.sentences
    assert result.page == tmp_path / "report.html"
    assert result.page.exists()
