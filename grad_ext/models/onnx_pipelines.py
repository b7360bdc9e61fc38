"""Pipelines as ONNX graphs: converters of the estimators for skl2onnx.

skl2onnx converts scikit-learn's own steps. `register_converters` teaches it the estimators, whose part
of the graph is that of `grad_ext.models.onnx.export_onnx`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from grad_ext.data.columns import Categorical, Numeric, Unused
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.models.onnx import OPSET, onnx_model
from grad_ext.models.sklearn import GRADClassifier, GRADEncoder, GRADRegressor

try:
    from onnx import TensorProto, helper, numpy_helper
    from skl2onnx import update_registered_converter
    from skl2onnx.common.data_types import (
        DoubleTensorType,
        Int64TensorType,
        StringTensorType,
        guess_tensor_type,
    )
except ImportError as error:
    raise MissingToolkit("skl2onnx", "onnx") from error

# Up to here whole numbers are the same in single precision.
MOST_EXACT = 2**24


def register_converters() -> None:
    """Let skl2onnx convert pipelines that end in, or contain, an estimator of grad-ext.

    Give skl2onnx numbers as ``DoubleTensorType`` (rows of float64). In single precision the steps
    before the estimator round, and values that are encoded one by one, since they are common among
    the training rows, would not be recognised: where that would change predictions, such inputs are
    refused. Probabilities have the type of the inputs; for doubles set the option ``zipmap`` to
    False. The operator set must be `OPSET` or a later one.

    Examples
    --------
    >>> import numpy as np
    >>> from skl2onnx import to_onnx
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from grad_ext import GRADRegressor
    >>> from grad_ext.models.onnx_pipelines import OPSET, register_converters
    >>> X = np.random.default_rng(0).normal(size=(40, 2))
    >>> model = make_pipeline(StandardScaler(), GRADRegressor(epochs=1, random_state=0))
    >>> _ = model.fit(X, X[:, 0], gradregressor__sensitive_features=np.arange(40) % 2)
    >>> register_converters()
    >>> [output.name for output in to_onnx(model, X, target_opset=OPSET).graph.output]
    ['variable']
    """
    of_classes = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
    for estimator, shapes, options in (
        (GRADClassifier, _classifier_shapes, of_classes),
        (GRADRegressor, _regressor_shapes, None),
        (GRADEncoder, _encoder_shapes, None),
    ):
        update_registered_converter(
            estimator, f"GradExt{estimator.__name__}", shapes, _convert, options=options
        )


# --- types of the outputs --------------------------------------------------------------------


def _classifier_shapes(operator: Any) -> None:
    classes = operator.raw_operator.classes_
    kind = {"i": Int64TensorType, "u": Int64TensorType, "b": Int64TensorType}.get(
        classes.dtype.kind, StringTensorType
    )
    if kind is StringTensorType and not all(isinstance(label, str) for label in classes):
        raise InputError(
            f"the labels: skl2onnx holds text and whole numbers, got {classes.tolist()}"
        )
    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = kind([rows])
    operator.outputs[1].type = _number_type(operator)([rows, len(classes)])


def _regressor_shapes(operator: Any) -> None:
    operator.outputs[0].type = _number_type(operator)([operator.inputs[0].get_first_dimension(), 1])


def _encoder_shapes(operator: Any) -> None:
    units = operator.raw_operator.model_.fitted.network.shape.trunk[-1]
    operator.outputs[0].type = _number_type(operator)(
        [operator.inputs[0].get_first_dimension(), units]
    )


def _number_type(operator: Any) -> Any:
    return type(guess_tensor_type(operator.inputs[0].type))


# --- nodes -----------------------------------------------------------------------------------


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add an estimator's nodes to skl2onnx's graph."""
    if container.target_opset < OPSET:
        raise InputError(f"target_opset: expected at least {OPSET}, got {container.target_opset}")
    model = operator.raw_operator
    graph = onnx_model(model).graph
    parts = model.model_.encoder.parts_
    names = _inputs(scope, operator, container, graph, parts)
    for tensor in graph.initializer:
        names[tensor.name] = scope.get_unique_variable_name(tensor.name)
        tensor.name = names[tensor.name]
        container.initializers.append(tensor)
    for node in graph.node:
        for value in node.output:
            names[value] = scope.get_unique_variable_name(value)
        _add(
            scope,
            container,
            node.op_type,
            [names[value] for value in node.input],
            [names[value] for value in node.output],
            **{one.name: helper.get_attribute_value(one) for one in node.attribute},
        )
    if isinstance(model, GRADClassifier):
        wanted: tuple[str, ...] = ("label", "probabilities")
    else:
        wanted = ("representation",) if isinstance(model, GRADEncoder) else ("prediction",)
    for name, output in zip(wanted, operator.outputs, strict=True):
        value = names[name]
        if name == "prediction":
            value = _node(scope, container, "Reshape", [value, _whole(scope, container, [-1, 1])])
        kind = output.type.to_onnx_type().tensor_type.elem_type
        _add(scope, container, "Cast", [value], [output.full_name], to=kind)


