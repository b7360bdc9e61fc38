"""A column that was read, and single values: numbers, truth values, dates and durations, texts."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
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
NEARLY_ALL = 0.95
# Values that a message or a note shows, and characters of one.
SHOWN, SHOWN_CHARACTERS = 5, 60
# Whole numbers beyond this are not exact in double precision.
LARGEST_EXACT = 2**53
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.IGNORECASE)
# Characters that are not seen: marks of byte order and direction, and blanks without width.
INVISIBLE = "\ufeff\u200b\u2060\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
WITHOUT_INVISIBLE = str.maketrans("", "", INVISIBLE + "\u200c\u200d\u00ad")
ISO_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
# Periods, which are read as their first day.
MONTH_OR_QUARTER = re.compile(r"(?P<year>\d{4})(?:-(?P<month>0[1-9]|1[0-2])|-?Q(?P<quarter>[1-4]))")
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


def shown(values: Sequence[Any]) -> str:
    """Return the first values, and how many there are more, for a message."""
    texts = [_short(plain(value)) for value in list(values)[:SHOWN]]
    more = f" and {len(values) - SHOWN:,} others" if len(values) > SHOWN else ""
    return ", ".join(texts) + more


def _short(value: Any) -> str:
    """Return a value as a message shows it."""
    text = repr(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}... ({len(text):,} characters)"


DATES = f"dates, as days since {EPOCH:%Y-%m-%d}"
DURATIONS = "durations, as days"
LONG_NUMBERS = "whole numbers of more than 15 digits, read as categories"


def factorized(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Return each row's position among the different values, -1 where missing, and the values."""
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:
        kind = next((type(v).__name__ for v in values if not _is_hashable(v)), "unknown")
        raise InputError(
            f"column {values.name!r}: expected numbers or text, got a value of type {kind}"
        ) from None
    if _has_zero_character(values):
        # pandas takes texts for equal that differ after a zero character.
        raise InputError(f"column {values.name!r}: expected text, got text with zero characters")
    return codes, list(distinct)


def _has_zero_character(values: pd.Series) -> bool:
    objects = values.to_numpy(dtype=object)
    try:
        return "\0" in "".join(objects)
    except TypeError:  # Not all are texts.
        return "\0" in "".join(value for value in objects if type(value) is str)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def text_of(value: Any) -> str:
    """Return a value as the text that a file would have."""
    value = plain(value)
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


def plain(value: Any) -> Any:
    """Return a scalar of numpy as Python's, and others as they are."""
    return value.item() if isinstance(value, np.generic) else value


def float_of(value: Any, name: Any) -> float:
    """Return a number of any type as a float; raises InputError with the column's name."""
    try:
        return float(value)
    except (OverflowError, ValueError):
        raise InputError(
            f"column {name!r}: expected numbers of double precision, got one of "
            f"{len(str(Decimal(value)))} characters"
        ) from None


def number_values(numbers: NDArray[np.float64], like: pd.Series) -> pd.Series:
    """Return numbers as a column: whole ones as int64 if none is missing."""
    exact = np.isfinite(numbers) & (np.abs(numbers) <= LARGEST_EXACT)
    whole = bool((exact & (numbers == np.floor(numbers))).all())
    return pd.Series(
        numbers.astype(np.int64) if whole else numbers, index=like.index, name=like.name
    )


def not_exact(numbers: NDArray[np.float64]) -> bool:
    """Return whether whole numbers among them may have been rounded."""
    return bool(np.abs(numbers).max(initial=0.0, where=np.isfinite(numbers)) > LARGEST_EXACT)


def number_column(
    numbers: NDArray[np.float64],
    like: pd.Series,
    missing_values: Collection[str],
    notes: tuple[str, ...] = (),
    number: Callable[[str], float | None] | None = None,
) -> Column:
    """Return numbers without those that stand for a missing value, as `number` reads them."""
    read = number or plain_number
    wanted = {text: read(text) for text in missing_values}
    words = []
    for text, value in sorted(wanted.items()):
        rows = np.zeros(len(numbers), dtype=bool) if value is None else numbers == value
        if rows.any():
            numbers = np.where(rows, np.nan, numbers)
            words.append(f"{text!r} ({rows_text(int(rows.sum()))})")
    if words:
        notes = (f"{', '.join(words)} read as missing", *notes)
    return Column(number_values(numbers, like), "number", notes)


def plain_number(text: str) -> float | None:
    """Return the number that a text is, None if it is none."""
    return float(text) if NUMBER.fullmatch(text) else None


def boolean_column(values: pd.Series, notes: tuple[str, ...] = ()) -> Column:
    """Return truth values as a column: bool, or 1, 0 and nan if some are missing."""
    if not values.isna().any():
        return Column(values.astype(bool), "boolean", notes)
    numbers = values.astype("boolean").astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return Column(pd.Series(numbers, index=values.index, name=values.name), "boolean", notes)


def in_days(values: NDArray[Any], unit: str) -> NDArray[np.float64]:
    """Return dates or durations of numpy in days, nan where missing.

    Microseconds, since the nanoseconds of the year 9999 are beyond 64 bits.
    """
    exact = values.astype(unit)
    return np.where(np.isnat(exact), np.nan, exact.astype(np.int64).astype(np.float64) / DAY_LENGTH)


def days_of(value: Any) -> float:
    """Return a date as days since 1970-01-01."""
    if isinstance(value, np.datetime64):
        return float(in_days(np.array([value]), "datetime64[us]")[0])
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime(warn=False)
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return duration_in_days(value - EPOCH)


def duration_in_days(value: Any) -> float:
    """Return a duration as days."""
    if isinstance(value, np.timedelta64):
        return float(in_days(np.array([value]), "timedelta64[us]")[0])
    if isinstance(value, pd.Timedelta):
        value = value.to_pytimedelta()
    return float(value // datetime.timedelta(microseconds=1)) / DAY_LENGTH


def date_column(
    days: NDArray[np.float64], like: pd.Series, missing_values: Collection[str]
) -> Column:
    """Return days since 1970-01-01 as a column of dates."""
    return number_column(days, like, missing_values, (DATES,), iso_days)


def iso_days(text: str) -> float | None:
    """Return a date or the first day of a period as days, None if the text is neither."""
    period = MONTH_OR_QUARTER.fullmatch(text)
    if period is not None:
        month = period["month"] or 3 * int(period["quarter"]) - 2
        text = f"{period['year']}-{int(month):02}-01"
    if not ISO_DATE.fullmatch(text):
        return None
    try:
        return days_of(datetime.datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def rows_text(n: int) -> str:
    """Return a number of rows in words."""
    return f"{n:,} row{'' if n == 1 else 's'}"
