"""Columns read by their values: the one reader of a user's columns, whatever their type or container.

The same content is read the same: the texts of a file, numbers in a column of objects, Decimals,
Arrow's and pandas' nullable types, dates and categories. What is written otherwise than it is read
(a missing value as "?", "1,200" for a number, two spellings of one value) is listed in notes; what
cannot be read with certainty raises an error that names the values and the remedy.
"""

from __future__ import annotations

import datetime
import re
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
        *("", "?", "-", "--", ".", "NA", "N/A", "n/a", "n.a.", "NaN", "nan", "NaT", "<NA>"),
        *("NULL", "null", "None", "#N/A", "#NA"),
    ]
)
# From so many different numbers on, a column with a few words among them is a column of numbers.
MANY_NUMBERS = 10
# From so many rows on, values that differ in nearly every row are those of an identifier.
MANY_ROWS = 50
NEARLY_ALL = 0.95
# Values that a message or a note shows.
SHOWN = 5
# Whole numbers beyond this are not exact in double precision.
LARGEST_EXACT = 2**53

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.IGNORECASE)
CODE = re.compile(r"0\d+")
CURRENCY = re.compile(
    r"^(?P<sign>[+-]?)\s*(?:[$€£¥₹]|US\$|USD|EUR|GBP|CHF)\s*|\s*(?:[$€£¥₹]|USD|EUR|GBP|CHF|kr|%)$"
)
# Thousands separators, of which every group but the first has three digits.
GROUPED = {
    ",": re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"),
    "'": re.compile(r"[+-]?\d{1,3}(?:['’]\d{3})+(?:\.\d*)?"),
    " ": re.compile(r"[+-]?\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:[.,]\d*)?"),
    ".": re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d*|[+-]?\d{1,3}(?:\.\d{3}){2,}"),
}
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d+")
ISO_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
OTHER_DATE = re.compile(
    r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})(?:[ T].*)?|\d{4}[./]\d{1,2}[./]\d{1,2}(?:[ T].*)?"
    r"|(?:\d{1,2}[. -]+)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[., -]+\d{2,4}",
    re.IGNORECASE,
)
BOOLEAN = {"true": True, "false": False}
EPOCH = pd.Timestamp("1970-01-01")


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
    if isinstance(values.dtype, pd.CategoricalDtype):
        # Categories were declared as such, also if they are numbers.
        return _from_texts(values.astype(object).map(_text, na_action="ignore"), missing_values)
    if pd.api.types.is_complex_dtype(values.dtype):
        raise InputError(f"column {values.name!r}: expected numbers or text, got complex numbers")
    if pd.api.types.is_bool_dtype(values.dtype):
        return _booleans(values)
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return Column(_numbers(numbers, values), "number")
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _dates(values, pd.DatetimeIndex(values))
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        return _durations(values, pd.TimedeltaIndex(values))
    if isinstance(values.dtype, pd.PeriodDtype):
        return _dates(values, pd.PeriodIndex(values).to_timestamp())
    return _objects(values.astype(object), missing_values)


def read_numbers(values: pd.Series, missing_values: Collection[str] = ()) -> NDArray[np.float64]:
    """Return a column that must hold numbers, nan where missing, shape (N,).

    Raises
    ------
    InputError
        If it holds something else.
    """
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
    steps = np.diff(numbers)
    named = re.search(
        r"(?:^|[\W_])(?:id|nr|no|index|key|uuid)$|[a-z]ID$|^id[\W_]", str(present.name)
    )
    return named is not None or bool((steps == steps[0]).all() and abs(steps[0]) == 1.0)


def spelling(text: str) -> str:
    """Return what spellings of one value share: case, spaces and a final dot do not count."""
    return " ".join(text.split()).rstrip(".").casefold()


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
    texts = [repr(_plain(value)) for value in list(values)[:SHOWN]]
    more = f" and {len(values) - SHOWN:,} others" if len(values) > SHOWN else ""
    return ", ".join(texts) + more


# --- types -----------------------------------------------------------------------------------


