"""Whole pipelines of scikit-learn as ONNX graphs: converters of the estimators for skl2onnx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from grad_ext.data.columns import Categorical, Unused
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.models.onnx import OPSET, onnx_model
from grad_ext.models.sklearn import GRADClassifier, GRADEncoder, GRADRegressor

try:
    import skl2onnx
    from onnx import TensorProto, helper, numpy_helper
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType
except ImportError as error:
    raise MissingToolkit("skl2onnx", "onnx") from error

ESTIMATORS = (GRADClassifier, GRADRegressor, GRADEncoder)


def register_converters() -> None:
    """Let skl2onnx convert pipelines that end in, or contain, an estimator of grad-ext.

    The steps before it must give it an array of numbers; a classifier alone that was fitted on a
    frame with text is written by `grad_ext.models.onnx.export_onnx`. The operator set must be `OPSET`
    or a later one.

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
    for estimator in ESTIMATORS:
        skl2onnx.update_registered_converter(
            estimator,
            f"GradExt{estimator.__name__}",
            _shapes,
            _convert,
            options={"zipmap": [True, False, "columns"], "nocl": [True, False]}
            if estimator is GRADClassifier
            else None,
        )


def _shapes(operator: Any) -> None:
    """Set the types of the outputs that skl2onnx has named."""
    model, rows = operator.raw_operator, operator.inputs[0].get_first_dimension()
    outputs = operator.outputs
    if isinstance(model, GRADClassifier):
        text = model.classes_.dtype.kind in "OU"
        outputs[0].type = StringTensorType([rows]) if text else Int64TensorType([rows])
        outputs[1].type = DoubleTensorType([rows, len(model.classes_)])
    elif isinstance(model, GRADEncoder):
        outputs[0].type = DoubleTensorType([rows, model.model_.fitted.network.shape.trunk[-1]])
    else:
        outputs[0].type = DoubleTensorType([rows, 1])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the graph of a fitted estimator to that of its pipeline, with names of its own."""
    model = operator.raw_operator
    parts = model.model_.encoder.parts_
    if any(isinstance(part, Categorical) for part in parts):
        raise InputError(
            f"expected a {type(model).__name__} that gets an array of numbers from the step before "
            "it, got one with columns of text; export it alone with export_onnx"
        )
    graph = onnx_model(model).graph
    used = np.flatnonzero([not isinstance(part, Unused) for part in parts])
    names = {graph.input[0].name: str(scope.get_unique_variable_name("used"))}

    def renamed(name: str) -> str:
        if name not in names:
            names[name] = str(scope.get_unique_variable_name(name))
        return names[name]

    double = scope.get_unique_variable_name("double")
    columns = scope.get_unique_variable_name("columns")
    container.add_node(
        "Cast", operator.inputs[0].full_name, double, op_version=OPSET, to=TensorProto.DOUBLE
    )
    container.add_initializer(columns, TensorProto.INT64, used.shape, used.astype(np.int64))
    container.add_node(
        "Gather", [double, columns], names[graph.input[0].name], op_version=OPSET, axis=1
    )
    for tensor in graph.initializer:
        copied = numpy_helper.to_array(tensor)
        container.add_initializer(renamed(tensor.name), tensor.data_type, copied.shape, copied)
    for node in graph.node:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        container.add_node(
            node.op_type,
            [renamed(name) for name in node.input],
            [renamed(name) for name in node.output],
            name=scope.get_unique_operator_name(node.op_type),
            op_version=OPSET,
            **attributes,
        )
    _outputs(operator, container, renamed, model)


def _outputs(operator: Any, container: Any, renamed: Callable[[str], str], model: Any) -> None:
    """Give the graph's outputs the names that skl2onnx expects."""
    results = [variable.full_name for variable in operator.outputs]
    if isinstance(model, GRADRegressor):
        shape = f"{results[0]}_shape"
        container.add_initializer(shape, TensorProto.INT64, [2], [-1, 1])
        inputs = [renamed("prediction"), shape]
        container.add_node("Reshape", inputs, results[0], op_version=OPSET)
        return
    encoder = isinstance(model, GRADEncoder)
    own = ("representation",) if encoder else ("label", "probabilities")
    for name, result in zip(own, results, strict=True):
        container.add_node("Identity", renamed(name), result, op_version=OPSET)
