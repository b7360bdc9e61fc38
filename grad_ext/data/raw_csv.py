"""Published CSV files with known columns, read as text and checked column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import pandas as pd

from grad_ext.errors import InputError


def text_frame(name: str, content: bytes, columns: Sequence[str], sep: str = ",") -> pd.DataFrame:
    """Return columns of a file as text, in the given order; blanks stay empty texts.

    Parameters
    ----------
    name : str
        The file's name, for messages.
    content : bytes
        The file's content, with a line of names.
    columns : sequence of str
        The columns to read.
    sep : str
        The separator.

    Raises
    ------
    InputError
        If it is no such file; the message has all missing columns.
    """
    wanted = set(columns)
    try:
        # Others are not parsed: a census file has hundreds.
        frame = pd.read_csv(
            BytesIO(content),
            dtype=str,
            keep_default_na=False,
            sep=sep,
            usecols=lambda column: column in wanted,
        )
    except ValueError as error:
        raise InputError(f"{name}: cannot be read as CSV ({error})") from None
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(map(repr, missing))}; is it the published file?"
        )
    return frame[list(columns)]


def numbers(name: str, column: pd.Series, blank: Sequence[str] = ()) -> pd.Series:
    """Return a column of text as numbers: whole ones as integers, `blank` as missing.

    Raises
    ------
    InputError
        If a value is no number.
    """
    text = column.str.strip()
    known = ~text.isin(list(blank))
    values = pd.to_numeric(text.where(known), errors="coerce")
    wrong = known & values.isna()
    if wrong.any():
        raise InputError(
            f"{name}: column {column.name!r}: expected numbers, got {column[wrong].iloc[0]!r}"
        )
    whole = known.all() and (values == values.round()).all()
    return values.astype("int64") if whole else values.astype("float64")


def named(name: str, column: pd.Series, names: Mapping[str, str]) -> pd.Series:
    """Return a column of codes as their names.

    Raises
    ------
    InputError
        If a code has no name.
    """
    text = column.str.strip()
    other = ~text.isin(list(names))
    if other.any():
        raise InputError(
            f"{name}: column {column.name!r}: expected {', '.join(map(repr, names))}, got "
            f"{column[other].iloc[0]!r}"
        )
    return text.map(dict(names)).astype(object)
