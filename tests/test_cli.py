"""The edge of the command line: exit codes, and errors in one line."""

import pytest

from grad_ext.cli import main


def test_a_path_that_cannot_be_used_is_named_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = "x" * 300
    arguments = ["sweep", "lambda", "--values", "1", "--seeds", "1", "--epochs", "1", "--out", name]
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert name in lines[0]


@pytest.mark.parametrize("seeds", ["400000000", "0", "-1"])
def test_seeds_beyond_any_study_are_refused_at_once(seeds, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "lambda", "--values", "1", "--seeds", seeds]) == 2
    assert "seeds" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
