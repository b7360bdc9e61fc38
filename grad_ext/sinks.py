"""Make text of data safe where it is shown or written: terminals, log files and CSV.

Names and values of data can hold anything: escape sequences that a terminal would run, and formulas that
a spreadsheet would.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Control characters but newline and tab, those that change the direction of text, other ends of lines,
# and surrogates, which cannot be encoded.
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# What spreadsheets take for a formula; also after the apostrophes that `defused` writes.
FORMULA = re.compile(r"'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]inf")


def printable(text: str) -> str:
    r"""Return a text with what a terminal would run replaced by Python's escapes.

    Examples
    --------
    >>> from grad_ext.sinks import printable
    >>> print(printable("age\x1b[31m"))
    age\x1b[31m
    """
    return UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


def printable_json(text: str) -> str:
    """Return JSON of the same value, with what a terminal would run replaced by JSON's escapes."""
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def defused(cell: Any) -> Any:
    """Return a cell of CSV, with an apostrophe before text that a spreadsheet would run.

    Numbers, also those written as text, stay. `restored` undoes it.

    Examples
    --------
    >>> from grad_ext.sinks import defused
    >>> defused("=1+1"), defused("-1.5"), defused("age")
    ("'=1+1", '-1.5', 'age')
    """
    runs = isinstance(cell, str) and FORMULA.match(cell) and not NUMBER.fullmatch(cell)
    return f"'{cell}" if runs else cell


def restored(cell: Any) -> Any:
    """Return what a cell was before `defused`."""
    return cell[1:] if isinstance(cell, str) and re.match("'" + FORMULA.pattern, cell) else cell


def to_csv(frame: pd.DataFrame, file: IO[bytes] | None = None, header: bool = True) -> str:
    """Return a frame as CSV without its index, in which no spreadsheet finds a formula.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    file : binary file, optional
        Write it there, as UTF-8, and return an empty text.
    header : bool, default True
        Whether to begin with the names of the columns.
    """
    safe = frame.copy(deep=False)
    for place, kind in enumerate(frame.dtypes):
        if getattr(kind, "kind", "O") not in "biufcmM":
            column = frame.iloc[:, place].astype(object)
            safe.isetitem(place, column.map(defused, na_action="ignore").array)
    safe.columns = [defused(name) for name in frame.columns]
    if file is None:
        return str(safe.to_csv(index=False, header=header, lineterminator="\n"))
    safe.to_csv(file, index=False, header=header, encoding="utf-8", lineterminator="\n")
    return ""


def read_csv(path: Path) -> pd.DataFrame:
    """Return a frame that `to_csv` wrote, with the text that it had; empty cells are missing.

    Raises
    ------
    ValueError
        If the file is not CSV.
    """
    import pandas as pd

    frame = pd.read_csv(path, keep_default_na=False, na_values=[""], float_precision="round_trip")
    for place, kind in enumerate(frame.dtypes):
        if getattr(kind, "kind", "O") not in "biufcmM":
            column = frame.iloc[:, place]
            frame.isetitem(place, column.map(restored).array)
    frame.columns = [restored(name) for name in frame.columns]
    return frame
