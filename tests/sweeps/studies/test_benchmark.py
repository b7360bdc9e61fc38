"""A benchmark of two fast methods on two splits of German, and what is refused."""

import json

import pandas as pd
import pytest

from grad_ext.cli import main
from grad_ext.errors import InputError
from grad_ext.sweeps.studies.benchmark import benchmark


def test_two_methods_on_two_splits(tmp_path, capsys):
    command = [
        "benchmark",
        "--methods",
        "majority,logistic",
        "--splits",
        "2",
        "--bounds",
        "0.5,0.1",
    ]
    command += ["--num-cpus", "1", "--out", str(tmp_path / "suite"), "--json"]
    assert main(command) == 0
    answer = json.loads(capsys.readouterr().out)
    choices = pd.read_csv(tmp_path / "suite" / "choices.csv")
    assert len(choices) == len(answer["choices"]) == 2 * 2 * 2
    majority = choices[choices["method"] == "majority"]
    assert majority["accuracy"].tolist() == pytest.approx(majority["majority_accuracy"].tolist())
    assert (majority["discrimination"] == 0).all()
    # At 0.5 both are fair, and logistic regression is more accurate.
    loose = next(each for each in answer["ranks"] if each["bound"] == 0.5)
    assert loose["ranks"] == {"logistic": 1.0, "majority": 2.0}
    assert loose["critical_difference"] is None
    results = pd.read_csv(tmp_path / "suite" / "results.csv")
    assert sorted(results["split_seed"].unique()) == [0, 1]
    assert "Logistic regression" in (tmp_path / "suite" / "report.html").read_text()

    # Again with one of them: nothing is trained, and the other is not in the answer.
    again = benchmark(
        ["german"], ["logistic"], splits=1, bounds=[0.5], out=tmp_path / "suite", num_cpus=1
    )
    assert again.choices["method"].tolist() == ["logistic"]
    assert again.choices["accuracy"].iloc[0] in choices["accuracy"].tolist()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"datasets": []}, "datasets"),
        ({"datasets": ["german", "german"]}, "german"),
        ({"bounds": [1.5]}, "bounds"),
        ({"bounds": []}, "bounds"),
        ({"methods": ["nothing"]}, "nothing"),
    ],
)
def test_bad_input_is_refused_before_any_work(tmp_path, arguments, name):
    with pytest.raises(InputError, match=name):
        benchmark(**{"datasets": ["german"], **arguments}, out=tmp_path / "suite")
    assert not (tmp_path / "suite").exists()
