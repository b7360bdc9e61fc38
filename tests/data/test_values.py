"""Columns read by their values."""

import datetime
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.data.values import read_column, read_frame, read_numbers, unused_reason
from grad_ext.errors import InputError


def series(*values, name="x", dtype=object):
    return pd.Series(list(values), name=name, dtype=dtype)


NUMBERS = [3.0, 1.5, 2.0]


@pytest.mark.parametrize(
    "values",
    [
        series("3", "1.5", "2"),
        series(" 3", "1.5e0 ", "+2.0"),
        series(3, 1.5, 2),
        series(np.int16(3), np.float32(1.5), 2.0),
        series(Decimal(3), Decimal("1.5"), Decimal(2)),
        series(*NUMBERS, dtype=">f8"),
        series(*NUMBERS, dtype=np.longdouble),
        series(*NUMBERS, dtype="float16"),
        series(*NUMBERS, dtype="Float64"),
        series("3", "1.5", "2", dtype="string"),
        series("$3", "$1.50", "$2"),
        series("3 €", "1,5 €", "2 €"),
    ],
    ids=lambda v: f"{v.dtype}-{v.iloc[0]}",
)
def test_the_same_numbers_in_any_form(values):
    column = read_column(values)
    assert column.kind == "number"
    assert column.values.dtype == np.float64
    assert column.values.tolist() == NUMBERS


@pytest.mark.parametrize("dtype", ["int8", "uint16", ">i4", "Int64", "float64", object, "string"])
def test_whole_numbers_are_int64(dtype):
    values = pd.Series([1, 22, 3]).astype("string" if dtype == "string" else dtype)
    column = read_column(values)
    assert column.values.dtype == np.int64
    assert column.values.tolist() == [1, 22, 3]
    assert column.notes == ()


def test_arrow_types():
    pa = pytest.importorskip("pyarrow")
    decimals = pd.Series([Decimal("1.50"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 2)))
    np.testing.assert_array_equal(read_column(decimals).values, [1.5, np.nan])
    whole = pd.Series([1, 2], dtype=pd.ArrowDtype(pa.int32()))
    assert read_column(whole).values.dtype == np.int64
    flags = pd.Series([True, None], dtype=pd.ArrowDtype(pa.bool_()))
    assert read_column(flags).kind == "boolean"
    texts = pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string()))
    assert read_column(texts).values.tolist() == ["a", None]
    days = pd.Series([datetime.date(1970, 1, 3), None], dtype=pd.ArrowDtype(pa.date32()))
    np.testing.assert_array_equal(read_column(days).values, [2.0, np.nan])


@pytest.mark.parametrize("word", ["", " ", "?", "NA", "-", "N/A", "nan", "None", "NULL", "<NA>"])
def test_words_for_missing_values(word):
    numbers = read_column(series("1", word, "3"))
    np.testing.assert_array_equal(numbers.values, [1.0, np.nan, 3.0])
    texts = read_column(series("a", word, "b"))
    assert texts.values.tolist() == ["a", None, "b"]
    assert texts.missing == 1
    assert "missing" in texts.notes[0]


def test_missing_objects_and_words_of_ones_own():
    column = read_column(series("a", None, np.nan, pd.NA, pd.NaT, "b", "unknown"), ["unknown"])
    assert column.values.tolist() == ["a", None, None, None, None, "b", None]
    assert read_column(series("1", "n.k."), ["n.k."]).kind == "number"


def test_of_two_values_a_minus_is_one():
    assert read_column(series("+", "-", "+")).values.tolist() == ["+", "-", "+"]
    assert read_column(series("+", "-", "?")).values.tolist() == ["+", "-", None]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("1,200", "15", "2,000,000"), [1200, 15, 2_000_000]),
        (("1,200.50", "15.5"), [1200.5, 15.5]),
        (("1'200", "15"), [1200, 15]),
        (("1 200", "15"), [1200, 15]),
        (("1 200,5", "15"), [1200.5, 15]),
        (("1.200,50", "15,5"), [1200.5, 15.5]),
        (("1,5", "2,25", "3"), [1.5, 2.25, 3]),
        (("$1,200", "-$15"), [1200, -15]),
        (("12%", "3.5%"), [12, 3.5]),
        (("12:30", "06:15"), [12.5, 6.25]),
        (("1970-01-02", "1971-01-01"), [1, 365]),
        (("1970-01-02T12:00", "1970-01-01 06:00:00Z"), [1.5, 0.25]),
    ],
)
def test_formatted_numbers_are_read_and_noted(texts, expected):
    column = read_column(series(*texts))
    assert column.values.tolist() == expected
    assert column.notes


