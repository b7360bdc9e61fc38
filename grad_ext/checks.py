"""Validators of single values: whole numbers, numbers, flags, names and weights.

Each returns the value as Python's own type, or raises an `InputError` with its name, the expected
and the actual value. numpy's scalars are accepted like Python's.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from grad_ext.errors import InputError, unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_whole(value: object, least: float = -math.inf) -> bool:
    """Return whether a value is a whole number (not a bool) of at least `least`."""
    return (
        isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least
    )


def whole(name: str, value: object, least: float = -math.inf) -> int:
    """Return a whole number as an int.

    Raises
    ------
    InputError
        If it is not a whole number, or below `least`.
    """
    if not is_whole(value, least):
        bound = f" of at least {least}" if least > -math.inf else ""
        raise InputError(f"{name} must be a whole number{bound}, got {value!r}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def is_number(value: object) -> bool:
    """Return whether a value is a finite real number (not a bool)."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def number(
    name: str, value: object, expected: str = "", fits: Callable[[float], bool] = lambda x: True
) -> float:
    """Return a finite real number as a float.

    Parameters
    ----------
    name : str
        Name in the error message.
    value : object
        The value to check.
    expected : str, optional
        The range in words, such as 'above 0'.
    fits : callable, optional
        Returns whether a number is in that range.

    Raises
    ------
    InputError
        If it is not a finite number, or not in the range.
    """
    if not is_number(value) or not fits(float(value)):  # type: ignore[arg-type]
        raise InputError(f"{name} must be a number{expected and ' '}{expected}, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def at_least_0(name: str, value: object) -> float:
    """Return a finite number of at least 0; raises as `number`."""
    return number(name, value, "of at least 0", lambda x: x >= 0.0)


def above_0(name: str, value: object) -> float:
    """Return a finite number above 0; raises as `number`."""
    return number(name, value, "above 0", lambda x: x > 0.0)


def share(name: str, value: object) -> float:
    """Return a number of at least 0 and below 1; raises as `number`."""
    return number(name, value, "of at least 0 and below 1", lambda x: 0.0 <= x < 1.0)


def between_0_and_1(name: str, value: object) -> float:
    """Return a number above 0 and below 1; raises as `number`."""
    return number(name, value, "between 0 and 1", lambda x: 0.0 < x < 1.0)


def flag(name: str, value: object) -> bool:
    """Return a bool, also for one of numpy's.

    Raises
    ------
    InputError
        If it is not a bool.
    """
    # No isinstance of numpy's type, since this module loads without numpy.
    of_numpy = getattr(value, "dtype", None) == "bool" and getattr(value, "shape", None) == ()
    if not isinstance(value, bool) and not of_numpy:
        raise InputError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def choice(name: str, value: object, known: Iterable[str]) -> str:
    """Return a name that is one of the known names.

    Raises
    ------
    InputError
        If it is not one of them; the message has the nearest ones.
    """
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise unknown(name, value, names)
    return value


def whole_numbers(name: str, value: object, least: int = 1) -> tuple[int, ...]:
    """Return a sequence of whole numbers as a tuple.

    Raises
    ------
    InputError
        If it is not a sequence of whole numbers, or one is below `least`.
    """
    if not is_sequence(value) or not all(is_whole(one, least) for one in value):  # type: ignore[attr-defined]
        raise InputError(f"{name} must hold whole numbers of at least {least}, got {value!r}")
    return tuple(int(one) for one in value)  # type: ignore[attr-defined]


def is_sequence(value: object) -> bool:
    """Return whether a value is a sequence or an array, but not a text."""
    listed = isinstance(value, Sequence) or hasattr(value, "__array__")
    return listed and not isinstance(value, (str, bytes))


def names(what: str, value: object, known: Container[str] | None = None) -> tuple[str, ...]:
    """Return a sequence of different names as a tuple.

    Raises
    ------
    InputError
        If it is not a list of texts, empty, or has a repeated or unknown name.
    """
    if not is_sequence(value) or not all(isinstance(one, str) for one in value):  # type: ignore[attr-defined]
        raise InputError(f"{what}: expected a list of names, got {value!r}")
    listed: tuple[Any, ...] = tuple(value)  # type: ignore[arg-type]
    if not listed:
        raise InputError(f"{what}: expected at least one name, got none")
    if len({*listed}) < len(listed):
        raise InputError(f"{what}: expected each name once, got {list(listed)}")
    for one in listed:
        if known is not None and one not in known:
            raise unknown(what, one, known if isinstance(known, Iterable) else ())
    return listed


def lam(value: object) -> float:
    """Return λ as a float; the command line passes it as text.

    Raises
    ------
    InputError
        If it is not a number, not finite, or negative.
    """
    try:
        parsed = float(value) if isinstance(value, str) else value
    except ValueError:
        parsed = None
    if not is_number(parsed) or parsed < 0:  # type: ignore[operator]
        raise InputError(f"lambda must be a finite number of at least 0, got {value!r}")
    return float(parsed)  # type: ignore[arg-type]


def columns(name: str, array: NDArray[np.generic], width: int) -> None:
    """Check the number of columns of an array.

    Raises
    ------
    InputError
        If it is not of shape (N, `width`).
    """
    if array.ndim != 2 or array.shape[1] != width:
        raise InputError(f"{name}: expected shape (N, {width}), got {array.shape}")


def shape(name: str, array: NDArray[np.generic], expected: tuple[int, ...]) -> None:
    """Check the shape of an array.

    Raises
    ------
    InputError
        If it is another.
    """
    if array.shape != expected:
        raise InputError(f"{name}: expected shape {expected}, got {array.shape}")


def sample_weights(w: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return instance weights.

    Raises
    ------
    InputError
        If a weight is negative or not finite, or all are zero.
    """
    import numpy as np

    wrong = ~np.isfinite(w) | (w < 0)
    if wrong.any():
        raise InputError(f"{name}: instance weights must be finite and >= 0, got {w[wrong][0]}")
    if len(w) and not w.any():
        raise InputError(f"{name}: instance weights are all zero")
    return w
