"""Values of settings: parsed, converted and checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.errors import InputError
from grad_ext.sweeps.studies.values import Range, parse_lambdas, value, values


def test_lambdas_from_text():
    assert parse_lambdas("1, 2.5,1e3,") == (1.0, 2.5, 1000.0)
    for bad, message in {
        "": "expected numbers separated by commas",
        "1,x": "lambda must be .* got 'x'",
        "1,-2": "lambda must be .* got '-2'",
        "nan": "finite",
    }.items():
        with pytest.raises(InputError, match=message):
            parse_lambdas(bad)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("lam", "10", 10.0),
        ("lam", 10, 10.0),
        ("epochs", "5", 5),
        ("dropout", "1e-1", 0.1),
        ("trunk", "40x20", (40, 20)),
        ("branch", [7], (7,)),
        ("saturation", "none", ()),
        ("saturation", "50x1", (50.0, 1.0)),
        ("balance_groups", "False", False),
        ("variant", " auto ", "auto"),
    ],
)
def test_a_value_has_its_settings_type(name, given, expected):
    found = value(name, given)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("epochs", 2.5, "epochs must be a whole number, got 2.5"),
        ("epochs", "many", "epochs must be a whole number, got 'many'"),
        ("epochs", True, "epochs must be a whole number, got True"),
        ("dropout", "abc", "dropout must be a number, got 'abc'"),
        ("dropout", float("nan"), "dropout must be a number, got nan"),
        ("lam", "-1", "lambda must be a finite number of at least 0, got -1"),
        ("trunk", "40,40", "trunk must be whole numbers such as 40x40, got '40,40'"),
        ("trunk", [40, 0], r"trunk must be whole numbers such as 40x40, got \[40, 0\]"),
        ("trunk", "none", "trunk must be whole numbers"),
        ("balance_groups", "yes", "balance_groups must be true or false, got 'yes'"),
        ("variant", 3, "variant must be a name, got 3"),
        ("hidden", "0", "hidden must be at least 1, got 0"),
        ("lamda", 1, "unknown setting 'lamda': did you mean 'lam'"),
    ],
)
def test_a_value_of_another_type_is_refused(name, given, message):
    with pytest.raises(InputError, match=message):
        value(name, given)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.booleans())
def test_ranges_read_as_they_are_written(a, b, log):
    text = f"{a!r}:{b!r}{':log' if log else ''}"
    if a < b:
        assert values("lam", text) == Range(a, b, log)
    else:
        with pytest.raises(InputError, match="expected a range from low to high"):
            values("lam", text)
