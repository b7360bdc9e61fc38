"""`grad-ext card`: write the model card of a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli.groups import with_options
from grad_ext.cli.options import (
    AuditOptions,
    DatasetOptions,
    FileOptions,
    ModelFile,
    RowsFile,
    SplitOptions,
    model_rows,
)
from grad_ext.cli.output import output, warnings_as_lines


@with_options
def card(
    model: ModelFile,
    data: DatasetOptions,
    file: FileOptions,
    split: SplitOptions,
    probes: AuditOptions,
    path: RowsFile = None,
    trained_on: Annotated[
        str,
        typer.Option(
            help="Description of the training data, for the card of a model whose file does not "
            "record them."
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="File to write; by default next to the model.")
    ] = None,
) -> int:
    """Write a model card: training, metrics for each group, attribute leakage and limitations.

    The model's file contains no rows: name those to evaluate it on. The roles of their columns are
    those that the model was trained with; options take their place.

    Example: grad-ext card model.safetensors test.csv
    """
    from grad_ext.auditing import tables
    from grad_ext.models.persistence import load

    fitted = load(model)
    target = out or model.with_name(f"{model.stem}.card.md")
    with warnings_as_lines():
        written = tables.card(
            fitted,
            out=target,
            name=model.name,
            trained_on=trained_on,
            folds=probes.folds,
            seed=probes.seed,
            **model_rows(fitted, path, data, file, split, probes.rows),
        )
    output().paths({"Card": target})
    output().document({"card": target, "model": model, "sentences": written.leakage.words()})
    return 0
