"""The data that options name: columns with commas, and descriptions of files."""

import pandas as pd
import pytest

from grad_ext.data.options import checked_file, tables_by_attributes
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
