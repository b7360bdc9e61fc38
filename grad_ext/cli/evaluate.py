"""`grad-ext evaluate`: evaluate a saved model on rows."""

from __future__ import annotations

from typing import Annotated

import typer

from grad_ext.cli.groups import with_options
from grad_ext.cli.options import (
    DatasetOptions,
    FileOptions,
    ModelFile,
    RowsFile,
    RowsOption,
    SplitOptions,
    model_rows,
)
from grad_ext.cli.output import output, warnings_as_lines


@with_options
def evaluate(
    model: ModelFile,
    data: DatasetOptions,
    file: FileOptions,
    split: SplitOptions,
    path: RowsFile = None,
    rows: RowsOption = "test",
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
) -> None:
    """Show the metrics of a saved model on a file or data set, overall and by group.

    The roles of the columns and the groups are those that the model was trained with; options take
    their place.

    Example: grad-ext evaluate model.safetensors test.csv
    """
    from grad_ext.cli.models import show_held_out
    from grad_ext.cli.tables import show_tables
    from grad_ext.models.held_out import held_out
    from grad_ext.models.persistence import load
    from grad_ext.models.workflow import rows_for_model

    fitted = load(model)
    table, which = rows_for_model(fitted, **model_rows(fitted, path, data, file, split, rows))
    show_tables([table])
    with warnings_as_lines():
        result = held_out(fitted, table, which, seed)
    output().document({"model": model, **show_held_out(result)})
