"""A fitted model as one file of numbers and names, from which nothing can be executed.

The file is in the safetensors format: the network's parameters and running statistics, the
readout's weights and the history as float64 tensors, and one JSON document in the header for all
the rest; docs/saving.md has the table. A digest over the whole file detects damage. It does not
prove who wrote the file, so `load` also compares every declared size with the tensors that are
there before it builds anything, and takes classes from a closed list.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Hashable, Mapping
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_bytes

from grad_ext import __version__
from grad_ext.encode import Categorical, Encoder, Numeric
from grad_ext.errors import InputError, unknown
from grad_ext.files import write_atomically
from grad_ext.method import FittedGRAD
from grad_ext.network import Network, Shape
from grad_ext.readout import WIDTH_STEP, Readout
from grad_ext.select import History
from grad_ext.sensitive import Attribute
from grad_ext.single import Model
from grad_ext.task import Branch, Kind

T = TypeVar("T")

FORMAT = 1
KEY = "grad-ext"
# Where each class lives: a file names a class, never a module.
HOMES = {
    "GRADClassifier": "grad_ext.estimator",
    "GRADEncoder": "grad_ext.estimator",
    "GRADInProcessing": "grad_ext.adapters.aif360",
    "GRADRegressor": "grad_ext.estimator",
}
# What fitting leaves on the estimators beside the model.
LEARNED = ("seed_", "n_features_in_", "feature_names_in_", "classes_", "attributes_")
INSTEAD = {
    "select": "name a rule instead, such as 'paper' or 'accuracy@0.05'",
    "random_state": "use an integer instead; the fitted model has the one it used as seed_",
}
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
# The digest is the document's first entry, here as it stands, escaped, in the file's header.
# Tensor names are ours, and in any other string the quotes would be escaped once more.
DIGEST_PREFIX = b'"grad-ext":"{\\"sha256\\":\\"'
BLANK = "0" * 64


def save(fitted: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to one file, whole or not at all.

    Parameters
    ----------
    fitted : GRADClassifier, GRADRegressor, GRADEncoder or GRADInProcessing
        A fitted model.
    path : path-like
        Where to; an existing file is replaced.

    Raises
    ------
    InputError
        Before anything is written: if it is something else or not fitted, if a parameter (a
        function, a generator), column name, label or level cannot be written as JSON, or if the
        path cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from grad_ext import GRADRegressor
    >>> from grad_ext.store import load, save
    >>> X, older = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    >>> model = GRADRegressor(epochs=1, random_state=0).fit(X, X[:, 0], sensitive_features=older)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, Path(folder) / "model.safetensors")
    ...     again = load(Path(folder) / "model.safetensors")
    >>> bool((again.predict(X) == model.predict(X)).all())
    True
    """
    name = class_name(fitted)
    model = fitted.model_
    document = {
        "sha256": BLANK,
        "format": FORMAT,
        "version": __version__,
        "class": name,
        "parameters": _parameters(fitted),
        "learned": _learned(fitted),
        "network": _shape_to_json(model.fitted.network.shape),
        "encoder": [_part_to_json(part) for part in model.encoder.parts_],
        "epoch": int(model.fitted.epochs[0]),
        "constant": bool(model.constant),
        "location": float(model.fitted.location),
        "scale": float(model.fitted.scale),
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    data = _signed(to_bytes(_tensors(model.fitted), metadata={KEY: text}))
    write_model(Path(path), data)


def load(path: str | os.PathLike[str]) -> Any:
    """Return the fitted model that `save` wrote.

    It predicts bit for bit as the saved one. Nothing in the file is executed, and no more memory
    is taken than a small multiple of the file's size.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    GRADClassifier, GRADRegressor, GRADEncoder or GRADInProcessing
        Of the class that was saved.

    Raises
    ------
    InputError
        If there is no such file, it is no safetensors file or not one of ours, is damaged, of a
        newer format, or contradicts itself.
    MissingToolkit
        If it holds a GRADInProcessing and AIF360 is not installed.
    """
    path = Path(path)
    data = _read(path)
    try:
        document = _document(data)
        return _fitted(document, _opened(data))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: expected plain values, got endless nesting") from None


# --- writing ---------------------------------------------------------------------------------


def class_name(fitted: Any) -> str:
    """Return the name of a fitted model's class.

    Raises
    ------
    InputError
        If it is of no class that is known here, not fitted, or on a module of the user's.
    """
    name = type(fitted).__name__
    if HOMES.get(name) != type(fitted).__module__:
        raise InputError(f"expected one of {', '.join(HOMES)}, got {type(fitted).__qualname__}")
    if "model_" not in vars(fitted):
        raise InputError(f"expected a fitted {name}, got one that is not fitted; call fit first")
    if fitted.model_.fitted.network.shape.module:
        raise InputError("expected a trunk of layers, got a module, of which a file knows no code")
    return name


def write_model(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    InputError
        If the path is a folder's or cannot be written to.
    """
    if path.is_dir():
        raise InputError(f"expected a file to write, got the folder {path}")
    try:
        write_atomically(path, data)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def _parameters(fitted: Any) -> dict[str, Any]:
    given = fitted.get_params(deep=False) if hasattr(fitted, "get_params") else fitted._params
    return {name: _value_to_json(value, name) for name, value in given.items()}


def _learned(fitted: Any) -> dict[str, Any]:
    there = {name: vars(fitted)[name] for name in LEARNED if name in vars(fitted)}
    attributes = there.pop("attributes_", None)
    learned = {name: _value_to_json(value, name) for name, value in there.items()}
    if attributes is not None:
        learned["attributes_"] = [_attribute_to_json(attribute) for attribute in attributes]
    return learned


def _attribute_to_json(attribute: Attribute) -> dict[str, Any]:
    what = f"a group of the attribute {attribute.name!r}"
    levels = attribute.levels
    return {
        "name": attribute.name,
        "levels": None if levels is None else [_scalar_to_json(level, what) for level in levels],
    }


def _shape_to_json(shape: Shape) -> dict[str, Any]:
    return {
        "features": shape.features,
        "trunk": [int(units) for units in shape.trunk],
        "branch": [int(units) for units in shape.branch],
        "target": _branch_to_json(shape.target),
        "attributes": [_branch_to_json(branch) for branch in shape.attributes],
    }


def _branch_to_json(branch: Branch) -> dict[str, Any]:
    return {"name": branch.name, "kind": branch.kind, "outputs": int(branch.outputs)}


def _part_to_json(part: Numeric | Categorical) -> dict[str, Any]:
    column = _scalar_to_json(part.column, f"the column name {part.column!r}")
    if isinstance(part, Numeric):
        return {"kind": "numeric", "column": column, "mean": part.mean, "scale": part.scale}
    what = f"a level of the column {part.column!r}"
    levels = [_scalar_to_json(level, what) for level in part.levels]
    return {"kind": "categorical", "column": column, "levels": levels}


def _tensors(fitted: FittedGRAD) -> dict[str, NDArray[np.float64]]:
    names = _network_sizes(fitted.network.shape)
    values = fitted.network.state().values()
    arrays = {name: value.numpy() for name, value in zip(names, values, strict=True)}
    if fitted.readout is not None:
        arrays["readout.weight"] = fitted.readout.weight.numpy()
    arrays |= {f"history.{f.name}": getattr(fitted.history, f.name) for f in fields(History)}
    return {n: np.ascontiguousarray(array, dtype=np.float64) for n, array in arrays.items()}


def _network_sizes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of the network by its name in the file.

    There the attributes have numbers: their own names may be of any characters.
    """
    numbered = [replace(branch, name=str(k)) for k, branch in enumerate(shape.attributes)]
    neutral = replace(shape, attributes=tuple(numbered))
    sizes = neutral.parameters() | neutral.statistics()
    return {f"network.{name}": (1, *size) for name, size in sizes.items()}


# --- the digest ------------------------------------------------------------------------------


def _signed(data: bytes) -> bytes:
    start = data.index(DIGEST_PREFIX) + len(DIGEST_PREFIX)
    return data[:start] + _digest(data, start).encode() + data[start + len(BLANK) :]


def _digest(data: bytes, start: int) -> str:
    """Return the SHA-256 of a file, with zeros where the digest itself stands."""
    view = memoryview(data)
    digest = hashlib.sha256(view[:start])
    digest.update(BLANK.encode())
    digest.update(view[start + len(BLANK) :])
    return digest.hexdigest()


# --- opening ---------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    if not path.exists():
        raise InputError(f"expected a file, but {path} does not exist")
    if not path.is_file():
        raise InputError(f"expected a file, but {path} is none")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def _document(data: bytes) -> Mapping[str, Any]:
    """Return the JSON document of a file whose digest holds."""
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size]
    if not header.startswith(b"{"):
        raise InputError("expected a safetensors file, got another or a damaged one")
    metadata = _parsed(header).get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise InputError(f"expected a model saved by grad-ext, got no {KEY!r} in the metadata")
    document = _parsed(metadata[KEY])
    _check_format(document)
    start = data.find(DIGEST_PREFIX) + len(DIGEST_PREFIX)
    found, expected = data[start : start + len(BLANK)], _digest(data, start)
    if start < len(DIGEST_PREFIX) or found != expected.encode():
        raise InputError(f"the file is damaged: expected the SHA-256 {expected}, got {found!r}")
    return document


def _check_format(document: Mapping[str, Any]) -> None:
    number = _get(document, "format", int)
    if number > FORMAT:
        raise InputError(
            f"written by a newer grad-ext ({document.get('version')!r}): expected format "
            f"{FORMAT}, got {number}"
        )
    if number < 1:
        raise InputError(f"format: expected {FORMAT}, got {number}")


def _parsed(text: str | bytes) -> Mapping[str, Any]:
    def refused(constant: str) -> None:
        raise ValueError(constant)

    try:
        parsed = json.loads(text, parse_constant=refused)
    except ValueError:
        raise InputError("the header is damaged: expected JSON") from None
    if not isinstance(parsed, dict):
        raise InputError(f"the header is damaged: expected a JSON object, got {_short(parsed)}")
    return parsed


def _opened(data: bytes) -> dict[str, Mapping[str, Any]]:
    """Return dtype, shape and bytes of every tensor by name; safetensors checks the offsets."""
    try:
        return dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise InputError(f"expected a safetensors file: {error}") from None


# --- reading ---------------------------------------------------------------------------------


def _fitted(document: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Any]]) -> Any:
    name = _get(document, "class", str)
    if name not in HOMES:
        raise unknown("class", name, HOMES)
    given = _get(document, "parameters", dict)
    parameters = {key: _value_from_json(value, key) for key, value in given.items()}
    learned = _learned_from_json(_get(document, "learned", dict))
    shape = _shape_from_json(_get(document, "network", dict))
    parts = [_part_from_json(part) for part in _get(document, "encoder", list)]
    regressions = _check_agreement(name, parameters, learned, shape, parts)
    arrays = _arrays(tensors, shape, regressions)
    fitted = _pack(document, shape, arrays)
    encoder = Encoder()
    encoder.parts_ = parts
    model = Model(encoder, fitted, _get(document, "constant", bool))
    return _rebuilt(name, parameters, learned, model)


