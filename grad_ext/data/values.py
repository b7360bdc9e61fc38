"""Columns read by their values: the one reader of a user's columns, whatever their type or container.

The same content is read the same: the texts of a file, numbers in a column of objects, Decimals,
Arrow's and pandas' nullable types, dates and categories. What is written otherwise than it is read
(a missing value as "?", "1,200" for a number, two spellings of one value) is listed in notes; what
cannot be read with certainty raises an error that names the values and the remedy.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.errors import InputError

Kind = Literal["number", "boolean", "category"]

# Texts that stand for a missing value. A column of "+" and "-" keeps its "-".
MISSING_WORDS = frozenset(
    [
        *("", "?", "-", "--", "\u2013", "\u2014", ".", "..", "NA", "N/A", "n/a", "N.A.", "n.a."),
        *("NaN", "nan", "NAN", "NaT", "<NA>", "NULL", "null", "Null", "None", "\\N"),
        # Errors of spreadsheets.
        *("#N/A", "#NA", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!"),
    ]
)
# From so many different numbers on, a column with a few words among them is a column of numbers.
MANY_NUMBERS = 10
# From so many rows on, values that differ in nearly every row are those of an identifier.
MANY_ROWS = 50
NEARLY_ALL = 0.95
# Values that a message or a note shows, and characters of one.
SHOWN, SHOWN_CHARACTERS = 5, 60
# Whole numbers beyond this are not exact in double precision.
LARGEST_EXACT = 2**53

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.IGNORECASE)
CODE = re.compile(r"0\d+")
CURRENCY = re.compile(
    r"^(?P<sign>[+-]?)\s*(?P<before>[$€£¥₹]|US\$|USD|EUR|GBP|CHF)\s*"
    r"|\s*(?P<after>[$€£¥₹]|USD|EUR|GBP|CHF|kr|%)$"
)
SIGNS = {"USD": "$", "US$": "$", "EUR": "€", "GBP": "£"}
# A number and a word after it, such as '60 kg'.
WITH_UNIT = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*(?P<unit>[^\W\d_]+\.?|°[CF]?)")
# Texts that hold a number, which is written in a way that is not read.
LIKE_NUMBER = re.compile(
    r"[(<>~≤≥=]?\s*[+\u2212-]?\s*(?:[$€£¥₹])?\s*\d[\d.,'’_ \u00a0\u2009\u202f]*\s*"
    r"(?:[eE][+-]?\d+)?\s*(?:[)+%$€£¥₹]|[kKmMbB]|[mb]n|mio|USD|EUR|GBP|CHF)?"
)
# Characters that are not seen: marks of byte order and direction, and blanks without width.
INVISIBLE = "\ufeff\u200b\u2060\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
WITHOUT_INVISIBLE = str.maketrans("", "", INVISIBLE + "\u200c\u200d\u00ad")
# Thousands separators, of which every group but the first has three digits.
GROUPED = {
    ",": re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"),
    "'": re.compile(r"[+-]?\d{1,3}(?:['’]\d{3})+(?:\.\d*)?"),
    " ": re.compile(r"[+-]?\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:[.,]\d*)?"),
    ".": re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d*|[+-]?\d{1,3}(?:\.\d{3}){2,}"),
}
# Beside numbers with points between thousands, a single point is one too.
POINT_GROUPED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?|[+-]?\d+(?:,\d+)?")
# Numbers that have a decimal point in English and a point between thousands elsewhere.
THREE_DECIMALS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d+")
ISO_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
# Periods, which are read as their first day.
MONTH_OR_QUARTER = re.compile(r"(?P<year>\d{4})(?:-(?P<month>0[1-9]|1[0-2])|-?Q(?P<quarter>[1-4]))")
MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
OTHER_DATE = re.compile(
    r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})(?:[ T].*)?|\d{4}[./]\d{1,2}[./]\d{1,2}(?:[ T].*)?"
    rf"|(?:[a-z]+,? )?(?:\d{{1,2}}[. -]*)?{MONTH}[., -]*(?:\d{{4}}|[ '-]\d{{2}})(?:[ T:].*)?"
    rf"|(?:[a-z]+,? )?{MONTH}[. ]+\d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}(?:[ T].*)?",
    re.IGNORECASE,
)
TIME = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?")
# As pandas writes durations, and as ISO 8601 does.
DURATION = re.compile(
    r"-?\d+ days?(?: [+-]?\d{1,2}:\d{2}:\d{2}(?:\.\d+)?)?"
    r"|-?P(?=\d|T\d)(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?"
)
BOOLEAN = {"true": True, "false": False}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# Microseconds of a day.
DAY_LENGTH = 86_400e6


@dataclass(frozen=True)
class Column:
    """A column as it was read.

    Attributes
    ----------
    values : pandas.Series
        N values: int64 if they are whole numbers and none is missing, float64 for other numbers
        (nan where missing), bool if none is missing, or objects: texts, and None where missing.
    kind : {'number', 'boolean', 'category'}
        What the values are.
    notes : tuple of str
        What was read otherwise than it is written, in words.
    """

    values: pd.Series
    kind: Kind
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """Number of missing values."""
        return int(self.values.isna().sum())


def read_column(values: pd.Series, missing_values: Collection[str] = ()) -> Column:
    """Read a column by its values.

    Parameters
    ----------
    values : pandas.Series
        N values of any type.
    missing_values : collection of str, optional
        Texts that stand for a missing value, in addition to blanks, "?", "NA", "-" and the like.

    Returns
    -------
    Column

    Raises
    ------
    InputError
        If values are neither numbers nor texts, if a column of numbers has some words among them, or
        if dates are not certain.

    Examples
    --------
    >>> import pandas as pd
    >>> from grad_ext.data.values import read_column
    >>> column = read_column(pd.Series(["1,200", "15", "?"], name="income"))
    >>> column.values.tolist(), column.kind
    ([1200.0, 15.0, nan], 'number')
    >>> for note in column.notes:
    ...     print(note)
    '?' (1 row) read as missing
    numbers with ',' between thousands, such as '1,200'
    """
    missing_values = frozenset(map(_text, missing_values))
    if isinstance(values.dtype, pd.CategoricalDtype):
        # Categories were declared as such, also if they are numbers.
        return _from_texts(values, missing_values)
    if pd.api.types.is_complex_dtype(values.dtype):
        raise InputError(f"column {values.name!r}: expected numbers or text, got complex numbers")
    if pd.api.types.is_bool_dtype(values.dtype):
        return _booleans(values)
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        if _not_exact(numbers) and values.nunique() > len(np.unique(numbers[~np.isnan(numbers)])):
            return _long_numbers(values, missing_values)
        return _number_column(numbers, values, missing_values)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        dates = pd.DatetimeIndex(values)
        dates = dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)
        return _date_column(_in_days(dates.to_numpy(), "datetime64[us]"), values, missing_values)
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        days = _in_days(pd.TimedeltaIndex(values).to_numpy(), "timedelta64[us]")
        return Column(_numbers(days, values), "number", (DURATIONS,))
    if isinstance(values.dtype, pd.PeriodDtype):
        dates = pd.PeriodIndex(values).to_timestamp()
        return _date_column(_in_days(dates.to_numpy(), "datetime64[us]"), values, missing_values)
    return _objects(values.astype(object), missing_values)


def read_numbers(values: pd.Series, missing_values: Collection[str] = ()) -> NDArray[np.float64]:
    """Return a column that must hold numbers, nan where missing, shape (N,).

    Raises
    ------
    InputError
        If it holds something else.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    column = read_column(values, missing_values)
    if column.kind == "category":
        present = column.values.dropna()
        if len(present):
            raise InputError(
                f"column {values.name!r}: expected numbers, got {shown(present.unique().tolist())}"
            )
        return np.full(len(values), np.nan)
    return column.values.to_numpy(dtype=np.float64, na_value=np.nan)