def test_numbers_with_a_few_words_are_refused_by_name():
    texts = [*map(str, range(18, 60)), "n.k.", "old", "old"]
    with pytest.raises(InputError, match=r"'age'.*'old' .2 rows.*'n.k.' .1 row.*--drop age"):
        read_column(series(*texts, name="age"))


def test_a_few_numbers_among_words_are_categories():
    assert read_column(series("0", "1", "2", "3+")).values.tolist() == ["0", "1", "2", "3+"]
    assert read_column(series(0, 1, 2.0, "3+")).values.tolist() == ["0", "1", "2", "3+"]


def test_codes_keep_their_zeros():
    column = read_column(series("01067", "80331"))
    assert column.values.tolist() == ["01067", "80331"]
    assert "01067" in column.notes[0]
    assert read_column(series("0", "0.5")).kind == "number"


@pytest.mark.parametrize(
    "text", ["31/01/2020", "01.02.2020", "2020/1/31", "3-Jan-2020", "Dec 2011"]
)
def test_dates_that_are_not_certain_are_refused(text):
    with pytest.raises(InputError, match=r"'x'.*--drop x"):
        read_column(series(text, text.replace("20", "21"), text.replace("20", "19")))


def test_dates_and_durations():
    days = read_column(pd.Series(pd.to_datetime(["1970-01-02", None]), name="d"))
    np.testing.assert_array_equal(days.values, [1.0, np.nan])
    assert read_column(series(datetime.date(1970, 1, 2))).values.tolist() == [1]
    zoned = pd.Series(pd.to_datetime(["1970-01-02T00:00+01:00"]))
    assert read_column(zoned).values.tolist() == [pytest.approx(1 - 1 / 24)]
    assert read_column(pd.Series(pd.PeriodIndex(["1970-02"], freq="M"))).values.tolist() == [31]
    assert read_column(pd.Series(pd.to_timedelta(["36h"]))).values.tolist() == [1.5]
    assert read_column(series(datetime.timedelta(days=2))).values.tolist() == [2]


def test_truth_values():
    for values in (series(True, False), series("True", "false"), pd.Series([True, False])):
        column = read_column(values)
        assert column.kind == "boolean"
        assert column.values.tolist() == [True, False]
    for values in (series(True, None), series("TRUE", "?"), series(True, None, dtype="boolean")):
        column = read_column(values)
        assert column.kind == "boolean"
        np.testing.assert_array_equal(column.values, [1.0, np.nan])


def test_spellings_of_one_value_are_one():
    column = read_column(series("Male", "male", "Male", "MALE ", "female.", "female", "female"))
    assert column.values.tolist() == ["Male"] * 4 + ["female"] * 3
    assert any("'Male'" in note and "'male'" in note for note in column.notes)
    assert any("'female'" in note and "'female.'" in note for note in column.notes)


def test_declared_categories_stay_categories():
    column = read_column(pd.Series([3, 1, None], dtype="category"))
    assert column.values.tolist() == ["3", "1", None]
    ages = pd.cut(pd.Series([10, 40]), [0, 30, 50])
    assert read_column(ages).values.tolist() == ["(0, 30]", "(30, 50]"]


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"ab", 1j])
def test_other_objects_are_refused(value):
    with pytest.raises(InputError, match="numbers or text"):
        read_column(pd.Series([value, value]).rename("x").astype(object))


def test_all_problems_of_a_frame_at_once():
    frame = pd.DataFrame({"a": ["1/2/2020"] * 3, "b": [1, 2, 3], "c": [[1]] * 3})
    frame["a"] = ["1/2/2020", "1/3/2020", "2/2/2020"]
    with pytest.raises(InputError) as error:
        read_frame(frame)
    assert "'a'" in str(error.value)
    assert "'c'" in str(error.value)
    assert "'b'" not in str(error.value)


def test_repeated_names_do_not_hinder():
    frame = pd.DataFrame([["1", "a"], ["2", "b"]], columns=["x", "x"])
    assert read_frame(frame).dtypes.tolist() == [np.int64, object]


def test_read_numbers():
    np.testing.assert_array_equal(read_numbers(series("1", "?")), [1.0, np.nan])
    np.testing.assert_array_equal(read_numbers(series(None, "?")), [np.nan, np.nan])
    with pytest.raises(InputError, match=r"'x'.*'a'"):
        read_numbers(series("a", "1"))