def _rebuilt(
    name: str, parameters: Mapping[str, Any], learned: Mapping[str, Any], model: Model
) -> Any:
    cls = getattr(import_module(HOMES[name]), name)
    try:
        fitted = cls(**parameters)
    except (TypeError, ValueError) as error:
        raise InputError(f"the parameters are not those of {name}: {error}") from None
    vars(fitted).update(learned, model_=model, constant_=model.constant)
    if name != "GRADInProcessing":
        fitted.history_ = model.fitted.history
        fitted.best_epoch_ = int(model.fitted.epochs[0])
    return fitted


def _learned_from_json(given: Mapping[str, Any]) -> dict[str, Any]:
    for key in given:
        if key not in LEARNED:
            raise unknown("learned attribute", key, LEARNED)
    learned: dict[str, Any] = {"seed_": _get(given, "seed_", int)}
    if "n_features_in_" in given:
        learned["n_features_in_"] = _get(given, "n_features_in_", int)
    for key in ("classes_", "feature_names_in_"):
        if key in given:
            learned[key] = _value_from_json(given[key], key)
    if "attributes_" in given:
        attributes = _get(given, "attributes_", list)
        learned["attributes_"] = tuple(_attribute_from_json(one) for one in attributes)
    return learned


def _attribute_from_json(given: Any) -> Attribute:
    name = _get(given, "name", str)
    if given.get("levels") is None:
        return Attribute(name, None)
    levels = _get(given, "levels", list)
    return Attribute(name, tuple(_scalar_from_json(level, "levels") for level in levels))


