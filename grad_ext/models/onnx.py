"""A fitted model as an ONNX graph, for prediction without Python or torch.

The inputs of the graph are the original columns. It has the encoding (means and scales, bins,
levels), the network with its batch normalisation folded into the weights, and the readout. Like
`grad_ext.models.fit.Model` it computes in double precision on features rounded to single precision,
so that its outputs equal the model's up to rounding.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grad_ext import __version__
from grad_ext.data.columns import Categorical, Numeric, Unused
from grad_ext.data.scalars import MISSING_WORDS
from grad_ext.engine.dense import EPS
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.method import FittedGRAD
from grad_ext.models.persistence import class_name, write_model

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise MissingToolkit("onnx", "onnx") from error

# The oldest operator set with a comparison of strings, and its format version.
OPSET = 19
IR_VERSION = 9
ROWS = "N"
OUTPUTS = ("probabilities", "label", "prediction", "representation")
ARRAYS = {str: np.object_, int: np.int64, float: np.float64, bool: np.bool_}
TYPES = {
    str: TensorProto.STRING,
    int: TensorProto.INT64,
    float: TensorProto.DOUBLE,
    bool: TensorProto.BOOL,
}


def export_onnx(fitted: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model as an ONNX file, whole or not at all.

    Inputs: if all columns are numbers, ``X``, double of shape (N, number of columns), in the order
    of fitting; else one of shape (N, 1) for each column by its name, double for numbers and string
    for categories. Columns that the model left out are none of them. Missing numbers are nan,
    missing categories are empty texts; a level that is not in the training rows is encoded as zeros,
    as in the model.

    Outputs: ``probabilities``, double (N, C), and ``label``, (N,), of a classifier;
    ``prediction``, double (N,), of a regressor; ``representation``, double (N, H), of an encoder.
    The label values of a GRADInProcessing belong to the data set: its ``label`` is 1 for the
    favorable one and 0 for the other; the Auto variant also has a ``representation``.

    Parameters
    ----------
    fitted : GRADClassifier, GRADRegressor, GRADEncoder or GRADInProcessing
        A fitted model.
    path : path-like
        The file to write; an existing one is replaced.

    Raises
    ------
    InputError
        Before anything is written: if `fitted` is of another class or not fitted, column names
        cannot be names of inputs, levels or labels have a type that ONNX lacks, or the path cannot be
        written to.
    MissingToolkit
        If onnx is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from grad_ext import GRADRegressor
    >>> from grad_ext.models.onnx import export_onnx
    >>> X, older = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    >>> model = GRADRegressor(epochs=1, random_state=0).fit(X, X[:, 0], sensitive_features=older)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(model, Path(folder) / "model.onnx")
    """
    model = onnx_model(fitted)
    onnx.checker.check_model(model, full_check=True)
    write_model(Path(path), model.SerializeToString(deterministic=True))


def onnx_model(fitted: Any) -> Any:
    """Return a fitted model as an ``onnx.ModelProto``; errors are those of `export_onnx`."""
    name = class_name(fitted)
    graph = _Graph()
    parts = [part for part in fitted.model_.encoder.parts_ if not isinstance(part, Unused)]
    encoded = _encode(graph, parts)
    _OUTPUTS_OF[name](graph, fitted, encoded)
    return graph.model(name, parts)


# Takes the graph, a trunk's output and its member; returns a value's name.
_OfOne = Callable[["_Graph", str, FittedGRAD], str]