def _inputs(
    scope: Any, operator: Any, container: Any, graph: Any, parts: Sequence[Any]
) -> dict[str, str]:
    """Return skl2onnx's names of the estimator's inputs, by their names in the estimator's graph."""
    given = operator.inputs
    used = [k for k, part in enumerate(parts) if not isinstance(part, Unused)]
    numeric = all(isinstance(parts[k], Numeric) for k in used)
    columns = [] if numeric else _columns(given, parts)
    _check_precision(given, parts)
    if numeric:
        values = [_double(scope, container, one) for one in given]
        joined = values[0]
        if len(values) > 1:
            joined = _node(scope, container, "Concat", values, axis=1)
        if len(used) < len(parts):
            joined = _node(
                scope, container, "Gather", [joined, _whole(scope, container, used)], axis=1
            )
        return {"X": joined}
    names = {}
    for one, k in zip(graph.input, used, strict=True):
        kind = one.type.tensor_type.elem_type
        name = columns[k].full_name
        if columns[k].type.to_onnx_type().tensor_type.elem_type != kind:
            name = _node(scope, container, "Cast", [name], to=kind)
        names[one.name] = name
    return names


def _columns(given: Sequence[Any], parts: Sequence[Any]) -> Sequence[Any]:
    """Return the input of each column of fitting."""
    if len(given) != len(parts):
        raise InputError(
            f"an estimator with categories needs an input for each of its {len(parts)} columns, got "
            f"{len(given)} inputs; encode categories in a step before it (OneHotEncoder), or export "
            "the estimator alone by grad_ext.models.onnx.export_onnx"
        )
    for one, part in zip(given, parts, strict=True):
        text = isinstance(one.type, StringTensorType)
        if isinstance(part, Numeric) and text:
            raise InputError(f"column {part.column!r}: expected an input of numbers, got text")
        if isinstance(part, Categorical) and text != isinstance(part.levels[0], str):
            raise InputError(f"column {part.column!r}: expected an input of the levels' type")
    return given


def _check_precision(given: Sequence[Any], parts: Sequence[Any]) -> None:
    """Check that values common in training can be recognised in the inputs' precision."""
    if any(isinstance(one.type, DoubleTensorType) for one in given):
        return
    for part in parts:
        common = np.array(part.common if isinstance(part, Numeric) else ())
        if (common != np.round(common)).any() or (np.abs(common) > MOST_EXACT).any():
            raise InputError(
                f"column {part.column!r}: some values are encoded one by one, which single precision "
                "does not keep; give skl2onnx the numbers as DoubleTensorType (rows of float64)"
            )


def _double(scope: Any, container: Any, variable: Any) -> str:
    return _node(scope, container, "Cast", [variable.full_name], to=TensorProto.DOUBLE)


def _whole(scope: Any, container: Any, values: Sequence[int]) -> str:
    name: str = scope.get_unique_variable_name("constant")
    container.initializers.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
    return name


def _node(
    scope: Any, container: Any, operator: str, inputs: Sequence[str], **attributes: Any
) -> str:
    name: str = scope.get_unique_variable_name(operator.lower())
    _add(scope, container, operator, inputs, [name], **attributes)
    return name


def _add(
    scope: Any,
    container: Any,
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    **attributes: Any,
) -> None:
    container.add_node(
        operator,
        list(inputs),
        list(outputs),
        name=scope.get_unique_operator_name(operator),
        **attributes,
    )
