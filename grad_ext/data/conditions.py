"""Conditions on columns, the same for labels and protected attributes: ``age>=25``, ``sex=Male``.

    age                 the column itself
    age>25, age<=60     numbers on one side of a bound
    25<=age<60          numbers between two bounds
    sex=Male            a value
    band=mid|old        one of several values

A column whose name holds such a sign is meant by its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.scalars import NUMBER, shown, spelling
from grad_ext.data.values import read_column
from grad_ext.errors import InputError, unknown

SIGN = re.compile(r"<=|>=|==|<|>|=")
BOUND_BEFORE = re.compile(
    rf"\s*(?P<number>{NUMBER.pattern})\s*(?P<sign><=|>=|<|>)\s*", NUMBER.flags
)
BOUND_AFTER = re.compile(r"\s*(?P<sign><=|>=|<|>)\s*(?P<number>.*)", re.DOTALL)
VALUES = re.compile(r"\s*==?\s*(?P<values>.*)", re.DOTALL)
# A bound before the column is the same bound after it, with the sign turned round.
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Interval:
    """Numbers between bounds, each of which may belong to it.

    Attributes
    ----------
    above, at_least : float, optional
        The lower bound; numbers are greater, or at least as great.
    below, at_most : float, optional
        The upper bound.

    Raises
    ------
    InputError
        If it has two lower or two upper bounds, or no number is in it.
    """

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        lower = [b for b in (self.above, self.at_least) if b is not None]
        upper = [b for b in (self.below, self.at_most) if b is not None]
        closed = self.at_least is not None and self.at_most is not None
        if len(lower) > 1 or len(upper) > 1 or not lower + upper:
            raise InputError(
                f"expected one lower bound, one upper bound or one of each, got {self}"
            )
        if lower and upper and not (lower[0] < upper[0] or (closed and lower == upper)):
            raise InputError(f"expected a lower bound below the upper one, got {self}")

    @classmethod
    def of(cls, bounds: Iterable[tuple[str, float]]) -> Interval:
        """Return the interval of signs and bounds, such as (">=", 25)."""
        names = {">": "above", ">=": "at_least", "<": "below", "<=": "at_most"}
        given: dict[str, float] = {}
        for sign, bound in bounds:
            if names[sign] in given:
                raise InputError(
                    f"expected one lower and one upper bound, got {sign}{bound:g} twice"
                )
            given[names[sign]] = bound
        return cls(**given)

    def contains(self, numbers: pd.Series) -> NDArray[np.bool_]:
        """Return whether each number is in it, shape (N,); missing ones are not."""
        values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        inside: NDArray[np.bool_] = ~np.isnan(values)
        for bound, compare in (
            (self.above, np.greater),
            (self.at_least, np.greater_equal),
            (self.below, np.less),
            (self.at_most, np.less_equal),
        ):
            if bound is not None:
                inside &= compare(values, bound)
        return inside

    def text(self, column: str) -> str:
        """Return it as a condition on a column.

        Examples
        --------
        >>> from grad_ext.data.conditions import Interval
        >>> Interval(at_least=25, below=60).text("age")
        '25<=age<60'
        """
        lower = [(self.above, "<"), (self.at_least, "<=")]
        upper = [(self.below, "<"), (self.at_most, "<=")]
        low, high = (
            [(value_text(float(b)), sign) for b, sign in side if b is not None]
            for side in (lower, upper)
        )
        if low and high:
            return f"{low[0][0]}{low[0][1]}{column}{high[0][1]}{high[0][0]}"
        if low:
            return f"{column}{TURNED[low[0][1]]}{low[0][0]}"
        return f"{column}{high[0][1]}{high[0][0]}"


@dataclass(frozen=True)
class Condition:
    """A condition on a column, or the column itself.

    Attributes
    ----------
    text : str
        The condition as it is written.
    column : str
        The column.
    interval : Interval, optional
        The numbers that meet it.
    values : str, optional
        The values that meet it, joined by ``|``.
    """

    text: str
    column: str
    interval: Interval | None = None
    values: str | None = None


def parse_condition(text: str, columns: Collection[str]) -> Condition:
    """Return the condition that a text is, given the names of the columns.

    Raises
    ------
    InputError
        If it names none of the columns, or a bound is no number.

    Examples
    --------
    >>> from grad_ext.data.conditions import parse_condition
    >>> parse_condition("25<=age<60", ["age", "sex"]).interval
    Interval(above=None, at_least=25.0, below=60.0, at_most=None)
    >>> parse_condition("a=b", ["a", "a=b"]).column
    'a=b'
    """
    if not isinstance(text, str):
        raise InputError(f"expected the name of a column or a condition, got {text!r}")
    if text in columns:
        return Condition(text, text)
    bare = text.strip()
    before = BOUND_BEFORE.match(bare)
    # The longest name first: 'age' must not hide 'age>group'.
    for column in sorted(columns, key=len, reverse=True):
        for bound in (None, before):
            start = 0 if bound is None else bound.end()
            if column and bare.startswith(column, start):
                rest = bare[start + len(column) :]
                found = _with_rest(text, column, bound, rest)
                if found is not None:
                    return found
    named = bare[before.end() :] if before else bare
    sign = SIGN.search(named)
    name = named[: sign.start()].strip() if sign else named
    if name in columns:
        raise InputError(
            f"{text!r}: expected a condition such as age>=25, 25<=age<60, sex=Male or band=mid|old"
        )
    raise unknown("column", name, columns)


def _with_rest(text: str, column: str, before: re.Match[str] | None, rest: str) -> Condition | None:
    """Return the condition with a bound before the column and the rest after it, if it is one."""
    bounds = [] if before is None else [(TURNED[before["sign"]], _number(before["number"], text))]
    if not rest.strip():
        return Condition(text, column, _between(bounds, text) if bounds else None)
    values, after = VALUES.fullmatch(rest), BOUND_AFTER.fullmatch(rest)
    if values is not None and before is None:
        return Condition(text, column, values=values["values"].strip())
    if after is None:
        return None
    bounds.append((after["sign"], _number(after["number"], text)))
    return Condition(text, column, _between(bounds, text))


def _between(bounds: Sequence[tuple[str, float]], condition: str) -> Interval:
    try:
        return Interval.of(bounds)
    except InputError as error:
        raise InputError(f"{condition!r}: {error}") from None


def _number(text: str, condition: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{condition!r}: expected a finite number as the bound, got {text!r}")
    return number


def parse_interval(text: object) -> Interval | None:
    """Return the interval of a bound such as '>=10'; None for anything else.

    Examples
    --------
    >>> from grad_ext.data.conditions import parse_interval
    >>> parse_interval(">35"), parse_interval(">50K")
    (Interval(above=35.0, at_least=None, below=None, at_most=None), None)
    """
    match = BOUND_AFTER.fullmatch(text) if isinstance(text, str) else None
    if match is None or NUMBER.fullmatch(match["number"].strip()) is None:
        return None
    return Interval.of([(match["sign"], _number(match["number"].strip(), str(text)))])


def distinct_values(column: pd.Series) -> list[Any]:
    """Return a column's different values as Python's types, sorted."""
    values = pd.unique(column.dropna().astype(object)).tolist()
    return sorted(values, key=lambda v: (str(type(v)), v))


def value_text(value: Any) -> str:
    """Return a value as a message or a table names it: 1.0 as '1'."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def several(wanted: Any) -> tuple[Any, ...]:
    """Return one value or several as a tuple; an empty one for None."""
    if wanted is None:
        return ()
    if isinstance(wanted, (np.ndarray, pd.Series, pd.Index)):
        return tuple(wanted.tolist())
    return tuple(wanted) if isinstance(wanted, (list, tuple, set, frozenset)) else (wanted,)