def _objects(values: pd.Series, missing_values: Collection[str]) -> Column:
    codes, distinct = _factorized(values)
    if not len(distinct) or all(isinstance(value, str) for value in distinct):
        return _from_codes(codes, list(distinct), values, missing_values)
    if all(isinstance(value, (bool, np.bool_)) for value in distinct):
        return _booleans(values)
    if all(isinstance(value, (Real, Decimal, np.bool_)) for value in distinct):
        numbers = np.array([*map(float, distinct), np.nan])[codes]
        return Column(_numbers(numbers, values), "number")
    if all(isinstance(value, (datetime.date, np.datetime64)) for value in distinct):
        return _dates(values, pd.DatetimeIndex(pd.to_datetime(values, utc=True)))
    if all(isinstance(value, (datetime.timedelta, np.timedelta64)) for value in distinct):
        return _durations(values, pd.TimedeltaIndex(pd.to_timedelta(values)))
    return _from_codes(codes, [_text(value) for value in distinct], values, missing_values)


def _factorized(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Return each row's position among the different values, -1 where missing, and the values."""
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:
        kind = next(type(v).__name__ for v in values if type(v).__hash__ is None)
        raise InputError(
            f"column {values.name!r}: expected numbers or text, got a value of type {kind}"
        ) from None
    return codes, list(distinct)


def _text(value: Any) -> str:
    """Return a value as the text that a file would have."""
    value = _plain(value)
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, complex)):
        raise InputError(f"expected numbers or text, got {value!r} of type {type(value).__name__}")
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_EXACT:
        return str(int(value))
    return str(value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _numbers(numbers: NDArray[np.float64], like: pd.Series) -> pd.Series:
    """Return numbers as a column: whole ones as int64 if none is missing."""
    exact = np.isfinite(numbers) & (np.abs(numbers) <= LARGEST_EXACT)
    whole = bool((exact & (numbers == np.floor(numbers))).all())
    return pd.Series(
        numbers.astype(np.int64) if whole else numbers, index=like.index, name=like.name
    )


def _booleans(values: pd.Series, notes: tuple[str, ...] = ()) -> Column:
    if not values.isna().any():
        return Column(values.astype(bool), "boolean", notes)
    numbers = values.astype("boolean").astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return Column(pd.Series(numbers, index=values.index, name=values.name), "boolean", notes)


def _dates(values: pd.Series, dates: pd.DatetimeIndex, form: str = "") -> Column:
    if dates.tz is not None:
        dates = dates.tz_convert("UTC").tz_localize(None)
    days = np.asarray((dates - EPOCH) / pd.Timedelta(days=1), dtype=np.float64)
    note = f"dates{form}, as days since {EPOCH:%Y-%m-%d}"
    return Column(_numbers(days, values), "number", (note,))


def _durations(values: pd.Series, durations: pd.TimedeltaIndex) -> Column:
    days = np.asarray(durations / pd.Timedelta(days=1), dtype=np.float64)
    return Column(_numbers(days, values), "number", ("durations, as days",))


# --- texts -----------------------------------------------------------------------------------


def _from_texts(values: pd.Series, missing_values: Collection[str]) -> Column:
    """Read a column of texts as categories, without looking for numbers."""
    codes, texts = _factorized(values)
    return _Texts(codes, list(texts), values, missing_values).categories()


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
        stripped = [text.strip() for text in texts]
        words = {text for text in stripped if text in MISSING_WORDS or text in missing_values}
        if set(stripped) - words == {"+"} and "-" not in missing_values:
            words.discard("-")
        self.notes: list[str] = []
        rows: dict[str, int] = {}
        for text, count in zip(stripped, counts.tolist(), strict=True):
            if text in words:
                rows[text] = rows.get(text, 0) + count
        if rows:
            words_read = ", ".join(f"{text!r} ({_rows(n)})" for text, n in sorted(rows.items()))
            self.notes.append(f"{words_read} read as missing")
        self.texts = [text for text in dict.fromkeys(stripped) if text not in words]
        position = {text: k for k, text in enumerate(self.texts)}
        places = np.array([*(position.get(text, -1) for text in stripped), -1], dtype=np.intp)
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
            return self._as_numbers(float)
        for read in (self._dates, self._times, self._formatted):
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

    def _as_numbers(self, number: Callable[[str], float], *notes: str) -> Column:
        numbers = np.array([*map(number, self.texts), np.nan])[self.codes]
        like = pd.Series(index=self.index, name=self.name, dtype=np.float64)
        return Column(_numbers(numbers, like), "number", (*self.notes, *notes))

    def _dates(self) -> Column | None:
        """Return dates as numbers, None if the texts are no dates."""
        if all(ISO_DATE.fullmatch(text) for text in self.texts):
            try:
                dates = pd.to_datetime(pd.Series([*self.texts, None]), format="ISO8601", utc=True)
            except ValueError as error:
                raise InputError(f"column {self.name!r}: expected dates, but {error}") from None
            like = pd.Series(index=self.index, name=self.name, dtype=np.float64)
            found = _dates(like, pd.DatetimeIndex(dates.iloc[self.codes]))
            return Column(found.values, found.kind, (*self.notes, *found.notes))
        other = [text for text in self.texts if OTHER_DATE.fullmatch(text)]
        if len(other) > max(1, NEARLY_ALL * len(self.texts)):
            raise InputError(
                f"column {self.name!r}: dates such as {other[0]!r} cannot be read with certainty; "
                f"write them as 2026-01-31, or exclude the column (--drop {self.name})"
            )
        return None

    def _times(self) -> Column | None:
        """Return times of the day as hours, None if the texts are no times."""
        form = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")
        if not all(form.fullmatch(text) for text in self.texts):
            return None

        def hours(text: str) -> float:
            parts = [*map(float, text.split(":")), 0.0]
            return parts[0] + parts[1] / 60 + parts[2] / 3600

        return self._as_numbers(hours, f"times such as {self.texts[0]!r}, as hours")

    def _formatted(self) -> Column | None:
        """Return numbers with currency signs and separators, None if the texts are not all such."""
        bare = [CURRENCY.sub(lambda m: m["sign"] or "", text) for text in self.texts]
        units = [text for text, plain in zip(self.texts, bare, strict=True) if plain != text]
        notes = [f"numbers with a unit, such as {units[0]!r}"] if units else []
        if units and any("%" in text for text in units) and len(units) < len(self.texts):
            return None
        if units and all(NUMBER.fullmatch(text) for text in bare):
            plain = dict(zip(self.texts, bare, strict=True))
            return self._as_numbers(lambda text: float(plain[text]), *notes)
        for separator, form in GROUPED.items():
            grouped = [text for text in bare if form.fullmatch(text)]
            decimal = "," if separator == "." else "."
            rest = DECIMAL_COMMA if separator == "." else NUMBER
            if grouped and all(form.fullmatch(text) or rest.fullmatch(text) for text in bare):
                name = "' '" if separator == " " else repr(separator)
                notes.append(f"numbers with {name} between thousands, such as {grouped[0]!r}")
                return self._separated(bare, separator, decimal, notes)
        if all(DECIMAL_COMMA.fullmatch(text) for text in bare):
            example = next(text for text in bare if "," in text)
            notes.append(f"numbers with a decimal comma, such as {example!r}")
            return self._separated(bare, "", ",", notes)
        return None

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
        """Raise if a column of many numbers has some words among them; note a few numbers."""
        like_numbers = [
            is_number or any(form.fullmatch(text) for form in GROUPED.values())
            for text, is_number in zip(self.texts, numeric, strict=True)
        ]
        count = sum(like_numbers)
        if count < MANY_NUMBERS or 2 * count < len(self.texts):
            return
        words = [k for k, is_number in enumerate(like_numbers) if not is_number]
        words.sort(key=lambda k: -int(self.counts[k]))
        named = ", ".join(
            f"{self.texts[k]!r} ({_rows(int(self.counts[k]))})" for k in words[:SHOWN]
        )
        more = f" and {len(words) - SHOWN:,} others" if len(words) > SHOWN else ""
        raise InputError(
            f"column {self.name!r}: {count:,} of its {len(self.texts):,} different values are "
            f"numbers, but not {named}{more}; name these as missing "
            f"(--missing-values {','.join(self.texts[k] for k in words[:SHOWN])}), correct them, or "
            f"exclude the column (--drop {self.name})"
        )


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"