class _Graph:
    """An ONNX graph under construction: every method returns the name of a new value."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.taken = set(OUTPUTS)

    def _free(self, wish: str) -> str:
        n = len(self.taken)
        while f"{wish}_{n}" in self.taken:
            n += 1
        self.taken.add(f"{wish}_{n}")
        return f"{wish}_{n}"

    def input(self, name: str, kind: int, columns: int) -> str:
        if not name or name in self.taken:
            raise InputError(
                f"columns name the inputs: expected names that differ, are not empty and none of "
                f"{', '.join(OUTPUTS)}, got {name!r}"
            )
        self.taken.add(name)
        self.inputs.append(helper.make_tensor_value_info(name, kind, [ROWS, columns]))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        name = self._free("constant")
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = self._free(operator.lower())
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def output(self, name: str, value: str, kind: int, columns: int | None = None) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name], name=name))
        size: list[str | int | None] = [ROWS] if columns is None else [ROWS, columns]
        self.outputs.append(helper.make_tensor_value_info(name, kind, size))

    def model(self, name: str, parts: Sequence[Numeric | Categorical]) -> Any:
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="grad-ext",
            producer_version=__version__,
        )
        columns = json.dumps([str(part.column) for part in parts])
        helper.set_model_props(model, {"columns": columns})
        return model


# --- inputs ----------------------------------------------------------------------------------


def _encode(graph: _Graph, parts: Sequence[Numeric | Categorical]) -> str:
    """Return the encoded features, shape (N, D), from inputs of the original columns."""
    numeric = [part for part in parts if isinstance(part, Numeric)]
    if len(numeric) == len(parts):
        encoded = _numbers(graph, graph.input("X", TensorProto.DOUBLE, len(parts)), numeric)
    else:
        given = [_input(graph, part) for part in parts]
        blocks = [_block(graph, *pair) for pair in zip(given, parts, strict=True)]
        encoded = graph.node("Concat", *blocks, axis=1)
    rounded = graph.node("Cast", encoded, to=TensorProto.FLOAT)
    return graph.node("Cast", rounded, to=TensorProto.DOUBLE)


def _input(graph: _Graph, part: Numeric | Categorical) -> str:
    kind = float if isinstance(part, Numeric) else _kind(part.levels, _levels_of(part))
    name = str(part.column)
    _checked_text(name, "a column's name")
    return graph.input(name, TYPES[kind], 1)


def _block(graph: _Graph, given: str, part: Numeric | Categorical) -> str:
    if isinstance(part, Numeric):
        return _numbers(graph, given, [part])
    levels = graph.constant(_onnx_array(part.levels, _levels_of(part))[None])
    encoded = graph.node("Cast", graph.node("Equal", given, levels), to=TensorProto.DOUBLE)
    if not part.missing:
        return encoded
    words = graph.constant(np.array(sorted(MISSING_WORDS - set(part.levels)), dtype=object)[None])
    equal = graph.node("Cast", graph.node("Equal", given, words), to=TensorProto.DOUBLE)
    return graph.node("Concat", encoded, _row_maximum(graph, equal), axis=1)


def _row_maximum(graph: _Graph, given: str) -> str:
    """Return the largest number of each row, shape (N, 1)."""
    return graph.node("ReduceMax", given, graph.constant(np.array([1])), keepdims=1)


def _levels_of(part: Categorical) -> str:
    return f"the levels of the column {part.column!r}"


def _numbers(graph: _Graph, given: str, parts: Sequence[Numeric]) -> str:
    """Return encoded columns of numbers, shape (N, sum of widths), in the encoder's order."""
    raw, fill = given, [part.mean if part.missing is None else part.missing for part in parts]
    gaps = graph.node("IsNaN", raw)
    given = graph.node("Where", gaps, graph.constant(np.array([fill])), raw)
    standard = _scaled(graph, given, [part.mean for part in parts], [part.scale for part in parts])
    blocks, owners = [standard], list(range(len(parts)))
    bins = [one for part in parts for one in part.bins]
    if bins:
        columns = [i for i, part in enumerate(parts) for _ in part.bins]
        values = graph.node("Gather", standard, graph.constant(np.array(columns)), axis=1)
        starts, widths = [one.start for one in bins], [one.stop - one.start for one in bins]
        limits = [graph.constant(np.array(limit)) for limit in (0.0, 1.0)]
        share = graph.node("Clip", _scaled(graph, values, starts, widths), *limits)
        means, scales = [one.mean for one in bins], [one.scale for one in bins]
        blocks.append(_scaled(graph, share, means, scales))
        owners += columns
    common = [value for part in parts for value in part.common]
    if common:
        columns = [i for i, part in enumerate(parts) for _ in part.common]
        values = graph.node("Gather", raw, graph.constant(np.array(columns)), axis=1)
        equal = graph.node("Equal", values, graph.constant(np.array([common])))
        blocks.append(graph.node("Cast", equal, to=TensorProto.DOUBLE))
        owners += columns
    lacking = [i for i, part in enumerate(parts) if part.missing is not None]
    if lacking:
        some = graph.node("Gather", gaps, graph.constant(np.array(lacking)), axis=1)
        blocks.append(graph.node("Cast", some, to=TensorProto.DOUBLE))
        owners += lacking
    if len(blocks) == 1:
        return standard
    every = graph.node("Concat", *blocks, axis=1)
    # The stable sort puts each column before its bins, those before its common values, and the
    # indicator of missing values last.
    order = np.argsort(owners, kind="stable")
    return graph.node("Gather", every, graph.constant(order), axis=1)


def _scaled(graph: _Graph, given: str, mean: Sequence[float], scale: Sequence[float]) -> str:
    centred = graph.node("Sub", given, graph.constant(np.array([mean])))
    return graph.node("Div", centred, graph.constant(np.array([scale])))


def _kind(values: Collection[Any], what: str) -> type:
    """Return the type of labels or levels, which must be one that ONNX has."""
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    kinds = {type(value) for value in plain}
    if len(kinds) != 1 or not kinds <= set(TYPES):
        names = sorted(kind.__name__ for kind in kinds)
        raise InputError(
            f"{what}: ONNX holds text, whole numbers, floats or bools, all of one kind, got "
            f"{' and '.join(names)}"
        )
    return kinds.pop()


def _onnx_array(values: Collection[Any], what: str) -> NDArray[Any]:
    """Return labels or levels as an array of a type that ONNX has."""
    kind = _kind(values, what)
    if kind is str:
        for value in values:
            _checked_text(str(value), what)
    try:
        return np.array(list(values), dtype=ARRAYS[kind])
    except OverflowError:
        raise InputError(f"{what}: expected whole numbers of 64 bits, got {values}") from None


def _checked_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{what}: expected text that UTF-8 can write, got {text!r}") from None


