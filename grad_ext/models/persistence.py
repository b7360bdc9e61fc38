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
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_bytes

from grad_ext import __version__
from grad_ext.codec import (
    entry,
    scalar_from_json,
    scalar_to_json,
    short,
    value_from_json,
    value_to_json,
)
from grad_ext.data.encoding import Bin, Categorical, Encoder, Numeric
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.engine.logistic import WIDTH_STEP, Readout
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError, unknown
from grad_ext.files import write_atomically
from grad_ext.method import FittedGRAD
from grad_ext.models.fit import Model
from grad_ext.outputs import Branch, branch_of
from grad_ext.training.checkpoint import History

FORMAT = 1
KEY = "grad-ext"
# Where each class lives: a file names a class, never a module.
HOMES = {
    "GRADClassifier": "grad_ext.models.sklearn",
    "GRADEncoder": "grad_ext.models.sklearn",
    "GRADInProcessing": "grad_ext.adapters.aif360.inprocessing",
    "GRADRegressor": "grad_ext.models.sklearn",
}
# What fitting leaves on the estimators beside the model.
LEARNED = ("seed_", "n_features_in_", "feature_names_in_", "classes_", "attributes_")
INSTEAD = {
    "checkpoint": "name a rule instead, such as 'paper' or 'accuracy@0.05'",
    "random_state": "use an integer instead; the fitted model has the one it used as seed_",
}
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
    >>> from grad_ext.models.persistence import load, save
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
    return {name: _parameter_to_json(name, value) for name, value in given.items()}


def _parameter_to_json(name: str, value: Any) -> Any:
    try:
        return value_to_json(value, name)
    except InputError as error:
        hint = f"; {INSTEAD[name]}" if name in INSTEAD else ""
        raise InputError(f"{error}{hint}") from None


def _learned(fitted: Any) -> dict[str, Any]:
    there = {name: vars(fitted)[name] for name in LEARNED if name in vars(fitted)}
    attributes = there.pop("attributes_", None)
    learned = {name: value_to_json(value, name) for name, value in there.items()}
    if attributes is not None:
        learned["attributes_"] = [_attribute_to_json(attribute) for attribute in attributes]
    return learned


def _attribute_to_json(attribute: SensitiveAttribute) -> dict[str, Any]:
    what = f"a group of the attribute {attribute.name!r}"
    levels = attribute.levels
    return {
        "name": attribute.name,
        "levels": None if levels is None else [scalar_to_json(level, what) for level in levels],
    }


def _shape_to_json(shape: Shape) -> dict[str, Any]:
    return {
        "features": shape.features,
        "trunk": [int(units) for units in shape.trunk],
        "branch": [int(units) for units in shape.branch],
        "target": _branch_to_json(shape.target),
        "attributes": [_branch_to_json(branch) for branch in shape.attributes],
        "adversary_input": shape.adversary_input,
        "heads": int(shape.heads),
    }


def _branch_to_json(branch: Branch) -> dict[str, Any]:
    return {"name": branch.name, "kind": branch.kind, "outputs": int(branch.outputs)}


def _part_to_json(part: Numeric | Categorical) -> dict[str, Any]:
    column = scalar_to_json(part.column, f"the column name {part.column!r}")
    if isinstance(part, Numeric):
        plain = {"kind": "numeric", "column": column, "mean": part.mean, "scale": part.scale}
        lists = {"bins": [asdict(one) for one in part.bins], "common": list(part.common)}
        return plain | {name: values for name, values in lists.items() if values}
    what = f"a level of the column {part.column!r}"
    levels = [scalar_to_json(level, what) for level in part.levels]
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
    number = entry(document, "format", int)
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
        raise InputError(f"the header is damaged: expected a JSON object, got {short(parsed)}")
    return parsed


def _opened(data: bytes) -> dict[str, Mapping[str, Any]]:
    """Return dtype, shape and bytes of every tensor by name; safetensors checks the offsets."""
    try:
        return dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise InputError(f"expected a safetensors file: {error}") from None


# --- reading ---------------------------------------------------------------------------------


def _fitted(document: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Any]]) -> Any:
    name = entry(document, "class", str)
    if name not in HOMES:
        raise unknown("class", name, HOMES)
    given = entry(document, "parameters", dict)
    parameters = {key: value_from_json(value, key) for key, value in given.items()}
    learned = _learned_from_json(entry(document, "learned", dict))
    shape = _shape_from_json(entry(document, "network", dict))
    parts = [_part_from_json(part) for part in entry(document, "encoder", list)]
    regressions = _check_agreement(name, parameters, learned, shape, parts)
    arrays = _arrays(tensors, shape, regressions)
    fitted = _pack(document, shape, arrays)
    encoder = Encoder()
    encoder.parts_ = parts
    model = Model(encoder, fitted, entry(document, "constant", bool))
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
    learned: dict[str, Any] = {"seed_": entry(given, "seed_", int)}
    if "n_features_in_" in given:
        learned["n_features_in_"] = entry(given, "n_features_in_", int)
    for key in ("classes_", "feature_names_in_"):
        if key in given:
            learned[key] = value_from_json(given[key], key)
    if "attributes_" in given:
        attributes = entry(given, "attributes_", list)
        learned["attributes_"] = tuple(_attribute_from_json(one) for one in attributes)
    return learned


