"""Values of the settings that a study varies: checked, and converted to the setting's type."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_type_hints

from grad_ext import checks
from grad_ext.errors import InputError, unknown
from grad_ext.training.settings import Settings

# The range of the paper's Figure 2, as a 1-2-5 series.
LAMBDAS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
# The range over which λ moves the gap with the recipe 'smooth': from the plain network to beyond chance.
SMOOTH_LAMBDAS = (0.0, 2.0, 5.0, 10.0, 20.0, 35.0, 50.0, 100.0, 200.0, 400.0)
# A study can also vary λ, the seed of the train/test split, and the units of every layer at once.
TYPES: Mapping[str, Any] = {
    "lam": float,
    "hidden": int,
    "split_seed": int,
    **get_type_hints(Settings),
}
# More of them than any study trains.
MOST_SEEDS = 1_000_000
LAYERS = ("trunk", "branch")
EXPECTED = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a name",
    tuple[int, ...]: "whole numbers such as 40x40",
    tuple[float, ...]: "numbers such as 50x1, or none",
}
TRUTH = {"true": True, "false": False}


def default_lambdas(recipes: Iterable[str], variants: Iterable[str]) -> tuple[float, ...]:
    """Return the values of λ that a study has by default: those of all its recipes together.

    With 'smooth' they are `SMOOTH_LAMBDAS`, except for GRAD-Auto, whose λ saturates as with 'steady'.
    """
    ranges = [
        SMOOTH_LAMBDAS if (recipe, variant) == ("smooth", "pred") else LAMBDAS
        for recipe, variant in product(recipes, tuple(variants))
    ]
    return tuple(sorted({lam for lams in ranges for lam in lams}))


@dataclass(frozen=True)
class Range:
    """A range to search.

    Attributes
    ----------
    low, high : float or int
        The ends, both included.
    log : bool
        Whether to search on a logarithmic scale.
    """

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}{':log' if self.log else ''}"


# The values of a setting, or a range of them.
Values = tuple[Any, ...] | Range


def value(name: str, given: object) -> Any:
    """Return a value converted to the type of its setting; a text is parsed.

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
    converted: Any = _parsed(kind, given) if isinstance(given, str) else given
    if kind is float and type(converted) is int:
        converted = float(converted)
    if kind in (tuple[int, ...], tuple[float, ...]):
        converted = _numbers(kind, converted)
    elif type(converted) is not kind or (kind is float and not math.isfinite(converted)):
        converted = None
    if converted is None:
        raise InputError(f"{name} must be {EXPECTED[kind]}, got {given!r}")
    if name == "lam":
        return checks.lam(converted)
    least = {"hidden": 1, "split_seed": 0}.get(name)
    if least is not None and converted < least:
        raise InputError(f"{name} must be at least {least}, got {converted}")
    return converted


def _parsed(kind: Any, text: str) -> object:
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


def _numbers(kind: Any, items: object) -> tuple[Any, ...] | None:
    if not isinstance(items, Sequence) or isinstance(items, str):
        return None
    if any(isinstance(item, bool) or not isinstance(item, (int, float)) for item in items):
        return None
    if kind == tuple[float, ...]:
        return tuple(float(item) for item in items)
    whole = all(isinstance(item, int) and item >= 1 for item in items)
    return tuple(items) if whole and items else None


def values(name: str, given: object) -> Values:
    """Return the values of a setting, given one or several, or a range such as '1:1000:log'.

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
    """Return the assignments in texts such as 'lam=1,10', with their values as text.

    Raises
    ------
    InputError
        If a text is not an assignment, or a name occurs twice.
    """
    assigned: dict[str, object] = {}
    for text in texts:
        name, sign, listed = (part.strip() for part in text.partition("="))
        if not sign or not listed:
            raise InputError(f"--set: expected something like lam=1,10,100, got {text!r}")
        if name in assigned:
            raise InputError(f"--set: {name} is given twice")
        parts = [part.strip() for part in listed.split(",") if part.strip()]
        assigned[name] = parts if ":" not in listed else listed
    return assigned


def parse_lambdas(text: str) -> tuple[float, ...]:
    """Return the values of λ in a text with commas.

    Raises
    ------
    InputError
        If the list is empty, or one of them is not a number of at least 0.
    """
    lams = tuple(checks.lam(part.strip()) for part in text.split(",") if part.strip())
    if not lams:
        raise InputError(f"expected numbers separated by commas, such as 1,10,100, got {text!r}")
    return lams


def checked_seeds(given: object) -> tuple[int, ...]:
    """Return seeds, of which the number or a list is given, in order and each of them once.

    Raises
    ------
    InputError
        If there is none, one is not a whole number of at least 0, or they are too many.
    """
    if type(given) is int:
        checks.whole("seeds", given, 1)
        given = range(given)
    if isinstance(given, range) and len(given) > MOST_SEEDS:
        raise InputError(f"seeds: expected at most {MOST_SEEDS:,}, got {len(given):,}")
    if not isinstance(given, (list, tuple, range)):
        raise InputError(f"seeds: expected how many, or a list of them, got {given!r}")
    if not given:
        raise InputError("expected at least one seed, got none")
    for seed in given:
        checks.whole("seed", seed, 0)
    return tuple(sorted({*given}))


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Return settings by name, where ``hidden`` sets the units of every layer.

    Raises
    ------
    InputError
        If a value does not fit, or ``hidden`` is given with ``trunk`` or ``branch``.
    """
    plain = {name: one for name, one in given.items() if name != "hidden"}
    settings = Settings(**plain)
    if "hidden" not in given:
        return settings
    for name in LAYERS:
        if name in plain:
            raise InputError(f"hidden is the units of trunk and branch: leave out {name}")
    units = given["hidden"]
    return replace(
        settings,
        trunk=(units,) * len(settings.trunk),
        branch=(units,) * len(settings.branch),
    )