# --- the network -----------------------------------------------------------------------------


def _trunk(graph: _Graph, h: str, fitted: FittedGRAD) -> str:
    for i in range(len(fitted.network.shape.trunk)):
        h = _layer(graph, h, fitted, f"trunk.{i}", (0,))
    return h


def _layer(graph: _Graph, h: str, fitted: FittedGRAD, layer: str, which: tuple[int, ...]) -> str:
    """Add a fully connected layer, batch-normalised by its running statistics and rectified."""
    state = fitted.network.state()
    kinds = ("weight", "gain", "shift", "mean", "variance")
    weight, gain, shift, mean, variance = (state[f"{layer}.{k}"][which].numpy() for k in kinds)
    scale = gain / np.sqrt(variance + EPS)
    return graph.node("Relu", _affine(graph, h, weight * scale[:, None], shift - scale * mean))


def _affine(graph: _Graph, h: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
    return graph.node("Gemm", h, graph.constant(weight), graph.constant(bias), transB=1)


def _head(graph: _Graph, h: str, fitted: FittedGRAD) -> str:
    """Return the target branch's output, shape (N, R), in the target's units."""
    for i in range(len(fitted.network.shape.branch)):
        h = _layer(graph, h, fitted, f"branch.{i}", (0, 0))
    state = fitted.network.state()
    weight, bias = (state[f"target.head.{kind}"][0].numpy() for kind in ("weight", "bias"))
    return _affine(graph, h, weight * fitted.scale, bias * fitted.scale + fitted.location)


def _probabilities(graph: _Graph, h: str, fitted: FittedGRAD) -> str:
    """Return the probability of every class, shape (N, C)."""
    if fitted.readout is not None:
        weight, units = fitted.readout.weight[0].numpy(), fitted.network.shape.trunk[-1]
        logits = _affine(graph, h, weight[:, :units], weight[:, units])
    else:
        logits = _head(graph, h, fitted)
        if fitted.network.shape.target.classes > 2:
            return graph.node("Softmax", logits, axis=1)
    favorable = graph.node("Sigmoid", logits)
    other = graph.node("Sub", graph.constant(np.array([[1.0]])), favorable)
    return graph.node("Concat", other, favorable, axis=1)


# --- outputs ---------------------------------------------------------------------------------


def _averaged(graph: _Graph, fitted: Any, encoded: str, of_one: _OfOne) -> str:
    """Return the mean, over the members, of what is computed from a member's trunk."""
    pack = fitted.model_.fitted
    members = [pack.member(i) for i in range(pack.network.members)]
    values = [of_one(graph, _trunk(graph, encoded, member), member) for member in members]
    total = values[0]
    for value in values[1:]:
        total = graph.node("Add", total, value)
    # Not "Mean", which onnxruntime lacks in double precision.
    return (
        total
        if len(values) == 1
        else graph.node("Div", total, graph.constant(np.array([float(len(values))])))
    )


def _classify(graph: _Graph, fitted: Any, encoded: str, classes: Sequence[Any]) -> None:
    labels = _onnx_array(classes, "the labels")
    kind = TYPES[_kind(classes, "the labels")]
    probabilities = _averaged(graph, fitted, encoded, _probabilities)
    if len(labels) == 2:
        one = graph.constant(np.array([1]))
        second = graph.node("Gather", probabilities, one, axis=1)
        limit = graph.constant(np.array([fitted.model_.threshold]))
        reached = graph.node("GreaterOrEqual", second, limit)
        chosen = graph.node("Cast", graph.node("Squeeze", reached, one), to=TensorProto.INT64)
    else:
        # A tie between several goes to the first, as in the model.
        chosen = graph.node("ArgMax", probabilities, axis=1, keepdims=0)
    graph.output("probabilities", probabilities, TensorProto.DOUBLE, len(labels))
    graph.output("label", graph.node("Gather", graph.constant(labels), chosen), kind)


def _of_classifier(graph: _Graph, fitted: Any, encoded: str) -> None:
    _classify(graph, fitted, encoded, fitted.classes_.tolist())


def _of_regressor(graph: _Graph, fitted: Any, encoded: str) -> None:
    column = _averaged(graph, fitted, encoded, _head)
    axis = graph.constant(np.array([1], dtype=np.int64))
    graph.output("prediction", graph.node("Squeeze", column, axis), TensorProto.DOUBLE)


def _of_encoder(graph: _Graph, fitted: Any, encoded: str) -> None:
    h = _averaged(graph, fitted, encoded, lambda graph, h, member: h)
    units = fitted.model_.fitted.network.shape.trunk[-1]
    graph.output("representation", h, TensorProto.DOUBLE, units)


def _of_in_processing(graph: _Graph, fitted: Any, encoded: str) -> None:
    _classify(graph, fitted, encoded, [0, 1])
    if fitted.settings.variant == "auto":
        _of_encoder(graph, fitted, encoded)


_OUTPUTS_OF = {
    "GRADClassifier": _of_classifier,
    "GRADEncoder": _of_encoder,
    "GRADInProcessing": _of_in_processing,
    "GRADRegressor": _of_regressor,
}