def _shape_from_json(given: Mapping[str, Any]) -> Shape:
    attributes = tuple(_branch_from_json(one) for one in _get(given, "attributes", list))
    if len({branch.name for branch in attributes}) < len(attributes):
        raise InputError("the network's attributes: expected names that differ")
    return Shape(
        features=_get(given, "features", int),
        trunk=_sizes(given, "trunk"),
        branch=_sizes(given, "branch"),
        target=_branch_from_json(given.get("target")),
        attributes=attributes,
    )


def _sizes(given: Mapping[str, Any], key: str) -> tuple[int, ...]:
    sizes = _get(given, key, list)
    if any(type(units) is not int for units in sizes):
        raise InputError(f"{key}: expected whole numbers, got {_short(sizes)}")
    return tuple(sizes)


def _branch_from_json(given: Any) -> Branch:
    name, kind = _get(given, "name", str), _get(given, "kind", str)
    outputs = _get(given, "outputs", int)
    if kind not in get_args(Kind):
        raise unknown("kind of branch", kind, get_args(Kind))
    single = kind in ("binary", "continuous")
    if outputs < 1 or (single and outputs > 1):
        raise InputError(f"a {kind} branch cannot have {outputs} outputs")
    return Branch(name, cast(Kind, kind), outputs)


def _part_from_json(given: Any) -> Numeric | Categorical:
    kind = _get(given, "kind", str)
    column = _scalar_from_json(given.get("column"), "column")
    if kind == "categorical":
        levels = _get(given, "levels", list)
        return Categorical(column, tuple(_scalar_from_json(level, "levels") for level in levels))
    if kind != "numeric":
        raise unknown("kind of column", kind, ("numeric", "categorical"))
    return Numeric(column, _get(given, "mean", float), _get(given, "scale", float))


