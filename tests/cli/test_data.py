"""`grad-ext data`: what is read of a file, and its roles."""

import json

import numpy as np
import pandas as pd
import pytest

from grad_ext.cli import main
from grad_ext.data.roles import Roles


@pytest.fixture
def file(tmp_path):
    rows = np.arange(60)
    frame = pd.DataFrame(
        {
            "age": 20 + rows,
            "income, monthly": np.where(rows % 10, rows, np.nan),
            "sex": np.where(rows % 3, "f", "m"),
            "paid": np.where(rows % 2, "yes", "no"),
        }
    )
    path = tmp_path / "people.csv"
    frame.to_csv(path, index=False, sep=";")
    return path


ROLES = ["--label", "paid", "--favorable", "yes", "--protected", "sex=m,25<=age<60"]


def test_what_is_read_of_a_file_is_shown(file, capsys):
    assert main(["data", "info", str(file), *ROLES]) == 0
    out = capsys.readouterr().out
    for fact in ("60 rows", "semicolons", "'paid'", "'income, monthly' (6)", "25<=age<60", "51.4%"):
        assert fact in out, fact


def test_the_report_of_a_file_as_json(file, capsys):
    assert main(["data", "info", "--data", str(file), *ROLES, "--missing", "drop", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["rows_read"], document["rows"]) == (60, 54)
    groups = {(g["attribute"], g["group"]): g["rows_read"] for g in document["groups"]}
    assert groups["sex=m", "m"] == 20
    assert groups["25<=age<60", "25<=age<60"] == 35


def test_roles_are_written_beside_a_file_and_used(file, capsys):
    assert main(["data", "describe", str(file), *ROLES, "--drop", '"income, monthly"']) == 0
    roles = Roles.read(file.with_name("people.roles.toml"))
    assert roles.protected == ("sex=m", "25<=age<60")
    assert roles.drop == ("income, monthly",)
    capsys.readouterr()
    assert main(["data", "info", str(file), "--protected", "age>40", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {g["attribute"] for g in document["groups"]} == {"age>40"}
    assert [c["name"] for c in document["columns"] if c["role"] == "left out"] == [
        "income, monthly"
    ]
    # Further options change single roles.
    assert main(["data", "describe", str(file), "--protected", "sex", "--missing", "drop"]) == 0
    again = Roles.read(file.with_name("people.roles.toml"))
    assert (again.label, again.protected, again.missing) == ("paid", ("sex",), "drop")


@pytest.mark.parametrize(
    ("command", "facts"),
    [
        (["info"], ["name", "file"]),
        (["info", "german", "--label", "credit"], ["--label", "'german'"]),
        (["info", "german", "--data", "FILE"], ["german"]),
        (["info", "germna"], ["'germna'", "'german'"]),
        (["info", "none.csv", *ROLES], ["none.csv"]),
        (["info", "FILE"], ["--label", "--protected"]),
        (["describe"], ["file"]),
    ],
)
def test_commands_that_are_refused(file, command, facts, capsys):
    assert main(["data", *(str(file) if word == "FILE" else word for word in command)]) == 2
    error = capsys.readouterr().err
    for fact in facts:
        assert fact in error


def test_problems_have_a_line_each(file, capsys):
    arguments = ["--label", "payd", "--favorable", "yes", "--protected", "sexe"]
    assert main(["data", "info", str(file), *arguments, "--drop", "agee"]) == 2
    first, *lines = capsys.readouterr().err.splitlines()
    assert "people.csv has 3 problems" in first
    assert len(lines) == 3