def unused(*values, name="x"):
    return unused_reason(read_column(series(*values, name=name)))


def test_columns_that_tell_nothing():
    assert "no value" in unused(None, "?", "")
    assert "'a'" in unused("a", "A ", "a")
    assert unused("a", None) is None
    assert unused(1, 2, 3) is None
    names = [f"person {i}" for i in range(60)]
    assert "identifier" in unused(*names)
    assert unused(*names[:30]) is None
    assert unused(*(names[:30] * 2)) is None
    assert "1 to 60" in unused(*range(1, 61))
    shuffled = np.random.default_rng(0).permutation(60) * 7
    assert unused(*shuffled) is None
    assert unused(*shuffled, name="customer_id") is not None
    assert unused(*shuffled, name="paid") is None
    assert unused(*(np.arange(60) + 0.5)) is None


@given(
    st.lists(
        st.one_of(st.none(), st.text(max_size=4), st.integers(), st.floats(), st.booleans()),
        min_size=1,
        max_size=20,
    )
)
def test_reading_twice_is_reading_once(values):
    try:
        once = read_column(series(*values))
    except InputError:
        return
    again = read_column(once.values)
    assert len(once.values) == len(values)
    if once.kind != "boolean":
        assert again.kind == once.kind or once.missing == len(values)
    pd.testing.assert_series_equal(again.values, once.values, check_dtype=False)


@pytest.mark.parametrize(
    "values",
    [
        series("9999-12-31", "2020-01-01", None),
        series(datetime.date(9999, 12, 31), datetime.date(2020, 1, 1), None),
        series(datetime.datetime(9999, 12, 31), np.datetime64("2020-01-01"), None),
        pd.Series(np.array(["9999-12-31", "2020-01-01", "NaT"], dtype="datetime64[s]"), name="x"),
    ],
    ids=["text", "date", "mixed", "datetime64"],
)
def test_dates_beyond_nanoseconds(values):
    # 7,980 years after 2020-01-01, less a day, with 1,935 leap days: 2,932,896 = 18,262 + 2,914,634.
    np.testing.assert_array_equal(read_column(values).values, [2_932_896, 18_262, np.nan])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_are_the_same_in_every_resolution(unit):
    moment = pd.Timestamp("2020-03-01 06:00:00", tz="Europe/Berlin")
    texts = read_column(series(str(moment))).values.tolist()
    assert read_column(series(moment.as_unit(unit), dtype=None)).values.tolist() == texts
    assert read_column(series(moment.to_pydatetime())).values.tolist() == texts
    assert texts == pytest.approx([18_322 + 5 / 24], abs=1e-12)


def test_periods_are_their_first_day():
    periods = pd.period_range("2020-01", periods=3, freq="M")
    days = [18_262, 18_293, 18_322]
    assert read_column(pd.Series(periods, name="x")).values.tolist() == days
    assert read_column(series(*map(str, periods))).values.tolist() == days
    assert read_column(series("2020Q1", "2020-Q2")).values.tolist() == [18_262, 18_353]