def read_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns are read by their values; see `read_column`.

    Columns of numpy's numbers are unchanged.

    Raises
    ------
    InputError
        If columns cannot be read; all of them are named.
    """
    if all(map(_is_plain, frame.dtypes)):
        return frame
    columns, problems = [], []
    for k in range(len(frame.columns)):
        values = frame.iloc[:, k]
        try:
            columns.append(values if _is_plain(values.dtype) else read_column(values).values)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    read = pd.concat(columns, axis=1) if columns else frame.copy(deep=False)
    read.columns = frame.columns
    return read


def _is_plain(dtype: Any) -> bool:
    return (
        isinstance(dtype, np.dtype)
        and dtype.kind in "iuf"
        and dtype.isnative
        and dtype.itemsize <= np.dtype(np.float64).itemsize
    )


def content_hash(frame: pd.DataFrame) -> NDArray[np.uint64]:
    """Return a number for each row of a frame that was read, by content: see `read_frame`.

    Rows are equal in it if they are equal in all columns, whatever the columns' types are.

    Raises
    ------
    InputError
        If a text is not valid Unicode.
    """
    other = {k: np.float64 for k, kind in enumerate(frame.dtypes) if kind.kind in "biuf"}
    typed = frame.set_axis(range(len(frame.columns)), axis=1).astype(other)
    try:
        return np.asarray(pd.util.hash_pandas_object(typed, index=False), dtype=np.uint64)
    except UnicodeEncodeError as error:
        raise InputError(f"features: expected text that is valid Unicode, got {error}") from None


def unused_reason(column: Column) -> str | None:
    """Return why a column tells nothing about other rows, None if it may.

    Returns
    -------
    str or None
        In words: all values missing, all the same, or (nearly) every row its own, as in an
        identifier. Whole numbers are an identifier if they count the rows or their column's name
        says so.
    """
    present = column.values.dropna()
    if not len(present):
        return "has no value"
    different = present.nunique()
    if different == 1:
        # An indicator in itself, if values are missing.
        return (
            None
            if column.missing
            else f"has the same value in every row, {shown([present.iloc[0]])}"
        )
    if len(present) < MANY_ROWS or different < NEARLY_ALL * len(present):
        return None
    if column.kind == "category":
        return f"has {different:,} different values in {len(present):,} rows, as an identifier has"
    if column.kind == "number" and different == len(present) and _counts(present):
        return f"numbers the rows, from {present.min():g} to {present.max():g}"
    return None


def _counts(present: pd.Series) -> bool:
    """Return whether different numbers are those of an identifier."""
    numbers = present.to_numpy(dtype=np.float64)
    if not (numbers == np.floor(numbers)).all():
        return False
    named = re.search(
        r"(?:^|[\W_])(?i:id|nr|no|index|key|uuid)$|[a-z]I[dD]$|^(?i:id)[\W_]", str(present.name)
    )
    # In any order: rows may have been shuffled.
    return named is not None or float(np.ptp(numbers)) == len(numbers) - 1


def spelling(text: str) -> str:
    """Return what spellings of one value share: case, spaces and a final dot do not count.

    Characters that are not seen do not count either, nor how an accent is composed.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(WITHOUT_INVISIBLE))
    return " ".join(text.split()).rstrip(".").casefold()


