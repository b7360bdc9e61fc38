"""Reproductions from Python: data sets that are missing, and results without training."""

import pandas as pd
import pytest

from grad_ext.errors import InputError
from grad_ext.evaluation import EvaluationConfig
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.reproduce import available, reproduce
from grad_ext.sweeps.studies.reproduction import Reproduction


def test_a_data_set_without_files_is_left_out_unless_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GRAD_EXT_DATA_DIR", str(tmp_path / "empty"))
    asked = Reproduction("table1")
    names, [sentence] = available(asked)
    assert names == ["german", "adult"]
    assert sentence.startswith("health ")
    assert available(asked, ["german"]) == (["german"], [])
    with pytest.raises(InputError, match=r"Claims\.csv"):
        available(asked, ["health"])
    with pytest.raises(InputError, match=r"'germn'.*'german'"):
        available(asked, ["germn"])


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
    for title, heading, lines in tables:
        assert title.startswith(("german, ", "adult, ", "health, "))
        assert lines
        assert all(len(line) == len(heading) for line in lines)
    assert [row["dataset"] for row in result.majority] == ["german"]
    assert result.sentences
    assert (tmp_path / "report.html").exists()
