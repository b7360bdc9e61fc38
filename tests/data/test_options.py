"""Lists in options: split by the command line, joined in text columns, and lists everywhere else."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.data.options import checked_file, joined, listed, tables_by_attributes
from grad_ext.errors import InputError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, None),
        ("", []),
        ("age", ["age"]),
        (" age , sex,", ["age", "sex"]),
        ('"income, monthly",sex', ["income, monthly", "sex"]),
        ('sex, "a ""b"", c"', ["sex", 'a "b", c']),
    ],
)
def test_a_text_is_split_as_csv(text, names):
    assert listed(text) == names


def test_a_text_that_is_not_csv_is_refused():
    with pytest.raises(InputError, match="a,b"):
        listed('"a,b"c')


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool)))
def test_joined_names_are_split_again(names):
    assert listed(joined(names)) == names


def test_names_without_commas_are_joined_by_commas():
    assert joined(["age", "sex"]) == "age,sex"
    assert joined(["group, home"]) == '"group, home"'


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
