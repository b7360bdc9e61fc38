"""`grad-ext export`: write a saved model in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli.groups import with_options
from grad_ext.cli.options import ModelFile
from grad_ext.cli.output import output
from grad_ext.errors import InputError


@with_options
def export(
    model: ModelFile,
    path: Annotated[
        Path | None,
        typer.Argument(help="File to write; by default next to the model.", show_default=False),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="As an ONNX graph, the only format there is.")
    ] = False,
) -> None:
    """Write a saved model as an ONNX graph: the columns as they are go in, probabilities come out.

    Example: grad-ext export model.safetensors --onnx model.onnx
    """
    if not onnx:
        raise InputError("expected a format: --onnx")

    from grad_ext.models.onnx import export_onnx
    from grad_ext.models.persistence import load

    target = path or model.with_suffix(".onnx")
    if target == model:
        raise InputError(f"{target} is the model; name another file to write")
    export_onnx(load(model), target)
    output().paths({"ONNX": target})
    output().document({"model": model, "onnx": target})
