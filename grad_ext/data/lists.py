"""Lists of names as text, as only the command line writes them.

`listed` splits such a text and `joined` writes one; both follow CSV, so a name that holds a comma
stands in double quotes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import overload

from grad_ext.errors import InputError


@overload
def listed(text: str) -> list[str]: ...


@overload
def listed(text: None) -> None: ...


def listed(text: str | None) -> list[str] | None:
    """Return the parts of a text with commas, or None if there is no text.

    Parameters
    ----------
    text : str or None
        Parts separated by commas. A part that holds a comma stands in double quotes, as in CSV.
        Blanks around a part and empty parts are dropped.

    Raises
    ------
    InputError
        If the text is not a line of CSV.

    Examples
    --------
    >>> from grad_ext.data.lists import listed
    >>> listed('age, "income, monthly"')
    ['age', 'income, monthly']
    """
    if text is None:
        return None
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise InputError(f"expected names separated by commas, got {text!r}: {error}") from None
    return [part.strip() for row in rows for part in row if part.strip()]


def joined(names: Sequence[str]) -> str:
    """Return names as the text that `listed` splits again.

    Examples
    --------
    >>> from grad_ext.data.lists import joined
    >>> joined(["age", "sex"]), joined(["age", "income, monthly"])
    ('age,sex', 'age,"income, monthly"')
    """
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    writer.writerow(names)
    return line.getvalue().removesuffix(writer.dialect.lineterminator)