def test_durations_as_they_are_written_in_files():
    hours = pd.Series(pd.to_timedelta([6, 36], unit="h"), name="x")
    for values in (hours, hours.astype(object), hours.astype(str), series("PT6H", "P1DT12H")):
        column = read_column(values)
        assert column.kind == "number"
        assert column.values.tolist() == [0.25, 1.5]


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (["2020-01-31", "2020-02-30"], "2020-02-30"),
        (["2020-01-31", "31.1.2020"], "31.1.2020"),
        ([f"2020-01-{day}" for day in range(10, 30)] + ["never"], "never"),
        (["January 5, 2020", "March 6, 2020"], "January 5, 2020"),
        (["05JAN2020", "06MAR2020"], "05JAN2020"),
        (["Mon, 5 Jan 2020", "Tue, 6 Jan 2020"], "Mon, 5 Jan 2020"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_dates_among_others_are_refused_by_name(texts, named):
    with pytest.raises(InputError, match=re.escape(named)) as raised:
        read_column(series(*texts))
    assert "--drop x" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("texts", [["1:75", "2:80"], ["May", "June"], ["Mar 5", "Dec 10"]])
def test_what_only_looks_like_a_time_or_date_is_a_category(texts):
    assert read_column(series(*texts)).kind == "category"


def test_a_unit_that_all_numbers_have_is_left_out():
    column = read_column(series(*(f"{k}.5 kg" for k in range(20))))
    assert column.values.tolist() == [k + 0.5 for k in range(20)]
    assert "'0.5 kg'" in column.notes[0]
    # Too few to be more than names.
    assert read_column(series("36 months", "60 months")).kind == "category"


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ([f"${k}" for k in range(10)] + [f"€{k}" for k in range(10)], "$0"),
        ([f"${k}.2M" for k in range(20)], "$0.2M"),
        ([f"{k}%" for k in range(20)] + ["0.5"], "0.5"),
        ([f"{k} kg" for k in range(20)] + ["7 lb"], "0 kg"),
        ([f"{k}" for k in range(20)] + ["(7)"], "(7)"),
        ([f"{k}" for k in range(20)] + ["\u22127"], "\u22127"),
        ([f"{k}_000" for k in range(20)], "0_000"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_numbers_written_in_several_ways_are_refused(texts, named):
    with pytest.raises(InputError, match=re.escape(repr(named))) as raised:
        read_column(series(*texts))
    assert "--drop x" in str(raised.value)


def test_points_between_thousands_beside_single_ones():
    assert read_column(series("1.234", "1.234.567", "12")).values.tolist() == [1234, 1234567, 12]
    # One point alone is the decimal point, which is noted where it may be meant otherwise.
    column = read_column(series("1.234", "12.000"))
    assert column.values.tolist() == [1.234, 12.0]
    assert "'1.234'" in column.notes[0]
    assert read_column(series("0.234", "12.000")).notes == ()


@pytest.mark.parametrize("form", [int, np.int64, str], ids=["int", "int64", "text"])
def test_whole_numbers_too_long_for_double_precision_stay_different(form):
    values = pd.Series([form(2**60), form(2**60 + 1)], name="x")
    column = read_column(values)
    assert column.kind == "category"
    assert column.values.tolist() == [str(2**60), str(2**60 + 1)]
    # Times in nanoseconds are large, and different in double precision too.
    assert read_column(series(form(10**18), form(2 * 10**18))).kind == "number"


@pytest.mark.parametrize(
    "values",
    [
        series(5, -999, 7, dtype="int64"),
        series(5.0, -999.0, 7.0, dtype="float64"),
        series(5, -999, 7, dtype="Int64"),
        series(Decimal(5), -999, 7),
        series("5", "-999.0", "7"),
    ],
    ids=lambda v: str(v.dtype),
)
@pytest.mark.parametrize("word", ["-999", -999])
def test_numbers_that_stand_for_a_missing_value(values, word):
    column = read_column(values, [word])
    np.testing.assert_array_equal(column.values, [5.0, np.nan, 7.0])
    assert "1 row" in column.notes[0]


def test_dates_that_stand_for_a_missing_value():
    for values in (series("9999-12-31", "2020-01-01"), series(datetime.date(9999, 12, 31))):
        assert read_column(values, ["9999-12-31"]).missing == 1


def test_texts_that_look_the_same_are_one():
    column = read_column(
        series("Male", "Male\u200b", "\ufeffMale", "\u200b", "caf\u00e9", "cafe\u0301")
    )
    assert column.values.dropna().nunique() == 2
    assert column.missing == 1


def test_text_with_a_zero_character_is_refused():
    with pytest.raises(InputError, match="'x'"):
        read_column(series("a", "a\0b"))


def test_a_column_that_cannot_be_read_is_named():
    for value in (b"a", 1j, Decimal("sNaN"), {1}):
        with pytest.raises(InputError, match="'x'"):
            read_column(series("a", value))


def test_long_texts_are_shown_in_part():
    with pytest.raises(InputError) as raised:
        read_numbers(series("y" * 10_000))
    assert len(str(raised.value)) < 300


def test_numbers_of_declared_categories():
    assert read_numbers(series(3, 1.5, dtype="category")).tolist() == [3.0, 1.5]


def test_a_frame_of_numbers_is_not_copied():
    frame = pd.DataFrame(np.ones((3, 2)))
    assert read_frame(frame) is frame


@pytest.mark.parametrize("name", ["ID", "Loan_ID", "PassengerId", "loan id", "id_code"])
def test_identifiers_by_name(name):
    numbers = np.random.default_rng(0).permutation(1000)[:60]
    assert unused_reason(read_column(pd.Series(numbers, name=name))) is not None
    assert unused_reason(read_column(pd.Series(numbers, name="bid"))) is None


def test_shuffled_row_numbers_are_an_identifier():
    numbers = np.random.default_rng(0).permutation(60) + 1000
    assert unused_reason(read_column(pd.Series(numbers, name="x"))) is not None