def _check_agreement(
    name: str,
    parameters: Mapping[str, Any],
    learned: Mapping[str, Any],
    shape: Shape,
    parts: list[Numeric | Categorical],
) -> int:
    """Compare what the class, the classes, the attributes and the columns ask of the network.

    Returns
    -------
    int
        How many logistic regressions the readout has.
    """
    estimator = name != "GRADInProcessing"
    for key in ("n_features_in_", "attributes_") if estimator else ():
        if key not in learned:
            raise InputError(f"expected {key}, got none")
    width = sum(part.width for part in parts)
    if not width or width != shape.features:
        raise InputError(f"the network takes {shape.features} features, the columns give {width}")
    if estimator and learned["n_features_in_"] != len(parts):
        raise InputError(f"expected {learned['n_features_in_']} columns, got {len(parts)}")
    _check_names(learned, len(parts))
    branches = tuple(attribute.branch for attribute in learned.get("attributes_", ()))
    if estimator and shape.attributes not in ((), branches):
        raise InputError("the network's attribute branches are not those of attributes_")
    kind, classes = _target_of(name, parameters, learned)
    if kind != shape.target.kind or (kind == "categorical" and shape.target.outputs != classes):
        raise InputError(f"a network that predicts {shape.target} is not one of this {name}")
    return 0 if kind != "features" or classes < 2 else 1 if classes == 2 else classes


def _check_names(learned: Mapping[str, Any], columns: int) -> None:
    if "feature_names_in_" in learned:
        names = learned["feature_names_in_"]
        if not isinstance(names, np.ndarray) or len(names) != columns:
            raise InputError(f"feature_names_in_: expected {columns} names, got {_short(names)}")


