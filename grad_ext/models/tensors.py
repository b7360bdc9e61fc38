"""The tensors of a model file: parameters and statistics of the network, readout and history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from grad_ext.codec import from_json, short, to_json
from grad_ext.data.encoding import Encoder
from grad_ext.engine.logistic import WIDTH_STEP, Readout
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError
from grad_ext.method import FittedGRAD
from grad_ext.models.document import Core, Document, Sizes
from grad_ext.training.checkpoint import History

# Data type, shape and bytes of each tensor by name, as safetensors reads them.
Tensors = Mapping[str, Mapping[str, Any]]


def fitted_tensors(fitted: FittedGRAD) -> dict[str, NDArray[np.float64]]:
    """Return the arrays of a pack by their names in the file."""
    names = _network_sizes(fitted.network.shape, fitted.network.members)
    values = fitted.network.state().values()
    arrays = {name: value.numpy() for name, value in zip(names, values, strict=True)}
    if fitted.readout is not None:
        arrays["readout.weight"] = fitted.readout.weight.numpy()
    arrays |= {f"history.{f.name}": getattr(fitted.history, f.name) for f in fields(History)}
    return {n: np.ascontiguousarray(array, dtype=np.float64) for n, array in arrays.items()}


def _network_sizes(shape: Shape, members: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of the network by its name in the file.

    In the file attributes have numbers, since their own names may hold any character.
    """
    numbered = [replace(branch, name=str(k)) for k, branch in enumerate(shape.attributes)]
    neutral = replace(shape, attributes=tuple(numbered))
    sizes = neutral.parameters() | neutral.statistics()
    return {f"network.{name}": (members, *size) for name, size in sizes.items()}


def checked_arrays(
    tensors: Tensors, shape: Shape, regressions: int, members: int = 1
) -> dict[str, NDArray[np.float64]]:
    """Return the tensors as arrays, after a check of their names, types and shapes.

    Parameters
    ----------
    tensors : mapping
        The tensors of the file.
    shape : Shape
        The shape of the network.
    regressions : int
        Number of logistic regressions of the readout; 0 for none.
    members : int, default 1
        Members of the ensemble.

    Raises
    ------
    InputError
        If a tensor is missing, unknown, or of another type or shape.
    """
    expected = _network_sizes(shape, members) | _history_sizes(tensors, shape, members)
    if regressions:
        padded = -(-(shape.trunk[-1] + 1) // WIDTH_STEP) * WIDTH_STEP
        expected["readout.weight"] = (members, regressions, padded)
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


def core_state(
    fitted: FittedGRAD, encoder: Encoder, constant: bool, threshold: float
) -> dict[str, Any]:
    """Return a model as text and arrays, of which `restored_core` makes it again.

    Raises
    ------
    InputError
        If a column's name or a level cannot be written as JSON.
    """
    core = Core(
        network=Sizes.of(fitted.network.shape),
        encoder=tuple(encoder.parts_),
        epoch=int(fitted.epochs[0]),
        constant=bool(constant),
        location=float(fitted.location),
        scale=float(fitted.scale),
        threshold=float(threshold),
        epochs=member_epochs(fitted),
    )
    text = json.dumps(to_json(core), allow_nan=False)
    return {"core": text, "arrays": fitted_tensors(fitted), "device": fitted.device}


def member_epochs(fitted: FittedGRAD) -> tuple[int, ...]:
    """Return the selected epochs of an ensemble's members; empty for one model."""
    return tuple(int(epoch) for epoch in fitted.epochs) if len(fitted.epochs) > 1 else ()


def restored_core(state: Mapping[str, Any]) -> tuple[Encoder, FittedGRAD, bool, float]:
    """Return the encoder, the pack, whether it is constant, and the threshold, from `core_state`.

    Raises
    ------
    InputError
        If the state contradicts itself.
    """
    core = from_json(Core, json.loads(state["core"]), "core")
    shape = core.network.shape()
    core.check(shape)
    tensors = {
        name: {
            "dtype": "F64" if array.dtype == np.float64 else str(array.dtype),
            "shape": array.shape,
            "data": np.ascontiguousarray(array).tobytes(),
        }
        for name, array in state["arrays"].items()
    }
    readout = state["arrays"].get("readout.weight")
    regressions = 0 if readout is None else readout.shape[1]
    arrays = checked_arrays(tensors, shape, regressions, len(core.epochs) or 1)
    encoder = Encoder()
    encoder.parts_ = list(core.encoder)
    # A model that scored on a GPU is read back without one too.
    device = state["device"] if torch.cuda.is_available() else "cpu"
    fitted = replace(fitted_pack(core, shape, arrays), device=device)
    return encoder, fitted, core.constant, core.threshold


def _history_sizes(tensors: Tensors, shape: Shape, members: int) -> dict[str, tuple[int, ...]]:
    """Return the history's shapes, given the file's numbers of epochs and evaluated attributes."""
    epochs = _first_sizes(tensors, "history.loss")[0]
    evaluated = _first_sizes(tensors, "history.discrimination_by_attribute")[1]
    sizes = {f"history.{field.name}": (epochs, members) for field in fields(History)}
    return sizes | {
        "history.attribute_loss": (epochs, len(shape.attributes), members),
        "history.discrimination_by_attribute": (epochs, evaluated, members),
    }


def _first_sizes(tensors: Tensors, name: str) -> tuple[int, int]:
    size = tuple(tensors[name]["shape"]) if name in tensors else ()
    if len(size) < 2 or 0 in size:
        raise InputError(f"tensor {name!r}: expected epochs and members, got the shape {size}")
    return size[0], size[1]


def fitted_pack(
    document: Document | Core, shape: Shape, arrays: Mapping[str, NDArray[np.float64]]
) -> FittedGRAD:
    """Return the pack of a document and its arrays.

    Raises
    ------
    InputError
        If the history has no such epoch.
    """
    history = History(**{f.name: arrays[f"history.{f.name}"] for f in fields(History)})
    epochs = document.epochs or (document.epoch,)
    for epoch in (document.epoch, *epochs):
        if not 1 <= epoch <= len(history.loss):
            raise InputError(f"epoch: expected 1 to {len(history.loss)}, got {epoch}")
    own = (*shape.parameters(), *shape.statistics())
    state = {
        name: torch.from_numpy(arrays[stored])
        for name, stored in zip(own, _network_sizes(shape, len(epochs)), strict=True)
    }
    weight = arrays.get("readout.weight")
    return FittedGRAD(
        network=Network.from_state(shape, state, torch.float64),
        readout=None if weight is None else Readout(torch.from_numpy(weight)),
        history=history,
        epochs=np.array(epochs, dtype=np.intp),
        location=document.location,
        scale=document.scale,
    )