def stripped(text: str) -> str:
    """Return a text without blanks and invisible characters around it."""
    text = text.strip()
    return text if text.isascii() else text.strip(INVISIBLE).strip()


def category_texts(values: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    """Return values as texts: for each row the position of its text, -1 where missing, and the texts.

    Raises
    ------
    InputError
        If a value has no text of its own, such as a list.
    """
    codes, distinct = _factorized(values.astype(object))
    return codes, [_text(value) for value in distinct]


def shown(values: Sequence[Any]) -> str:
    """Return the first values, and how many there are more, for a message."""
    texts = [_short(_plain(value)) for value in list(values)[:SHOWN]]
    more = f" and {len(values) - SHOWN:,} others" if len(values) > SHOWN else ""
    return ", ".join(texts) + more


def _short(value: Any) -> str:
    """Return a value as a message shows it."""
    text = repr(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}... ({len(text):,} characters)"


# --- types -----------------------------------------------------------------------------------


DATES = f"dates, as days since {EPOCH:%Y-%m-%d}"
DURATIONS = "durations, as days"


def _objects(values: pd.Series, missing_values: Collection[str]) -> Column:
    codes, distinct = _factorized(values)
    if not len(distinct) or all(isinstance(value, str) for value in distinct):
        return _from_codes(codes, list(distinct), values, missing_values)
    if all(isinstance(value, (bool, np.bool_)) for value in distinct):
        return _booleans(values)
    if all(isinstance(value, (Real, Decimal, np.bool_)) for value in distinct):
        floats = [_float(value, values.name) for value in distinct]
        if _not_exact(np.array(floats)) and len(set(floats)) < len(set(distinct)):
            return _long_numbers(values, missing_values)
        return _number_column(np.array([*floats, np.nan])[codes], values, missing_values)
    if all(isinstance(value, (datetime.date, np.datetime64)) for value in distinct):
        days = np.array([*map(_days, distinct), np.nan])[codes]
        return _date_column(days, values, missing_values)
    if all(isinstance(value, (datetime.timedelta, np.timedelta64)) for value in distinct):
        days = np.array([*map(_duration, distinct), np.nan])[codes]
        return Column(_numbers(days, values), "number", (DURATIONS,))
    try:
        texts = [_text(value) for value in distinct]
    except InputError as error:
        raise InputError(f"column {values.name!r}: {error}") from None
    return _from_codes(codes, texts, values, missing_values)


def _factorized(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Return each row's position among the different values, -1 where missing, and the values."""
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:
        kind = next((type(v).__name__ for v in values if not _is_hashable(v)), "unknown")
        raise InputError(
            f"column {values.name!r}: expected numbers or text, got a value of type {kind}"
        ) from None
    if "\0" in "".join(value for value in values if type(value) is str):
        # pandas takes texts for equal that differ after a zero character.
        raise InputError(f"column {values.name!r}: expected text, got text with zero characters")
    return codes, list(distinct)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _text(value: Any) -> str:
    """Return a value as the text that a file would have."""
    value = _plain(value)
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        raise InputError(
            f"expected numbers or text, got bytes such as {bytes(value[:20])!r}; decode them: "
            ".str.decode('utf-8')"
        )
    if isinstance(value, complex):
        raise InputError(f"expected numbers or text, got the complex number {value!r}")
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_EXACT:
        return str(int(value))
    return str(value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _float(value: Any, name: Any) -> float:
    try:
        return float(value)
    except (OverflowError, ValueError):
        raise InputError(
            f"column {name!r}: expected numbers of double precision, got one of "
            f"{len(str(Decimal(value)))} characters"
        ) from None


def _numbers(numbers: NDArray[np.float64], like: pd.Series) -> pd.Series:
    """Return numbers as a column: whole ones as int64 if none is missing."""
    exact = np.isfinite(numbers) & (np.abs(numbers) <= LARGEST_EXACT)
    whole = bool((exact & (numbers == np.floor(numbers))).all())
    return pd.Series(
        numbers.astype(np.int64) if whole else numbers, index=like.index, name=like.name
    )


def _not_exact(numbers: NDArray[np.float64]) -> bool:
    """Return whether whole numbers among them may have been rounded."""
    return bool(np.abs(numbers).max(initial=0.0, where=np.isfinite(numbers)) > LARGEST_EXACT)


def _long_numbers(values: pd.Series, missing_values: Collection[str]) -> Column:
    """Return whole numbers as categories, since double precision takes some of them for equal."""
    column = _from_texts(values, missing_values)
    return Column(column.values, column.kind, (*column.notes, LONG_NUMBERS))


LONG_NUMBERS = "whole numbers of more than 15 digits, read as categories"


def _number_column(
    numbers: NDArray[np.float64],
    like: pd.Series,
    missing_values: Collection[str],
    notes: tuple[str, ...] = (),
    number: Callable[[str], float | None] | None = None,
) -> Column:
    """Return numbers without those that stand for a missing value, as `number` reads them."""
    read = number or _plain_number
    wanted = {text: read(text) for text in missing_values}
    words = []
    for text, value in sorted(wanted.items()):
        rows = np.zeros(len(numbers), dtype=bool) if value is None else numbers == value
        if rows.any():
            numbers = np.where(rows, np.nan, numbers)
            words.append(f"{text!r} ({_rows(int(rows.sum()))})")
    if words:
        notes = (f"{', '.join(words)} read as missing", *notes)
    return Column(_numbers(numbers, like), "number", notes)


def _plain_number(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None


def _booleans(values: pd.Series, notes: tuple[str, ...] = ()) -> Column:
    if not values.isna().any():
        return Column(values.astype(bool), "boolean", notes)
    numbers = values.astype("boolean").astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return Column(pd.Series(numbers, index=values.index, name=values.name), "boolean", notes)


def _in_days(values: NDArray[Any], unit: str) -> NDArray[np.float64]:
    """Return dates or durations of numpy in days, nan where missing.

    Microseconds, since the nanoseconds of the year 9999 are beyond 64 bits.
    """
    exact = values.astype(unit)
    return np.where(np.isnat(exact), np.nan, exact.astype(np.int64).astype(np.float64) / DAY_LENGTH)


def _days(value: Any) -> float:
    """Return a date as days since 1970-01-01."""
    if isinstance(value, np.datetime64):
        return float(_in_days(np.array([value]), "datetime64[us]")[0])
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime(warn=False)
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return _duration(value - EPOCH)


def _duration(value: Any) -> float:
    """Return a duration as days."""
    if isinstance(value, np.timedelta64):
        return float(_in_days(np.array([value]), "timedelta64[us]")[0])
    if isinstance(value, pd.Timedelta):
        value = value.to_pytimedelta()
    return float(value // datetime.timedelta(microseconds=1)) / DAY_LENGTH


def _date_column(
    days: NDArray[np.float64], like: pd.Series, missing_values: Collection[str]
) -> Column:
    return _number_column(days, like, missing_values, (DATES,), _iso_days)


def _iso_days(text: str) -> float | None:
    """Return a date or the first day of a period as days, None if the text is neither."""
    period = MONTH_OR_QUARTER.fullmatch(text)
    if period is not None:
        month = period["month"] or 3 * int(period["quarter"]) - 2
        text = f"{period['year']}-{int(month):02}-01"
    if not ISO_DATE.fullmatch(text):
        return None
    try:
        return _days(datetime.datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


# --- texts -----------------------------------------------------------------------------------


def _from_texts(values: pd.Series, missing_values: Collection[str]) -> Column:
    """Read a column as categories, without looking for numbers."""
    texts = values.astype(object).map(_text, na_action="ignore")
    codes, distinct = _factorized(texts)
    return _Texts(codes, distinct, values, missing_values).categories()


def _from_codes(
    codes: NDArray[np.intp], texts: list[str], values: pd.Series, missing_values: Collection[str]
) -> Column:
    """Read a column of texts, which may be numbers, dates or truth values."""
    return _Texts(codes, texts, values, missing_values).read()


class _Texts:
    """The different texts of a column, without those that stand for a missing value."""

    def __init__(
        self,
        codes: NDArray[np.intp],
        texts: list[str],
        values: pd.Series,
        missing_values: Collection[str],
    ) -> None:
        self.name, self.index = values.name, values.index
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        bare = [stripped(text) for text in texts]
        given = {_plain_number(text) for text in missing_values} - {None}
        words = {
            text
            for text in bare
            if text in MISSING_WORDS
            or text in missing_values
            or (given and _plain_number(text) in given)
        }
        if "+" in bare and "-" not in missing_values:
            words.discard("-")
        self.notes: list[str] = []
        rows: dict[str, int] = {}
        for text, count in zip(bare, counts.tolist(), strict=True):
            if text in words:
                rows[text] = rows.get(text, 0) + count
        if rows:
            words_read = ", ".join(f"{text!r} ({_rows(n)})" for text, n in sorted(rows.items()))
            self.notes.append(f"{words_read} read as missing")
        self.texts = [text for text in dict.fromkeys(bare) if text not in words]
        position = {text: k for k, text in enumerate(self.texts)}
        places = np.array([*(position.get(text, -1) for text in bare), -1], dtype=np.intp)
        self.codes = places[codes]
        self.counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    def read(self) -> Column:
        """Return the column."""
        if not self.texts:
            return self.categories()
        lowered = {text.lower() for text in self.texts}
        if lowered <= set(BOOLEAN):
            flags = [BOOLEAN[text.lower()] for text in self.texts]
            column = np.array([*flags, None], dtype=object)[self.codes]
            return _booleans(pd.Series(column, index=self.index, name=self.name), tuple(self.notes))
        numeric = [NUMBER.fullmatch(text) is not None for text in self.texts]
        if any(CODE.fullmatch(text) for text in self.texts) and all(numeric):
            # Postal codes and the like: as numbers they would lose their zeros.
            self.notes.append(
                f"numbers with leading zeros, such as "
                f"{next(t for t in self.texts if CODE.fullmatch(t))!r}, read as categories"
            )
            return self.categories()
        if all(numeric):
            return self._plain_numbers()
        for read in (self._dates, self._times, self._durations, self._formatted):
            column_read = read()
            if column_read is not None:
                return column_read
        self._check_words(numeric)
        return self.categories()

    def categories(self) -> Column:
        """Return the column as texts, each value in its most frequent spelling."""
        spellings: dict[str, list[int]] = {}
        for k, text in enumerate(self.texts):
            spellings.setdefault(spelling(text), []).append(k)
        levels = np.array([*self.texts, None], dtype=object)
        for places in spellings.values():
            if len(places) > 1:
                best = max(places, key=lambda k: (self.counts[k], self.texts[k]))
                others = [self.texts[k] for k in places if k != best]
                self.notes.append(f"{shown(others)} read as {self.texts[best]!r}")
                levels[places] = self.texts[best]
        values = pd.Series(levels[self.codes], index=self.index, name=self.name, dtype=object)
        return Column(values, "category", tuple(self.notes))

    def _plain_numbers(self) -> Column:
        floats = [float(text) for text in self.texts]
        whole = {int(text) for text in self.texts if text.lstrip("+-").isdecimal()}
        if _not_exact(np.array(floats)) and len({float(number) for number in whole}) < len(whole):
            self.notes.append(LONG_NUMBERS)
            return self.categories()
        pointed = [text for text in self.texts if "." in text]
        notes = []
        if pointed and all(
            THREE_DECIMALS.fullmatch(t) or t.lstrip("+-").isdecimal() for t in self.texts
        ):
            notes.append(f"a point is read as the decimal point, such as in {pointed[0]!r}")
        return self._as_numbers(float, *notes)

    def _as_numbers(self, number: Callable[[str], float], *notes: str) -> Column:
        numbers = np.array([*map(number, self.texts), np.nan])[self.codes]
        like = pd.Series(index=self.index, name=self.name, dtype=np.float64)
        return Column(_numbers(numbers, like), "number", (*self.notes, *notes))

    def _dates(self) -> Column | None:
        """Return dates as numbers, None if the texts are no dates."""
        iso = [
            bool(ISO_DATE.fullmatch(text) or MONTH_OR_QUARTER.fullmatch(text))
            for text in self.texts
        ]
        if all(iso):
            read = {text: _iso_days(text) for text in self.texts}
            days = {text: day for text, day in read.items() if day is not None}
            wrong = [text for text in self.texts if text not in days]
            if wrong:
                raise InputError(
                    f"column {self.name!r}: expected dates, but there is no {shown(wrong)}; name it "
                    f"as missing (--missing-values {wrong[0]}), correct it, or exclude the column "
                    f"(--drop {self.name})"
                )
            return self._as_numbers(days.__getitem__, DATES)
        dates = [k for k, text in enumerate(self.texts) if iso[k] or OTHER_DATE.fullmatch(text)]
        other = [k for k in dates if not iso[k]]
        words = sorted({*range(len(self.texts))} - {*dates}, key=lambda k: -int(self.counts[k]))
        if other and len(dates) > max(1, NEARLY_ALL * len(self.texts)):
            raise InputError(
                f"column {self.name!r}: dates such as {self.texts[other[0]]!r} cannot be read with "
                "certainty; write them as 2026-01-31, or exclude the column "
                f"(--drop {self.name})"
            )
        if len(dates) >= MANY_NUMBERS and 2 * len(dates) >= len(self.texts):
            raise self._words_among("dates", len(dates), words)
        return None

    def _times(self) -> Column | None:
        """Return times of the day as hours, None if the texts are no times."""
        if not all(TIME.fullmatch(text) for text in self.texts):
            return None

        def hours(text: str) -> float:
            parts = [*map(float, text.split(":")), 0.0]
            return parts[0] + parts[1] / 60 + parts[2] / 3600

        return self._as_numbers(hours, f"times such as {self.texts[0]!r}, as hours")

    def _durations(self) -> Column | None:
        """Return durations as days, None if the texts are no durations."""
        if not all(DURATION.fullmatch(text) for text in self.texts):
            return None
        try:
            return self._as_numbers(lambda text: _duration(pd.Timedelta(text)), DURATIONS)
        except ValueError as error:
            raise InputError(f"column {self.name!r}: expected durations, but {error}") from None

    def _formatted(self) -> Column | None:
        """Return numbers with currency signs and separators, None if the texts are not all such."""
        bare = [CURRENCY.sub(lambda m: m["sign"] or "", text) for text in self.texts]
        units = [text for text, plain in zip(self.texts, bare, strict=True) if plain != text]
        signs = {
            SIGNS.get(sign, sign)
            for text in units
            for match in CURRENCY.finditer(text)
            for sign in (match["before"] or match["after"],)
        }
        if len(signs) > 1:
            return None
        if not units:
            bare = self._without_unit()
            units = self.texts if bare is not self.texts else []
        notes = [f"numbers with a unit, such as {units[0]!r}"] if units else []
        if units and any("%" in text for text in units) and len(units) < len(self.texts):
            return None
        if units and all(NUMBER.fullmatch(text) for text in bare):
            plain = dict(zip(self.texts, bare, strict=True))
            return self._as_numbers(lambda text: float(plain[text]), *notes)
        for separator, form in GROUPED.items():
            grouped = [text for text in bare if form.fullmatch(text)]
            decimal = "," if separator == "." else "."
            rest = POINT_GROUPED if separator == "." else NUMBER
            if grouped and all(form.fullmatch(text) or rest.fullmatch(text) for text in bare):
                name = "' '" if separator == " " else repr(separator)
                notes.append(f"numbers with {name} between thousands, such as {grouped[0]!r}")
                return self._separated(bare, separator, decimal, notes)
        if all(DECIMAL_COMMA.fullmatch(text) for text in bare):
            example = next(text for text in bare if "," in text)
            notes.append(f"numbers with a decimal comma, such as {example!r}")
            return self._separated(bare, "", ",", notes)
        return None

    def _without_unit(self) -> list[str]:
        """Return the texts without the word that many numbers have in common, such as 'kg'."""
        matches = [WITH_UNIT.fullmatch(text) for text in self.texts]
        units = {match["unit"].rstrip(".").casefold() for match in matches if match is not None}
        if len(self.texts) < MANY_NUMBERS or None in matches or len(units) != 1:
            return self.texts
        numbers = [match["number"] for match in matches if match is not None]
        return self.texts if any(CODE.fullmatch(text) for text in numbers) else numbers

    def _separated(self, bare: list[str], separator: str, decimal: str, notes: list[str]) -> Column:
        thousands = {"'": "'’", " ": " \u00a0\u2009\u202f"}.get(separator, separator)
        table = str.maketrans({**{sign: "" for sign in thousands}, decimal: "."})
        if separator == " ":
            table[ord(",")] = "."
        plain = {
            text: float(one.translate(table)) for text, one in zip(self.texts, bare, strict=True)
        }
        return self._as_numbers(plain.__getitem__, *notes)

    def _check_words(self, numeric: list[bool]) -> None:
        """Raise if a column of many numbers has some words or units among them."""
        like = [
            is_number or LIKE_NUMBER.fullmatch(text) is not None
            for text, is_number in zip(self.texts, numeric, strict=True)
        ]
        matches = [WITH_UNIT.fullmatch(text) for text in self.texts]
        units = {match["unit"].casefold() for match in matches if match is not None}
        if len(units) <= SHOWN:
            like = [
                number or (match is not None and len(match["unit"]) > 1)
                for number, match in zip(like, matches, strict=True)
            ]
        count = sum(like)
        if count < MANY_NUMBERS or 2 * count < len(self.texts):
            return
        plain = sum(numeric)
        if not plain:
            examples = shown(
                [text for text, is_like in zip(self.texts, like, strict=True) if is_like]
            )
            raise InputError(
                f"column {self.name!r}: values such as {examples} look like numbers that cannot be "
                f"read with certainty; write them without signs and units, or exclude the column "
                f"(--drop {self.name})"
            )
        # What differs from most of the column is the problem.
        odd = numeric if 0 < plain < count - plain else [not is_number for is_number in numeric]
        words = [k for k, is_odd in enumerate(odd) if is_odd]
        raise self._words_among("numbers", len(self.texts) - len(words), words)

    def _words_among(self, what: str, count: int, words: list[int]) -> InputError:
        """Return the error for words among numbers or dates."""
        words = sorted(words, key=lambda k: -int(self.counts[k]))[: SHOWN + 1]
        texts = [self.texts[k] for k in words[:SHOWN]]
        named = ", ".join(
            f"{_short(text)} ({_rows(int(self.counts[k]))})"
            for text, k in zip(texts, words, strict=False)
        )
        others = len(self.texts) - count - len(texts)
        more = f" and {others:,} others" if others > 0 else ""
        quoted = ",".join(text if "," not in text else f'"{text}"' for text in texts)
        return InputError(
            f"column {self.name!r}: {count:,} of its {len(self.texts):,} different values are "
            f"{what}, but not {named}{more}; name these as missing "
            f"(--missing-values {quoted}), correct them, or "
            f"exclude the column (--drop {self.name})"
        )


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"