def _target_of(
    name: str, parameters: Mapping[str, Any], learned: Mapping[str, Any]
) -> tuple[Kind, int]:
    """Return the kind of target that a class asks for, and the number of classes."""
    if name == "GRADInProcessing":
        return ("features" if parameters.get("variant") == "auto" else "binary"), 2
    if name == "GRADRegressor":
        return "continuous", 0
    classes = learned.get("classes_")
    if name == "GRADEncoder" and classes is None:
        return "features", 0
    if not isinstance(classes, np.ndarray) or not len(classes):
        raise InputError(f"classes_: expected an array of labels, got {_short(classes)}")
    if name == "GRADEncoder":
        return "features", len(classes)
    return Branch.of_groups("target", len(classes)).kind, len(classes)


def _arrays(
    tensors: Mapping[str, Mapping[str, Any]], shape: Shape, regressions: int
) -> dict[str, NDArray[np.float64]]:
    """Return the tensors, once their names, types and shapes are those that the file declares."""
    expected = _network_sizes(shape) | _history_sizes(tensors, shape)
    if regressions:
        padded = -(-(shape.trunk[-1] + 1) // WIDTH_STEP) * WIDTH_STEP
        expected["readout.weight"] = (1, regressions, padded)
    surplus, missing = set(tensors) - set(expected), set(expected) - set(tensors)
    if surplus or missing:
        raise InputError(
            f"expected {len(expected)} tensors, got {len(tensors)}: missing "
            f"{_short(sorted(missing))}, not expected {_short(sorted(surplus))}"
        )
    for name, tensor in tensors.items():
        if tensor["dtype"] != "F64" or tuple(tensor["shape"]) != expected[name]:
            raise InputError(
                f"tensor {name!r}: expected F64 of shape {expected[name]}, got "
                f"{tensor['dtype']} of shape {tuple(tensor['shape'])}"
            )
    return {
        name: np.frombuffer(tensor["data"], dtype="<f8").astype(np.float64).reshape(expected[name])
        for name, tensor in tensors.items()
    }


def _history_sizes(
    tensors: Mapping[str, Mapping[str, Any]], shape: Shape
) -> dict[str, tuple[int, ...]]:
    """Return the history's shapes; only the file knows the epochs and the attributes judged."""
    epochs = _first_sizes(tensors, "history.loss")[0]
    judged = _first_sizes(tensors, "history.discrimination_by_attribute")[1]
    sizes = {f"history.{field.name}": (epochs, 1) for field in fields(History)}
    return sizes | {
        "history.attribute_loss": (epochs, len(shape.attributes), 1),
        "history.discrimination_by_attribute": (epochs, judged, 1),
    }


def _first_sizes(tensors: Mapping[str, Mapping[str, Any]], name: str) -> tuple[int, int]:
    size = tuple(tensors[name]["shape"]) if name in tensors else ()
    if len(size) < 2 or 0 in size:
        raise InputError(f"tensor {name!r}: expected epochs and members, got the shape {size}")
    return size[0], size[1]


def _pack(
    document: Mapping[str, Any], shape: Shape, arrays: Mapping[str, NDArray[np.float64]]
) -> FittedGRAD:
    history = History(**{f.name: arrays[f"history.{f.name}"] for f in fields(History)})
    epoch = _get(document, "epoch", int)
    if not 1 <= epoch <= len(history.loss):
        raise InputError(f"epoch: expected 1 to {len(history.loss)}, got {epoch}")
    own = (*shape.parameters(), *shape.statistics())
    state = {
        name: torch.from_numpy(arrays[stored])
        for name, stored in zip(own, _network_sizes(shape), strict=True)
    }
    weight = arrays.get("readout.weight")
    return FittedGRAD(
        network=Network.from_state(shape, state, torch.float64),
        readout=None if weight is None else Readout(torch.from_numpy(weight)),
        history=history,
        epochs=np.array([epoch], dtype=np.intp),
        location=_get(document, "location", float),
        scale=_get(document, "scale", float),
    )


# --- values ----------------------------------------------------------------------------------


def _get(given: Any, key: str, kind: type[T]) -> T:
    """Return an entry of a JSON object that must be there and of one type."""
    if not isinstance(given, dict):
        raise InputError(f"expected an object with {key!r}, got {_short(given)}")
    value = given.get(key)
    # bool is an int to Python; floats must be finite, as all that are saved here.
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{key}: expected {kind.__name__}, got {_short(value)}")
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _scalar_to_json(value: object, what: str) -> Any:
    """Return a label, level or name as JSON that keeps its type: what JSON lacks gets a tag."""
    if isinstance(value, np.generic):
        if NUMPY.get(type(value).__name__, (None,))[0] is type(value):
            plain = _scalar_to_json(value.item(), what)
            return {"numpy": type(value).__name__, "value": plain}
    elif type(value) is float and not math.isfinite(value):
        return {"float": repr(value)}
    elif value is None or type(value) in (str, bool, float) or _is_short_int(value):
        return value
    raise InputError(
        f"{what} cannot be saved: expected {SCALARS}, got {type(value).__name__} {_short(value)}"
    )


def _is_short_int(value: object) -> bool:
    return type(value) is int and value.bit_length() <= MOST_BITS


def _scalar_from_json(given: Any, what: str) -> Hashable:
    if given is None or type(given) in (str, bool, int, float):
        return cast(Hashable, given)
    if isinstance(given, dict) and set(given) == {"float"}:
        if given["float"] in ("nan", "inf", "-inf"):
            return float(given["float"])
    elif isinstance(given, dict) and set(given) == {"numpy", "value"}:
        return _numpy_from_json(_get(given, "numpy", str), given["value"], what)
    raise InputError(f"{what}: expected {SCALARS}, got {_short(given)}")


def _numpy_from_json(name: str, given: Any, what: str) -> Hashable:
    if name not in NUMPY:
        raise unknown("numpy type", name, NUMPY)
    kind, plain = NUMPY[name]
    value = _scalar_from_json(given, what)
    if type(value) is plain:
        try:
            with np.errstate(over="ignore"):
                return cast(Hashable, kind(value))
        except OverflowError:
            pass
    raise InputError(f"{what}: expected a value of {name}, got {_short(value)}")


def _value_to_json(value: Any, what: str) -> Any:
    """Return a parameter as JSON: a scalar, or a list, tuple, mapping or array of scalars."""
    if isinstance(value, list):
        return [_value_to_json(one, what) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [_value_to_json(one, what) for one in value]}
    if isinstance(value, Mapping):
        pairs = [[_scalar_to_json(k, what), _value_to_json(v, what)] for k, v in value.items()]
        return {"mapping": pairs}
    if isinstance(value, np.ndarray):
        return _array_to_json(value, what)
    try:
        return _scalar_to_json(value, what)
    except InputError as error:
        hint = f"; {INSTEAD[what]}" if what in INSTEAD else ""
        raise InputError(f"{error}{hint}") from None


def _value_from_json(given: Any, what: str) -> Any:
    if isinstance(given, list):
        return [_value_from_json(one, what) for one in given]
    if not isinstance(given, dict):
        return _scalar_from_json(given, what)
    if set(given) == {"tuple"}:
        return tuple(_value_from_json(one, what) for one in _get(given, "tuple", list))
    if set(given) == {"mapping"}:
        pairs = _get(given, "mapping", list)
        if any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
            raise InputError(f"{what}: expected pairs, got {_short(pairs)}")
        return {_scalar_from_json(k, what): _value_from_json(v, what) for k, v in pairs}
    if set(given) == {"array", "values"}:
        return _array_from_json(given, what)
    return _scalar_from_json(given, what)


def _array_to_json(array: NDArray[Any], what: str) -> dict[str, Any]:
    if array.ndim != 1 or not ARRAY.fullmatch(array.dtype.str):
        raise InputError(
            f"{what} cannot be saved: expected one axis of numbers, bools, text or objects, got "
            f"{array.dtype} of shape {array.shape}"
        )
    values = [_scalar_to_json(value, what) for value in array.tolist()]
    return {"array": array.dtype.str, "values": values}


def _array_from_json(given: Mapping[str, Any], what: str) -> NDArray[Any]:
    code, values = _get(given, "array", str), _get(given, "values", list)
    match = ARRAY.fullmatch(code)
    if not match or 4 * int(match[1] or 0) * len(values) > MOST_ARRAY_BYTES:
        raise InputError(f"{what}: expected a type of numbers, text or objects, got {code!r}")
    scalars = [_scalar_from_json(value, what) for value in values]
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
    raise InputError(f"{what}: expected values of {code!r}, got {_short(values)}")
