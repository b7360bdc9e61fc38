"""Conditions on columns: what they name, and which values and numbers meet them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.data.conditions import (
    Condition,
    Interval,
    matching_values,
    parse_condition,
    parse_interval,
)
from grad_ext.errors import InputError

COLUMNS = ["age", "sex", "income, monthly", "a=b", "age>group", "x (y) [z]", "band"]

CONDITIONS = {
    "age": ("age", None, None),
    "age>=25": ("age", Interval(at_least=25), None),
    "age > 25.5": ("age", Interval(above=25.5), None),
    "age<40": ("age", Interval(below=40), None),
    "age<=-4": ("age", Interval(at_most=-4), None),
    "25<=age<60": ("age", Interval(at_least=25, below=60), None),
    "25 < age <= 60": ("age", Interval(above=25, at_most=60), None),
    "60>age>=25": ("age", Interval(at_least=25, below=60), None),
    "25<=age": ("age", Interval(at_least=25), None),
    "sex=Male": ("sex", None, "Male"),
    "sex == Male": ("sex", None, "Male"),
    "band=mid|old": ("band", None, "mid|old"),
    "band=<=5": ("band", None, "<=5"),
    "income, monthly>=1e3": ("income, monthly", Interval(at_least=1000), None),
    "x (y) [z]=1": ("x (y) [z]", None, "1"),
    # Names that hold a sign win.
    "a=b": ("a=b", None, None),
    "a=b=c": ("a=b", None, "c"),
    "age>group": ("age>group", None, None),
    "age>group>2": ("age>group", Interval(above=2), None),
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_conditions(text):
    column, interval, values = CONDITIONS[text]
    assert parse_condition(text, COLUMNS) == Condition(text, column, interval, values)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("agee>=25", "'agee'.*'age'"),
        ("25<=agee<60", "'agee'.*'age'"),
        ("sexe=Male", "'sexe'.*'sex'"),
        ("age>=old", "'old'"),
        ("age>=inf", "'inf'"),
        ("60<=age<25", "bound"),
        ("25<=age>=60", "bound"),
        ("25<=age=60", "'25<=age=60'"),
        ("age>=", "''"),
        (25, "25"),
        (None, "None"),
    ],
)
def test_conditions_that_are_none(text, facts):
    with pytest.raises(InputError, match=facts):
        parse_condition(text, COLUMNS)


@pytest.mark.parametrize(
    ("interval", "inside", "text"),
    [
        (Interval(above=2), [False, False, True, True, False], "x>2"),
        (Interval(at_least=2), [False, True, True, True, False], "x>=2"),
        (Interval(below=3), [True, True, False, False, False], "x<3"),
        (Interval(at_most=3), [True, True, True, False, False], "x<=3"),
        (Interval(at_least=2, below=4), [False, True, True, False, False], "2<=x<4"),
        (Interval(above=1, at_most=4), [False, True, True, True, False], "1<x<=4"),
        (Interval(at_least=2, at_most=2), [False, True, False, False, False], "2<=x<=2"),
    ],
)
def test_intervals_by_hand(interval, inside, text):
    assert interval.contains(pd.Series([1, 2, 3, 4, None])).tolist() == inside
    assert interval.text("x") == text
    assert parse_condition(text, ["x"]).interval == interval


@given(st.floats(-1e12, 1e12), st.booleans())
def test_the_text_of_an_interval_is_the_interval(bound, whole):
    interval = Interval(at_least=round(bound) if whole else bound)
    assert parse_condition(interval.text("x"), ["x"]).interval == interval


def test_favorable_bounds():
    assert parse_interval(">=10") == Interval(at_least=10)
    assert parse_interval("< 5") == Interval(below=5)
    for text in (">50K", "yes", "10", 10, ">"):
        assert parse_interval(text) is None


VALUES = ["Male", "Female", "a|b", 1, 2.5]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("Male", ("Male",)),
        (" male. ", ("Male",)),
        ("Male|female", ("Male", "Female")),
        ("a|b", ("a|b",)),
        (["a|b", "Male"], ("a|b", "Male")),
        ("1.0", (1,)),
        (1, (1,)),
        ("2.5|1", (2.5, 1)),
        (np.array(["Male"]), ("Male",)),
        (pd.Series(["Male", "Female"]), ("Male", "Female")),
    ],
)
def test_values_are_matched(wanted, found):
    assert matching_values(wanted, VALUES, "sex") == found


@pytest.mark.parametrize(
    ("wanted", "values", "found"),
    [
        ("true", [False, True], (True,)),
        ("True", [0.0, 1.0], (1.0,)),
        ("1,000", [500, 1000], (1000,)),
        ("5 %", [5, 10], (5,)),
        ("2000-01-01", [3652, 10957], (10957,)),
    ],
)
def test_values_are_matched_as_they_are_written_in_the_file(wanted, values, found):
    assert matching_values(wanted, values, "x") == found


def test_an_unknown_value_is_named_beside_the_values_there_are():
    with pytest.raises(InputError, match=r"'sex'.*'man'.*'Male'"):
        matching_values("man", VALUES, "sex")
