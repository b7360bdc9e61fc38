"""The values that a setting takes in a study: checked, and of the setting's type."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from grad_ext.errors import InputError, unknown
from grad_ext.training.settings import Settings, checked_lambda

# The range of the paper's Figure 2, in the 1-2-5 series of a log axis.
LAMBDAS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
# What a study can vary beside the settings: λ, the division of the rows, and the units of every
# layer at once.
TYPES: Mapping[str, Any] = {
    "lam": float,
    "hidden": int,
    "split_seed": int,
    **get_type_hints(Settings),
}
ONCE = ("trunk", "branch")
EXPECTED = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a name",
    tuple[int, ...]: "whole numbers such as 40x40",
    tuple[float, ...]: "numbers such as 50x1, or none",
}
TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Range:
    """Numbers to search between.

    Attributes
    ----------
    low, high : float or int
        The ends, both included.
    log : bool
        Whether the search is in powers of ten.
    """

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}{':log' if self.log else ''}"


# What a setting takes: one value after another, or any of a range.
Values = tuple[Any, ...] | Range


def value(name: str, given: object) -> Any:
    """Return a value of a setting in the setting's type; a text stands for what it spells.

    Parameters
    ----------
    name : str
        A setting, ``lam``, ``hidden`` or ``split_seed``.
    given : object
        The value, or a text such as '0.1', 'true', '40x40' (units of two layers) or 'none'.

    Raises
    ------
    InputError
        If there is no such setting, or the value is not of its type.

    Examples
    --------
    >>> from grad_ext.sweeps.studies.values import value
    >>> value("trunk", "40x20"), value("dropout", 0), value("balance_groups", "true")
    ((40, 20), 0.0, True)
    """
    if name not in TYPES:
        raise unknown("setting", name, TYPES)
    kind = TYPES[name]
    found: Any = _spelled(kind, given) if isinstance(given, str) else given
    if kind is float and type(found) is int:
        found = float(found)
    if kind in (tuple[int, ...], tuple[float, ...]):
        found = _numbers(kind, found)
    elif type(found) is not kind or (kind is float and not math.isfinite(found)):
        found = None
    if found is None:
        raise InputError(f"{name} must be {EXPECTED[kind]}, got {given!r}")
    if name == "lam":
        return checked_lambda(found)
    least = {"hidden": 1, "split_seed": 0}.get(name)
    if least is not None and found < least:
        raise InputError(f"{name} must be at least {least}, got {found}")
    return found


def _spelled(kind: Any, text: str) -> object:
    text = text.strip()
    if kind is str:
        return text
    if kind is bool:
        return TRUTH.get(text.lower())
    parts = [] if text.lower() == "none" else text.split("x")
    try:
        if kind in (int, float):
            return kind(text)
        return [(int if kind == tuple[int, ...] else float)(part) for part in parts]
    except ValueError:
        return None


def _numbers(kind: Any, found: object) -> tuple[Any, ...] | None:
    if not isinstance(found, Sequence) or isinstance(found, str):
        return None
    if any(isinstance(item, bool) or not isinstance(item, (int, float)) for item in found):
        return None
    if kind == tuple[float, ...]:
        return tuple(float(item) for item in found)
    whole = all(isinstance(item, int) and item >= 1 for item in found)
    return tuple(found) if whole and found else None


def values(name: str, given: object) -> Values:
    """Return what a setting is to take: a value or several, or a range such as '1:1000:log'.

    Raises
    ------
    InputError
        If there are none, or one does not fit.

    Examples
    --------
    >>> from grad_ext.sweeps.studies.values import values
    >>> values("lam", [1, 10]), values("epochs", 5), str(values("lam", "1:1000:log"))
    ((1.0, 10.0), (5,), '1:1000:log')
    """
    if name not in TYPES:
        raise unknown("setting", name, TYPES)
    if isinstance(given, Range):
        return given
    if isinstance(given, str) and ":" in given and TYPES[name] in (int, float):
        return _range(name, given)
    if not isinstance(given, (list, tuple)):
        given = [given]
    elif TYPES[name] in (tuple[int, ...], tuple[float, ...]) and all(
        isinstance(item, (int, float)) for item in given
    ):
        raise InputError(f"{name}: expected a list of lists such as [[40, 40], [80]], got {given}")
    if not given:
        raise InputError(f"{name}: expected at least one value, got none")
    return tuple(dict.fromkeys(value(name, item) for item in given))


def _range(name: str, text: str) -> Range:
    parts = text.split(":")
    if len(parts) not in (2, 3) or parts[2:] not in ([], ["log"]):
        raise InputError(f"{name}: expected a range such as 1:100 or 1:100:log, got {text!r}")
    low, high = value(name, parts[0]), value(name, parts[1])
    log = len(parts) == 3
    if not low < high or (log and low <= 0):
        above = " and above 0" if log else ""
        raise InputError(f"{name}: expected a range from low to high{above}, got {text!r}")
    return Range(low, high, log)


def assignments(texts: Sequence[str]) -> dict[str, object]:
    """Return what texts such as 'lam=1,10' assign, the values still as texts.

    Raises
    ------
    InputError
        If a text is no assignment, or a name comes twice.
    """
    found: dict[str, object] = {}
    for text in texts:
        name, sign, listed = (part.strip() for part in text.partition("="))
        if not sign or not listed:
            raise InputError(f"--set: expected something like lam=1,10,100, got {text!r}")
        if name in found:
            raise InputError(f"--set: {name} is given twice")
        parts = [part.strip() for part in listed.split(",") if part.strip()]
        found[name] = parts if ":" not in listed else listed
    return found


def parse_lambdas(text: str) -> tuple[float, ...]:
    """Return the λ in a comma-separated list.

    Raises
    ------
    InputError
        If the list is empty, or one of them is not a number of at least 0.
    """
    found = tuple(checked_lambda(part.strip()) for part in text.split(",") if part.strip())
    if not found:
        raise InputError(f"expected numbers separated by commas, such as 1,10,100, got {text!r}")
    return found


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Return settings, of which ``hidden`` stands for the units of every layer.

    Raises
    ------
    InputError
        If a value does not fit, or `hidden` comes with what it stands for.
    """
    plain = {name: one for name, one in given.items() if name != "hidden"}
    made = Settings(**plain)
    if "hidden" not in given:
        return made
    for name in ONCE:
        if name in plain:
            raise InputError(f"hidden is the units of trunk and branch: leave out {name}")
    units = given["hidden"]
    return replace(made, trunk=(units,) * len(made.trunk), branch=(units,) * len(made.branch))