def matching_values(wanted: Any, values: Sequence[Any], column: str) -> tuple[Hashable, ...]:
    """Return which of a column's values are wanted.

    Parameters
    ----------
    wanted : object
        A value, its text, several texts joined by ``|``, or a list of these. Spellings that differ
        by case, blanks and a final dot are one.
    values : sequence
        The column's different values.
    column : str
        Name of the column, for the message.

    Raises
    ------
    InputError
        If one of them is not among the values.
    """
    found: list[Hashable] = []
    for value in several(wanted):
        whole = _same(value, values)
        if not whole and isinstance(value, str) and "|" in value:
            parts = [(text, _same(text, values)) for text in value.split("|")]
        else:
            parts = [(value, whole)]
        for text, same in parts:
            if not same:
                raise InputError(
                    f"{column!r} has no value {text!r}; its values are {shown(values)}"
                )
            found += same
    return tuple(dict.fromkeys(found))


def _same(value: Any, values: Sequence[Any]) -> list[Hashable]:
    """Return the values that are one, or have its text, its spelling or its number."""
    exact = [v for v in values if v == value or str(v) == str(value)]
    if not exact and isinstance(value, str):
        exact = [v for v in values if isinstance(v, str) and spelling(v) == spelling(value)]
    if exact:
        return exact
    others = [v for v in values if not isinstance(v, str)]
    try:
        # As a column reads it: '1,000', '5 %', '2020-01-31', 'true'.
        read = read_column(pd.Series([value], dtype=object))
    except InputError:
        return []
    present = read.values.dropna()
    if read.kind == "category" or not len(present):
        try:
            return [v for v in others if float(v) == float(value)]
        except (TypeError, ValueError):
            return []
    return [v for v in others if float(v) == float(present.iloc[0])]
