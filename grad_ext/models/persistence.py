"""A fitted model as one file of numbers and names, from which nothing can be executed.

The file is in the safetensors format: the network's parameters and running statistics, the
readout's weights and the history as float64 tensors, and a JSON document in the header for all the
rest; docs/saving.md has the table. A digest of document and tensors detects damage. It does not
prove who wrote the file, so `load` also compares every declared size with the tensors of the file
before it creates anything, and takes classes from a closed list.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_bytes

from grad_ext import __version__
from grad_ext.codec import entry, from_json, short, to_json, value_from_json, value_to_json
from grad_ext.data.encoding import Encoder
from grad_ext.errors import InputError, unknown
from grad_ext.files import write_atomically
from grad_ext.models.document import Document, Learned, Sizes
from grad_ext.models.fit import Model
from grad_ext.models.tensors import (
    Tensors,
    checked_arrays,
    fitted_pack,
    fitted_tensors,
    member_epochs,
)

FORMAT = 1
KEY = "grad-ext"
# The module of each class: a file names a class, never a module.
HOMES = {
    "GRADClassifier": "grad_ext.models.sklearn",
    "GRADEncoder": "grad_ext.models.sklearn",
    "GRADInProcessing": "grad_ext.adapters.aif360.inprocessing",
    "GRADRegressor": "grad_ext.models.sklearn",
}
# What skops has to trust to read fitted estimators: skops.io.load(path, trusted=list(SKOPS_TYPES)).
SKOPS_TYPES = (
    "grad_ext.data.sensitive.SensitiveAttribute",
    "grad_ext.models.fit.Model",
    "grad_ext.models.sklearn.GRADClassifier",
    "grad_ext.models.sklearn.GRADEncoder",
    "grad_ext.models.sklearn.GRADRegressor",
    "grad_ext.training.checkpoint.History",
)
INSTEAD = {
    "checkpoint": "name a rule instead, such as 'paper' or 'accuracy@0.05'",
    "random_state": "use an integer instead; the fitted model has the one it used as seed_",
}


@dataclass(frozen=True)
class Signed:
    """A document with the SHA-256 of it and of the tensors: see `digest`."""

    sha256: str
    model: Mapping[str, Any]


def save(fitted: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to one file, whole or not at all.

    Parameters
    ----------
    fitted : GRADClassifier, GRADRegressor, GRADEncoder or GRADInProcessing
        A fitted model.
    path : path-like
        The file to write; an existing one is replaced.

    Raises
    ------
    InputError
        Before anything is written: if `fitted` is of another class or not fitted, if a parameter
        (a function, a generator), column name, label or level cannot be written as JSON, or if the
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
    model, learned = fitted.model_, _learned(fitted)
    for part in model.encoder.parts_:
        _check_writable(f"column {part.column!r}", part)
    for attribute in learned.attributes_ or ():
        _check_writable(f"attribute {attribute.name!r}", attribute)
    _check_writable("training_data_", vars(fitted).get("training_data_"))
    document = Document(
        format=FORMAT,
        version=__version__,
        estimator=name,
        parameters=_parameters(fitted),
        learned=learned,
        network=Sizes.of(model.fitted.network.shape),
        encoder=tuple(model.encoder.parts_),
        epoch=int(model.fitted.epochs[0]),
        constant=bool(model.constant),
        location=float(model.fitted.location),
        scale=float(model.fitted.scale),
        data=vars(fitted).get("training_data_"),
        threshold=float(model.threshold),
        epochs=member_epochs(model.fitted),
    )
    write_model(Path(path), file_bytes(to_json(document), fitted_tensors(model.fitted)))


def load(path: str | os.PathLike[str]) -> Any:
    """Return the fitted model that `save` wrote.

    It predicts bit for bit as the saved one. Nothing in the file is executed, and the memory used
    is at most a small multiple of the file's size.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    GRADClassifier, GRADRegressor, GRADEncoder or GRADInProcessing
        A fitted model of the class that was saved.

    Raises
    ------
    InputError
        If there is no such file, or it is not a safetensors file, not written by grad-ext, damaged,
        of a newer format, or contradicts itself.
    MissingToolkit
        If it holds a GRADInProcessing and AIF360 is not installed.
    """
    path = Path(path)
    data = _read(path)
    try:
        return _fitted(*_verified(data))
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
        If the class is unknown, the model is not fitted, or its trunk is a user's module.
    """
    name = type(fitted).__name__
    if HOMES.get(name) != type(fitted).__module__:
        raise InputError(f"expected one of {', '.join(HOMES)}, got {type(fitted).__qualname__}")
    if "model_" not in vars(fitted):
        raise InputError(f"expected a fitted {name}, got one that is not fitted; call fit first")
    if fitted.model_.fitted.network.shape.module:
        raise InputError("expected a trunk of layers, got a module, whose code a file cannot hold")
    return name


