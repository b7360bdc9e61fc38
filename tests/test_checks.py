"""Validators of single values: what passes, in which type, and what a refusal names."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext import checks
from grad_ext.errors import InputError

NOT_WHOLE = [True, 1.0, "1", None, np.float64(1), Decimal(1), [1]]
NOT_NUMBERS = [
    True,
    np.bool_(True),
    "1",
    None,
    math.nan,
    math.inf,
    -math.inf,
    np.float32("nan"),
    1j,
]


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.int64(3)])
def test_whole_numbers_of_any_type_become_pythons(value):
    number = checks.whole("epochs", value, 3)
    assert number == 3
    assert type(number) is int


@pytest.mark.parametrize("value", [*NOT_WHOLE, 2, np.int64(2)])
def test_what_is_no_whole_number_or_too_small_is_refused(value):
    with pytest.raises(InputError) as refused:
        checks.whole("epochs", value, 3)
    assert all(part in str(refused.value) for part in ("epochs", "3", repr(value)))


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5)])
def test_numbers_of_any_type_become_floats(value):
    for check in (checks.number, checks.at_least_0, checks.above_0, checks.share):
        number = check("rate", value)
        assert number == 0.5
        assert type(number) is float
    assert type(checks.number("rate", 2)) is float


@pytest.mark.parametrize("value", NOT_NUMBERS)
@pytest.mark.parametrize(
    "check",
    [checks.number, checks.at_least_0, checks.above_0, checks.share, checks.between_0_and_1],
)
def test_what_is_no_finite_number_is_refused(check, value):
    with pytest.raises(InputError, match="rate") as refused:
        check("rate", value)
    assert repr(value) in str(refused.value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_ranges(x):
    ranges = {
        checks.at_least_0: x >= 0,
        checks.above_0: x > 0,
        checks.share: 0 <= x < 1,
        checks.between_0_and_1: 0 < x < 1,
        checks.lam: x >= 0,
    }
    for check, inside in ranges.items():
        arguments = (x,) if check is checks.lam else ("rate", x)
        if inside:
            assert check(*arguments) == x
        else:
            with pytest.raises(InputError):
                check(*arguments)


def test_lambda_may_be_text_of_the_command_line():
    assert checks.lam(" 1e2 ") == 100.0
    for text in ("", "much", "nan", "inf", "-1"):
        with pytest.raises(InputError, match="lambda"):
            checks.lam(text)


def test_flags_are_bools_alone():
    for value in (False, np.bool_(False)):
        assert checks.flag("balance", value) is False
    for value in (0, 1, "true", None, np.array([True]), np.int8(1)):
        with pytest.raises(InputError, match="balance"):
            checks.flag("balance", value)


def test_a_choice_names_what_there_is():
    assert checks.choice("recipe", "paper", ("paper", "steady")) == "paper"
    for value in ("papr", None, 3, ["paper"]):
        with pytest.raises(InputError) as refused:
            checks.choice("recipe", value, ("paper", "steady"))
        assert all(part in str(refused.value) for part in ("recipe", "'paper'", "'steady'"))


@pytest.mark.parametrize("value", [(40, 20), [40, 20], np.array([40, 20]), range(40, 19, -20)])
def test_sequences_of_whole_numbers(value):
    assert checks.whole_numbers("trunk", value) == (40, 20)


@pytest.mark.parametrize("value", ["40", b"40", 40, [40, 0], [40.0], [True], None, {40: 1}])
def test_what_is_no_sequence_of_whole_numbers_is_refused(value):
    with pytest.raises(InputError, match="trunk"):
        checks.whole_numbers("trunk", value)


def test_lists_of_names():
    assert checks.names("protected", ["sex", "a,b"]) == ("sex", "a,b")
    for value in ("sex", [], ["sex", "sex"], ["sex", 1], None):
        with pytest.raises(InputError, match="protected"):
            checks.names("protected", value)
    with pytest.raises(InputError, match="'age'"):
        checks.names("protected", ["ag"], ("age", "sex"))


def test_weights():
    w = np.array([0.0, 2.0])
    assert checks.sample_weights(w, "sample_weight") is w
    for bad, named in ((-1.0, "-1"), (math.nan, "nan"), (math.inf, "inf")):
        with pytest.raises(InputError, match=f"sample_weight.*{named}"):
            checks.sample_weights(np.array([1.0, bad]), "sample_weight")
    with pytest.raises(InputError, match="zero"):
        checks.sample_weights(np.zeros(2), "sample_weight")


def test_shapes_of_arrays():
    X = np.zeros((4, 3))
    checks.columns("X", X, 3)
    checks.shape("a", X, (4, 3))
    for bad in (X[:, 1:], X[0], X[None]):
        with pytest.raises(InputError, match=r"X: expected shape \(N, 3\), got"):
            checks.columns("X", bad, 3)
        with pytest.raises(InputError, match=r"a: expected shape \(4, 3\), got"):
            checks.shape("a", bad, (4, 3))
