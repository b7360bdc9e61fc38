"""Labels, levels, names and parameters as JSON that keeps their types, and back from any JSON.

What JSON lacks (numpy's scalars, infinities, tuples, arrays) gets a tag. Reading trusts nothing: a
value of another form is refused, and an array is bounded before it is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown

T = TypeVar("T")

NUMPY_FAMILIES: dict[type, tuple[type[np.generic], ...]] = {
    bool: (np.bool_,),
    int: (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    float: (np.float16, np.float32, np.float64),
    str: (np.str_,),
}
NUMPY = {t.__name__: (t, plain) for plain, types in NUMPY_FAMILIES.items() for t in types}
SCALARS = "str, int, float, bool, None or a numpy scalar of those"
ARRAY = re.compile(r"[<>|](?:b1|[iu][1248]|f[248]|O|U(\d{1,9}))")
ARRAY_KINDS = {"b": bool, "i": int, "u": int, "f": float, "U": str}
MOST_ARRAY_BYTES = 2**26
# Python refuses to turn much longer integers into decimal digits.
MOST_BITS = 1024


def entry(given: Any, key: str, kind: type[T]) -> T:
    """Return an entry of a JSON object that must be there and of one type."""
    if not isinstance(given, dict):
        raise InputError(f"expected an object with {key!r}, got {short(given)}")
    value = given.get(key)
    # bool is an int to Python; floats must be finite, as all that are saved here.
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{key}: expected {kind.__name__}, got {short(value)}")
    return value


def short(value: object) -> str:
    """Return a value as text of a bounded length, for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def scalar_to_json(value: object, what: str) -> Any:
    """Return a label, level or name as JSON that keeps its type: what JSON lacks gets a tag."""
    if isinstance(value, np.generic):
        if NUMPY.get(type(value).__name__, (None,))[0] is type(value):
            plain = scalar_to_json(value.item(), what)
            return {"numpy": type(value).__name__, "value": plain}
    elif type(value) is float and not math.isfinite(value):
        return {"float": repr(value)}
    elif value is None or type(value) in (str, bool, float) or _is_short_int(value):
        return value
    raise InputError(
        f"{what} cannot be saved: expected {SCALARS}, got {type(value).__name__} {short(value)}"
    )


def _is_short_int(value: object) -> bool:
    return type(value) is int and value.bit_length() <= MOST_BITS


def scalar_from_json(given: Any, what: str) -> Hashable:
    """Return what `scalar_to_json` gave, or raise InputError."""
    if given is None or type(given) in (str, bool, int, float):
        return cast(Hashable, given)
    if isinstance(given, dict) and set(given) == {"float"}:
        if given["float"] in ("nan", "inf", "-inf"):
            return float(given["float"])
    elif isinstance(given, dict) and set(given) == {"numpy", "value"}:
        return _numpy_from_json(entry(given, "numpy", str), given["value"], what)
    raise InputError(f"{what}: expected {SCALARS}, got {short(given)}")


def _numpy_from_json(name: str, given: Any, what: str) -> Hashable:
    if name not in NUMPY:
        raise unknown("numpy type", name, NUMPY)
    kind, plain = NUMPY[name]
    value = scalar_from_json(given, what)
    if type(value) is plain:
        try:
            with np.errstate(over="ignore"):
                return cast(Hashable, kind(value))
        except OverflowError:
            pass
    raise InputError(f"{what}: expected a value of {name}, got {short(value)}")


def value_to_json(value: Any, what: str) -> Any:
    """Return a parameter as JSON: a scalar, or a list, tuple, mapping or array of scalars."""
    if isinstance(value, list):
        return [value_to_json(one, what) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [value_to_json(one, what) for one in value]}
    if isinstance(value, Mapping):
        pairs = [[scalar_to_json(k, what), value_to_json(v, what)] for k, v in value.items()]
        return {"mapping": pairs}
    if isinstance(value, np.ndarray):
        return array_to_json(value, what)
    return scalar_to_json(value, what)


def value_from_json(given: Any, what: str) -> Any:
    """Return what `value_to_json` gave, or raise InputError."""
    if isinstance(given, list):
        return [value_from_json(one, what) for one in given]
    if not isinstance(given, dict):
        return scalar_from_json(given, what)
    if set(given) == {"tuple"}:
        return tuple(value_from_json(one, what) for one in entry(given, "tuple", list))
    if set(given) == {"mapping"}:
        pairs = entry(given, "mapping", list)
        if any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
            raise InputError(f"{what}: expected pairs, got {short(pairs)}")
        return {scalar_from_json(k, what): value_from_json(v, what) for k, v in pairs}
    if set(given) == {"array", "values"}:
        return array_from_json(given, what)
    return scalar_from_json(given, what)


def array_to_json(array: NDArray[Any], what: str) -> dict[str, Any]:
    """Return an array of one axis as JSON that keeps its type."""
    if array.ndim != 1 or not ARRAY.fullmatch(array.dtype.str):
        raise InputError(
            f"{what} cannot be saved: expected one axis of numbers, bools, text or objects, got "
            f"{array.dtype} of shape {array.shape}"
        )
    values = [scalar_to_json(value, what) for value in array.tolist()]
    return {"array": array.dtype.str, "values": values}


def array_from_json(given: Mapping[str, Any], what: str) -> NDArray[Any]:
    """Return what `array_to_json` gave, or raise InputError."""
    code, values = entry(given, "array", str), entry(given, "values", list)
    match = ARRAY.fullmatch(code)
    if not match or 4 * int(match[1] or 0) * len(values) > MOST_ARRAY_BYTES:
        raise InputError(f"{what}: expected a type of numbers, text or objects, got {code!r}")
    scalars = [scalar_from_json(value, what) for value in values]
    if code.endswith("O"):
        array = np.empty(len(scalars), dtype=object)
        array[:] = scalars
        return array
    if all(type(scalar) is ARRAY_KINDS[code[1]] for scalar in scalars):
        try:
            with np.errstate(over="ignore"):
                return np.array(scalars, dtype=np.dtype(code))
        except (OverflowError, TypeError):
            pass
    raise InputError(f"{what}: expected values of {code!r}, got {short(values)}")
