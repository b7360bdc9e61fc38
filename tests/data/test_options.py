"""The data that options name: columns with commas, and descriptions of files."""

import pandas as pd
import pytest
from people import people

from grad_ext.data.options import as_table, checked_file, tables_by_attributes
from grad_ext.errors import InputError


@pytest.fixture
def file(tmp_path):
    frame = pd.DataFrame(
        {
            "x": [1, 2, 3, 4],
            "group, home": ["a", "b", "a", "b"],
            "sex": ["f", "f", "m", "m"],
            "income, monthly": [5, 6, 7, 8],
            "paid": [0, 1, 0, 1],
        }
    )
    frame.to_csv(tmp_path / "people.csv", index=False)
    return {"path": str(tmp_path / "people.csv"), "label": "paid", "drop": ["income, monthly"]}


def test_columns_with_commas_are_protected_and_dropped(file):
    sets = [("group, home",), ("group, home", "sex")]
    tables = tables_by_attributes("", sets, file)
    assert list(tables) == sets
    assert tables[sets[1]].attribute_names == sets[1]
    assert list(tables[sets[0]].inputs(False).columns) == ["x", "sex"]


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({"drop": "income, monthly"}, "drop: expected a list of columns, got 'income, monthly'"),
        ({"lable": "paid"}, "'lable': did you mean 'label'"),
    ],
)
def test_descriptions_of_a_file_that_do_not_fit(file, change, facts):
    with pytest.raises(InputError, match=facts):
        checked_file({**file, **change})
    with pytest.raises(InputError, match="path"):
        checked_file({"label": "paid"})


def test_whatever_holds_rows_becomes_a_table(tmp_path):
    frame = people()
    frame.to_csv(tmp_path / "people.csv", index=False)
    roles = {"label": "decision", "protected": ["sex"], "favorable": "approved"}
    table = as_table(frame, **roles)
    assert as_table(tmp_path / "people.csv", **roles).digest() == table.digest()
    assert as_table(str(tmp_path / "people.csv"), **roles).digest() == table.digest()
    assert as_table(table) is table
    assert as_table("german", protected=["sex"]).attribute_names == ("sex",)
    both = as_table(frame, "decision", ["sex", "age>=40"], "approved")
    assert as_table(both, protected=["age>=40"]).attribute_names == ("age>=40",)


@pytest.mark.parametrize(
    ("data", "roles", "part"),
    [
        ("german", {"label": "credit"}, "label"),
        (people(), {"protected": ["sex"]}, "label"),
        (people(), {"label": "decision", "protected": ["sex"], "sep": ";"}, "sep"),
        (people(), {"label": "decision", "protected": ["sex"], "favourable": "x"}, "favorable"),
        (people().to_numpy(), {"label": "decision", "protected": ["sex"]}, "ndarray"),
    ],
)
def test_rows_without_their_roles_are_refused(data, roles, part):
    with pytest.raises(InputError, match=part):
        as_table(data, **roles)
