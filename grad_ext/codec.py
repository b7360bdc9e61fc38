"""JSON and back, strictly typed: dataclasses by their type hints, and single values with their types.

`to_json` and `from_json` serve everything that is stored: trials, records, settings, studies, model
files. What JSON lacks (numpy's scalars, infinities, tuples, arrays) gets a tag, where a field's type
is `Hashable` or `Any` value of a user's. Reading trusts nothing: a value of another form is refused
with an error that names where it stands, and an array is bounded before it is created.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown

T = TypeVar("T")
# The entry that names a dataclass where a field may hold one of several.
TYPE = "type"
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


def to_json(value: Any) -> Any:
    """Return a dataclass, or a container of them, as plain values that JSON holds.

    Fields become entries; tuples become lists; nan becomes None. Labels and levels (fields of type
    `Hashable`) keep their types: see `scalar_to_json`.

    Raises
    ------
    InputError
        If a value is infinite or of a type that JSON cannot hold.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {name: write(getattr(value, name)) for name, write in _writers(type(value)).items()}
    if isinstance(value, Mapping):
        return {str(name): to_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(one) for one in value]
    if isinstance(value, float):
        if math.isinf(value):
            raise InputError(f"expected a finite number or nan, got {value}")
        return None if math.isnan(value) else value
    if value is None or isinstance(value, (str, bool, int)):
        return value
    raise InputError(
        f"expected a value that JSON can hold, got {type(value).__name__} {short(value)}"
    )


@cache
def _writers(cls: type) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(cls)
    return {field.name: _writer(hints[field.name], field.name) for field in fields(cls)}


def _writer(kind: Any, name: str) -> Callable[[Any], Any]:
    if kind is Hashable:
        return lambda value: scalar_to_json(value, name)
    if get_origin(kind) is tuple and get_args(kind)[:1] == (Hashable,):
        return lambda value: [scalar_to_json(one, name) for one in value]
    classes = _classes(kind)
    if get_origin(kind) is tuple:
        classes = _classes(get_args(kind)[0])
        if len(classes) > 1:
            return lambda value: [_tagged(one) for one in value]
    return _tagged if len(classes) > 1 else to_json


def _tagged(value: Any) -> Any:
    return {TYPE: type(value).__name__, **to_json(value)}


def _classes(kind: Any) -> dict[str, type]:
    """Return the dataclasses of a union by name."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return {one.__name__: one for one in options if is_dataclass(one) and isinstance(one, type)}


def from_json(cls: type[T], given: Any, where: str = "") -> T:
    """Return the dataclass that `to_json` wrote.

    Parameters
    ----------
    cls : type
        The dataclass; its type hints say what each entry must be.
    given : object
        What JSON's reader returned.
    where : str, optional
        What messages call it, such as the name of the file.

    Raises
    ------
    InputError
        If an entry is unknown, missing, or of another type; the message names the entry.
    """
    where = where or cls.__name__.lower()
    if not isinstance(given, dict):
        raise InputError(f"{where}: expected an object, got {short(given)}")
    readers, needed = _readers(cast(Hashable, cls))
    for name in given:
        if name not in readers:
            raise unknown(f"entry of {where}", name, readers)
    absent = [name for name in needed if name not in given]
    if absent:
        raise InputError(f"{where}: expected {', '.join(map(repr, absent))}, got none")
    values = {name: readers[name](value, f"{where}.{name}") for name, value in given.items()}
    try:
        return cls(**values)
    except (TypeError, OverflowError) as error:
        raise InputError(f"{where}: {error}") from None


Reader = Callable[[Any, str], Any]


@cache
def _readers(cls: Any) -> tuple[dict[str, Reader], tuple[str, ...]]:
    """Return a reader for each field of a dataclass, and the fields that must be there."""
    hints = get_type_hints(cls)
    own = [field for field in fields(cls) if field.init]
    needed = [f.name for f in own if f.default is MISSING and f.default_factory is MISSING]
    return {field.name: _reader(hints[field.name]) for field in own}, tuple(needed)


def _reader(kind: Any) -> Reader:
    origin, options = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda given, where: given
    if kind is Hashable:
        return scalar_from_json
    if kind is float:
        return _float
    if origin is tuple and options[1:] == (...,):
        return _tuple(_reader(options[0]))
    if origin is tuple:
        return _fixed([_reader(one) for one in options])
    if origin in (dict, Mapping) or kind in (dict, Mapping):
        return _mapping(_reader(options[1]) if options else _reader(Any))
    if origin in (Union, types.UnionType):
        return _union(kind, options)
    if isinstance(kind, type) and is_dataclass(kind):
        return lambda given, where: from_json(kind, given, where)
    return _exactly(kind)


def _exactly(kind: type) -> Reader:
    def read(given: Any, where: str) -> Any:
        # type() and not isinstance: bool is an int to Python.
        if type(given) is not kind:
            raise InputError(f"{where}: expected {kind.__name__}, got {short(given)}")
        return given

    return read


def _float(given: Any, where: str) -> float:
    if given is None:
        return math.nan
    if type(given) not in (float, int) or not math.isfinite(given):
        raise InputError(f"{where}: expected a finite number, got {short(given)}")
    return float(given)


def _tuple(read: Reader) -> Reader:
    def read_all(given: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(given, list):
            raise InputError(f"{where}: expected a list, got {short(given)}")
        return tuple([read(one, where) for one in given])

    return read_all


def _fixed(readers: Sequence[Reader]) -> Reader:
    def read_all(given: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(given, list) or len(given) != len(readers):
            raise InputError(f"{where}: expected a list of {len(readers)}, got {short(given)}")
        return tuple(read(one, where) for read, one in zip(readers, given, strict=True))

    return read_all


def _mapping(read: Reader) -> Reader:
    def read_all(given: Any, where: str) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise InputError(f"{where}: expected an object, got {short(given)}")
        return {name: read(one, f"{where}.{name}") for name, one in given.items()}

    return read_all


def _union(kind: Any, options: Sequence[Any]) -> Reader:
    classes = _classes(kind)
    if len(classes) > 1:
        return _one_of(classes)
    readers = [_reader(one) for one in options if one is not type(None)]
    optional = type(None) in options

    def read(given: Any, where: str) -> Any:
        if given is None and optional:
            return None
        errors = []
        for one in readers:
            try:
                return one(given, where)
            except InputError as error:
                errors.append(str(error))
        raise InputError(", or ".join(errors))

    return read


def _one_of(classes: Mapping[str, type]) -> Reader:
    def read(given: Any, where: str) -> Any:
        name = entry(given, TYPE, str)
        if name not in classes:
            raise unknown(f"type of {where}", name, classes)
        return from_json(classes[name], {n: v for n, v in given.items() if n != TYPE}, where)

    return read


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
