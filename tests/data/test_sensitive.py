"""Sensitive attributes: groups by rules, and sensitive features in all their forms."""

import numpy as np
import pandas as pd
import pytest

from grad_ext.data.sensitive import (
    SensitiveAttribute,
    attributes_of,
    crossed,
    group_names,
    index_frame,
    numbers,
    sensitive_frame,
    with_groups,
)
from grad_ext.errors import InputError


def test_groups_numbers_and_missing_values_of_protected_attributes():
    column = pd.DataFrame({"g": ["m", None, "f", "x"], "n": [1.5, np.nan, 3.0, 4.0]})
    nan = np.nan
    two = SensitiveAttribute("g", "g", values=("m",))
    np.testing.assert_array_equal(two.of(column), [1, nan, 0, 0])
    np.testing.assert_array_equal(SensitiveAttribute("n", "n", above=2).of(column), [0, nan, 1, 1])
    many = SensitiveAttribute("g", "g", levels=("f", "m", "q"))
    np.testing.assert_array_equal(many.of(column), [1, nan, 0, nan])
    number = SensitiveAttribute("n", "n", continuous=True)
    np.testing.assert_array_equal(number.of(column), [1.5, nan, 3, 4])
    kinds = [(p.branch.kind, p.branch.outputs) for p in (two, many, number)]
    assert kinds == [("binary", 1), ("categorical", 3), ("continuous", 1)]


FORMS = {
    "list": ["f", "m", "f"],
    "array": np.array(["f", "m", "f"]),
    "column": np.array([["f"], ["m"], ["f"]]),
    "series": pd.Series(["f", "m", "f"], index=[5, 6, 7]),
    "mapping": {"sensitive_feature": ["f", "m", "f"]},
}


@pytest.mark.parametrize("form", FORMS)
def test_sensitive_features_of_every_form_become_a_frame(form):
    frame = sensitive_frame(FORMS[form], 3)
    assert list(frame.columns) == ["sensitive_feature"]
    assert frame["sensitive_feature"].tolist() == ["f", "m", "f"]
    assert frame.index.tolist() == [0, 1, 2]


def test_columns_become_groups_or_numbers():
    frame = pd.DataFrame({"g": ["m", "f", "m"], "two": [0.5, 1.5, 0.5], "x": [0.5, 1.5, 2.5]})
    g, two, x = attributes_of(frame, ())
    assert (g.levels, two.levels, x.continuous) == (("f", "m"), (0.5, 1.5), True)
    np.testing.assert_array_equal(
        numbers(frame, (g, two, x)), [[1, 0, 0.5], [0, 1, 1.5], [1, 0, 2.5]]
    )
    assert attributes_of(frame[["two"]], ["two"])[0].continuous
    with pytest.raises(InputError, match=r"'tow'.*'two'"):
        attributes_of(frame, ["tow"])


def test_crossed_groups_are_missing_where_one_is():
    frame = pd.DataFrame({"a": ["x", "y", None], "b": [1, 2, 1]})
    both = crossed(frame)
    assert list(both.columns) == ["a x b"]
    assert both["a x b"].tolist()[:2] == ["x x 1", "y x 2"]
    assert both["a x b"].isna().tolist() == [False, False, True]


def test_levels_of_an_index():
    index = pd.MultiIndex.from_tuples([(1, "f"), (2, "m")], names=[None, "sex"])
    assert index_frame(index, True)["sex"].tolist() == ["f", "m"]
    assert list(index_frame(index, "sex").columns) == ["sex"]
    with pytest.raises(InputError, match=r"'gender'.*'sex'"):
        index_frame(index, ["gender"])


BAD = {
    "no rule": (lambda: SensitiveAttribute("g", "g"), "exactly one of .*`above`.*`values`"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(InputError, match=message):
        call()


def test_groups_between_bounds():
    ages = pd.Series([24.0, 25, 40, 60, None], name="age")
    cases = {
        "above": ({"above": 25}, [0, 0, 1, 1]),
        "at least": ({"at_least": 25}, [0, 1, 1, 1]),
        "below": ({"below": 40}, [1, 1, 0, 0]),
        "between": ({"at_least": 25, "at_most": 40}, [0, 1, 1, 0]),
    }
    for bounds, groups in cases.values():
        numbers = SensitiveAttribute("age", "age", **bounds).numbers(ages)
        assert numbers[:4].tolist() == groups
        assert np.isnan(numbers[4])
    with pytest.raises(InputError, match="bound"):
        SensitiveAttribute("age", "age", above=40, below=30)


def test_names_of_groups():
    jobs = pd.Series(["a", "b", "c", "d", None, "a"])
    few = SensitiveAttribute("job", "job", values=("b", "c"))
    assert group_names(few, jobs) == ("a|d", "b|c")
    assert group_names(few, pd.Series(list("abcdefg"))) == ("not b|c", "b|c")
    assert group_names(SensitiveAttribute("n", "n", levels=(1.0, 2.5)), jobs) == ("1", "2.5")
    assert group_names(SensitiveAttribute("n", "n", continuous=True), jobs) == ()
    between = SensitiveAttribute("x", "age", at_least=25, below=60)
    assert group_names(between, pd.Series([1.0])) == ("not 25<=age<60", "25<=age<60")


def test_groups_that_a_user_names():
    sex = SensitiveAttribute("sex", "sex", levels=("f",))
    age = SensitiveAttribute("age", "age", continuous=True)
    both = with_groups((sex, age), {"sex": ["m", "f", "x"]})
    assert both[0].levels == ("f", "m", "x")
    assert both[1] is age
    assert with_groups((sex,), pd.Series(["m", "f"]))[0].levels == ("f", "m")
    for attributes, groups, message in (
        ((sex, age), ["m", "f"], r"by name, of \['sex', 'age'\]"),
        ((sex,), {"race": ["a", "b"]}, "'race'"),
        ((sex,), {"sex": ["m", "x"]}, r"without \['f'\]"),
        ((sex,), {"sex": ["f"]}, "at least two"),
        ((sex,), {"sex": ["f", None]}, "missing"),
        ((sex,), {"sex": "fm"}, "a list"),
        ((age,), {"age": [1, 2]}, "continuous"),
    ):
        with pytest.raises(InputError, match=message):
            with_groups(attributes, groups)