def _attribute_from_json(given: Any) -> SensitiveAttribute:
    name = entry(given, "name", str)
    if given.get("levels") is None:
        return SensitiveAttribute(name, name, continuous=True)
    levels = entry(given, "levels", list)
    found = tuple(scalar_from_json(level, "levels") for level in levels)
    return SensitiveAttribute(name, name, levels=found)


def _shape_from_json(given: Mapping[str, Any]) -> Shape:
    attributes = tuple(_branch_from_json(one) for one in entry(given, "attributes", list))
    if len({branch.name for branch in attributes}) < len(attributes):
        raise InputError("the network's attributes: expected names that differ")
    return Shape(
        features=entry(given, "features", int),
        trunk=_sizes(given, "trunk"),
        branch=_sizes(given, "branch"),
        target=_branch_from_json(given.get("target")),
        attributes=attributes,
        adversary_input=entry(given, "adversary_input", str),
        # Files that were written before there were several have none.
        heads=entry(given, "heads", int) if "heads" in given else 1,
    )


def _sizes(given: Mapping[str, Any], key: str) -> tuple[int, ...]:
    sizes = entry(given, key, list)
    if any(type(units) is not int for units in sizes):
        raise InputError(f"{key}: expected whole numbers, got {short(sizes)}")
    return tuple(sizes)


def _branch_from_json(given: Any) -> Branch:
    name, kind = entry(given, "name", str), entry(given, "kind", str)
    return branch_of(kind, name, entry(given, "outputs", int))


def _part_from_json(given: Any) -> Numeric | Categorical:
    kind = entry(given, "kind", str)
    column = scalar_from_json(given.get("column"), "column")
    if kind == "categorical":
        levels = entry(given, "levels", list)
        return Categorical(column, tuple(scalar_from_json(level, "levels") for level in levels))
    if kind != "numeric":
        raise unknown("kind of column", kind, ("numeric", "categorical"))
    bins = entry(given, "bins", list) if "bins" in given else []
    return Numeric(
        column,
        entry(given, "mean", float),
        entry(given, "scale", float),
        tuple(_bin_from_json(one) for one in bins),
        _common_from_json(given),
    )


def _common_from_json(given: Any) -> tuple[float, ...]:
    common = entry(given, "common", list) if "common" in given else []
    if any(type(value) is not float or not math.isfinite(value) for value in common):
        raise InputError(f"common: expected finite numbers, got {short(common)}")
    return tuple(common)


def _bin_from_json(given: Any) -> Bin:
    one = Bin(*(entry(given, field.name, float) for field in fields(Bin)))
    if one.start >= one.stop or one.scale <= 0.0:
        raise InputError(f"bins: expected edges that ascend and scales above 0, got {one}")
    return one


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
    if kind != shape.target.kind or shape.target.classes not in (0, classes):
        raise InputError(f"a network that predicts {shape.target} is not one of this {name}")
    if shape.heads > max(1, classes):
        raise InputError(
            f"heads: expected at most one for each of {classes} labels, got {shape.heads}"
        )
    return 0 if not shape.target.reconstructs or classes < 2 else 1 if classes == 2 else classes


def _check_names(learned: Mapping[str, Any], columns: int) -> None:
    if "feature_names_in_" in learned:
        names = learned["feature_names_in_"]
        if not isinstance(names, np.ndarray) or len(names) != columns:
            raise InputError(f"feature_names_in_: expected {columns} names, got {short(names)}")


def _target_of(
    name: str, parameters: Mapping[str, Any], learned: Mapping[str, Any]
) -> tuple[str, int]:
    """Return the kind of target that a class asks for, and the number of classes."""
    if name == "GRADInProcessing":
        return ("features" if parameters.get("variant") == "auto" else "binary"), 2
    if name == "GRADRegressor":
        return "continuous", 0
    classes = learned.get("classes_")
    if name == "GRADEncoder" and classes is None:
        return "features", 0
    if not isinstance(classes, np.ndarray) or not len(classes):
        raise InputError(f"classes_: expected an array of labels, got {short(classes)}")
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
            f"{short(sorted(missing))}, not expected {short(sorted(surplus))}"
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
    epoch = entry(document, "epoch", int)
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
        location=entry(document, "location", float),
        scale=entry(document, "scale", float),
    )
