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
    SplitOptions,
)
from grad_ext.cli.output import output


@with_options
def card(
    model: Annotated[
        Path,
        typer.Argument(help="File of a fitted model, as `save` writes it.", show_default=False),
    ],
    data: DatasetOptions,
    file: FileOptions,
    split: SplitOptions,
    probes: AuditOptions,
    trained_on: Annotated[
        str,
        typer.Option(
            help="Description of the training data, for the card; the model's file does not contain "
            "it."
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="File to write; by default next to the model.")
    ] = None,
) -> int:
    """Write a model card: settings, metrics for each group, attribute leakage and limitations.

    The model's file contains no data: the options name the rows to evaluate it on, and the card
    states which these are.

    Example: grad-ext card model.safetensors --dataset german --protected age,sex
    """
    from grad_ext.auditing.audit import check_options
    from grad_ext.auditing.tables import audit_table, evaluation_rows, predictions_on
    from grad_ext.files import write_atomically
    from grad_ext.models.persistence import load
    from grad_ext.report.card import model_card

    check_options(probes.folds, probes.seed)
    fitted = load(model)
    table = data.table(file).known()
    rows = evaluation_rows(table, probes.rows, split.split_seed, split.protocol)
    if probes.rows == "test":
        where = f"grad-ext's test set of {table.name} (split seed {split.split_seed})"
    else:
        where = f"all rows of {table.name}"
    predictions = predictions_on(fitted, rows, f"Evaluated on {where}.")
    leakage = audit_table(fitted, rows, folds=probes.folds, seed=probes.seed)
    text = model_card(fitted, model.name, predictions, leakage, trained_on, probes.seed)
    path = out or model.with_name(f"{model.stem}.card.md")
    write_atomically(path, text)
    output().paths({"Card": path})
    output().document({"card": path, "model": model, "sentences": leakage.words()})
    return 0
