"""Published CSV files: columns by name, numbers and codes that are checked."""

import numpy as np
import pandas as pd
import pytest

from grad_ext.data.raw_csv import named, numbers, text_frame
from grad_ext.errors import InputError


def test_columns_are_texts_in_the_order_asked_for():
    frame = text_frame("f.csv", b"a;b;c\n01;NA;x\n;2;y\n", ("b", "a"), sep=";")
    assert frame.to_dict("list") == {"b": ["NA", "2"], "a": ["01", ""]}


def test_numbers_are_whole_where_they_are_and_blanks_missing():
    whole = numbers("f.csv", pd.Series([" 1", "-2"], name="a"))
    assert (whole.dtype, whole.tolist()) == (np.dtype("int64"), [1, -2])
    real = numbers("f.csv", pd.Series(["1.5", "2"], name="a"))
    assert real.tolist() == [1.5, 2.0]
    gaps = numbers("f.csv", pd.Series(["1", "", "999"], name="a"), blank=("", "999"))
    np.testing.assert_array_equal(gaps, [1, np.nan, np.nan])


def test_codes_get_their_names():
    assert named("f.csv", pd.Series(["2", " 1"]), {"1": "m", "2": "f"}).tolist() == ["f", "m"]


BAD = {
    "all missing columns": (lambda: text_frame("f.csv", b"a\n1\n", ("a", "b", "c")), "'b', 'c'"),
    "not a table": (lambda: text_frame("f.csv", b"", ("a",)), "f.csv: cannot be read"),
    "a word": (lambda: numbers("f.csv", pd.Series(["1", "x"], name="a")), "'a'.*numbers, got 'x'"),
    "a blank": (lambda: numbers("f.csv", pd.Series(["1", ""], name="a")), "'a'.*numbers, got ''"),
    "an unknown code": (lambda: named("f.csv", pd.Series(["3"], name="a"), {"1": "m"}), "'1', got '3'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(InputError, match=message):
        call()
