"""Lists of names as text: split by the command line, joined in text columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.data.lists import joined, listed
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