def write_model(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    InputError
        If the path is a folder or cannot be written to.
    """
    if path.is_dir():
        raise InputError(f"expected a file to write, got the folder {path}")
    try:
        write_atomically(path, data)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def file_bytes(document: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float64]]) -> bytes:
    """Return the content of a model file, with its digest."""
    stored = {
        name: {"dtype": "F64", "shape": array.shape, "data": array.astype("<f8").tobytes()}
        for name, array in tensors.items()
    }
    signed = Signed(digest(document, stored), document)
    # One entry: safetensors writes several in random order.
    text = json.dumps(to_json(signed), separators=(",", ":"), allow_nan=False)
    return to_bytes(dict(tensors), metadata={KEY: text})


def digest(document: Mapping[str, Any], tensors: Tensors) -> str:
    """Return the SHA-256 of a document and of the names, types, shapes and bytes of tensors.

    The hashed bytes are the compact JSON of the list [document, [[name, type, shape], ...]],
    tensors sorted by name, followed by the bytes of the tensors in that order.
    """
    names = sorted(tensors)
    described = [[n, tensors[n]["dtype"], list(tensors[n]["shape"])] for n in names]
    total = hashlib.sha256(json.dumps([document, described], separators=(",", ":")).encode())
    for name in names:
        total.update(tensors[name]["data"])
    return total.hexdigest()


def _learned(fitted: Any) -> Learned:
    learned = {field.name: vars(fitted).get(field.name) for field in fields(Learned)}
    # What was chosen for a bound; otherwise it is the parameter.
    chosen = learned["lam_"] if learned["bound_met_"] is not None else None
    return Learned(**{**learned, "lam_": chosen})


def _check_writable(what: str, value: object) -> None:
    try:
        to_json(value)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None


def _parameters(fitted: Any) -> dict[str, Any]:
    given = fitted.get_params(deep=False) if hasattr(fitted, "get_params") else fitted._params
    return {name: _parameter_to_json(name, value) for name, value in given.items()}


def _parameter_to_json(name: str, value: Any) -> Any:
    try:
        return value_to_json(value, name)
    except InputError as error:
        hint = f"; {INSTEAD[name]}" if name in INSTEAD else ""
        raise InputError(f"{error}{hint}") from None


# --- reading ---------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    if not path.exists():
        raise InputError(f"expected a file, but {path} does not exist")
    if not path.is_file():
        raise InputError(f"expected a file, but {path} is a folder or a device")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def _verified(data: bytes) -> tuple[Document, Tensors]:
    """Return the document and the tensors of a file, after a check of its digest."""
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size]
    if not header.startswith(b"{"):
        raise InputError("expected a safetensors file, got another or a damaged one")
    metadata = _parsed(header).get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise InputError(f"expected a model saved by grad-ext, got no {KEY!r} in the metadata")
    signed = from_json(Signed, _parsed(metadata[KEY]), KEY)
    _check_format(signed.model)
    try:
        # safetensors checks that the tensors fill the file without gaps.
        tensors: Tensors = dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise InputError(f"expected a safetensors file: {error}") from None
    expected = digest(signed.model, tensors)
    if signed.sha256 != expected:
        raise InputError(
            f"the file is damaged: expected the SHA-256 {expected}, got {short(signed.sha256)}"
        )
    return from_json(Document, signed.model, "model"), tensors


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
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        parsed = json.loads(text, parse_constant=refuse)
    except ValueError:
        raise InputError("the header is damaged: expected JSON") from None
    if not isinstance(parsed, dict):
        raise InputError(f"the header is damaged: expected a JSON object, got {short(parsed)}")
    return parsed


def _fitted(document: Document, tensors: Tensors) -> Any:
    name = document.estimator
    if name not in HOMES:
        raise unknown("class", name, HOMES)
    parameters = {key: value_from_json(value, key) for key, value in document.parameters.items()}
    shape = document.network.shape()
    document.check(shape)
    members = len(document.epochs) or 1
    arrays = checked_arrays(tensors, shape, document.regressions(shape), members)
    encoder = Encoder()
    encoder.parts_ = list(document.encoder)
    pack = fitted_pack(document, shape, arrays)
    model = Model(encoder, pack, document.constant, document.threshold)
    cls = getattr(import_module(HOMES[name]), name)
    try:
        fitted = cls(**parameters)
    except (TypeError, ValueError) as error:
        raise InputError(f"the parameters are not those of {name}: {error}") from None
    learned = {n: value for n, value in vars(document.learned).items() if value is not None}
    vars(fitted).update(learned, model_=model, constant_=model.constant)
    fitted.lam_ = vars(fitted).get("lam_", fitted.lam)
    if document.data is not None:
        fitted.training_data_ = document.data
    if name == "GRADEncoder":
        fitted.classes_ = document.learned.classes_
    if name != "GRADInProcessing":
        fitted.history_ = model.fitted.history
        fitted.best_epoch_ = document.epoch
    return fitted
