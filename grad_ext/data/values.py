"""Columns read by their values: the one reader of a user's columns, whatever their type or container.

The same content is read the same: the texts of a file, numbers in a column of objects, Decimals,
Arrow's and pandas' nullable types, dates and categories. What is written otherwise than it is read
(a missing value as "?", "1,200" for a number, two spellings of one value) is listed in notes; what
cannot be read with certainty raises an error that names the values and the remedy.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.scalars import (
    DURATIONS,
    LONG_NUMBERS,
    NEARLY_ALL,
    Column,
    boolean_column,
    date_column,
    days_of,
    duration_in_days,
    factorized,
    float_of,
    in_days,
    not_exact,
    number_column,
    number_values,
    shown,
    text_of,
)
from grad_ext.data.texts import categories_of, column_of
from grad_ext.errors import InputError

# From so many rows on, values that differ in nearly every row are those of an identifier.
MANY_ROWS = 50


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
    missing_values = frozenset(map(text_of, missing_values))
    if isinstance(values.dtype, pd.CategoricalDtype):
        # Categories were declared as such, also if they are numbers.
        return categories_of(values, missing_values)
    if pd.api.types.is_complex_dtype(values.dtype):
        raise InputError(f"column {values.name!r}: expected numbers or text, got complex numbers")
    if pd.api.types.is_bool_dtype(values.dtype):
        return boolean_column(values)
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        if not_exact(numbers) and values.nunique() > len(np.unique(numbers[~np.isnan(numbers)])):
            return _long_numbers(values, missing_values)
        return number_column(numbers, values, missing_values)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        dates = pd.DatetimeIndex(values)
        dates = dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)
        return date_column(in_days(dates.to_numpy(), "datetime64[us]"), values, missing_values)
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        days = in_days(pd.TimedeltaIndex(values).to_numpy(), "timedelta64[us]")
        return Column(number_values(days, values), "number", (DURATIONS,))
    if isinstance(values.dtype, pd.PeriodDtype):
        dates = pd.PeriodIndex(values).to_timestamp()
        return date_column(in_days(dates.to_numpy(), "datetime64[us]"), values, missing_values)
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


def category_texts(values: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    """Return values as texts: for each row the position of its text, -1 where missing, and the texts.

    Raises
    ------
    InputError
        If a value has no text of its own, such as a list.
    """
    codes, distinct = factorized(values.astype(object))
    return codes, [text_of(value) for value in distinct]


def _objects(values: pd.Series, missing_values: Collection[str]) -> Column:
    codes, distinct = factorized(values)
    if not len(distinct) or all(isinstance(value, str) for value in distinct):
        return column_of(codes, list(distinct), values, missing_values)
    if all(isinstance(value, (bool, np.bool_)) for value in distinct):
        return boolean_column(values)
    if all(isinstance(value, (Real, Decimal, np.bool_)) for value in distinct):
        floats = [float_of(value, values.name) for value in distinct]
        if not_exact(np.array(floats)) and len(set(floats)) < len(set(distinct)):
            return _long_numbers(values, missing_values)
        return number_column(np.array([*floats, np.nan])[codes], values, missing_values)
    if all(isinstance(value, (datetime.date, np.datetime64)) for value in distinct):
        days = np.array([*map(days_of, distinct), np.nan])[codes]
        return date_column(days, values, missing_values)
    if all(isinstance(value, (datetime.timedelta, np.timedelta64)) for value in distinct):
        days = np.array([*map(duration_in_days, distinct), np.nan])[codes]
        return Column(number_values(days, values), "number", (DURATIONS,))
    try:
        texts = [text_of(value) for value in distinct]
    except InputError as error:
        raise InputError(f"column {values.name!r}: {error}") from None
    return column_of(codes, texts, values, missing_values)


def _long_numbers(values: pd.Series, missing_values: Collection[str]) -> Column:
    """Return whole numbers as categories, since double precision takes some of them for equal."""
    column = categories_of(values, missing_values)
    return Column(column.values, column.kind, (*column.notes, LONG_NUMBERS))
