"""`grad-ext predict`: predict for every row of a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from grad_ext.cli.groups import with_options
from grad_ext.cli.options import ModelFile
from grad_ext.cli.output import output, warnings_as_lines
from grad_ext.errors import InputError


@with_options
def predict(
    model: ModelFile,
    path: Annotated[
        Path, typer.Argument(help="File with the rows, which needs the model's features only.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="CSV file to write; by default, or with -, the standard output."),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(help="Columns of the file to copy, such as an identifier; comma-separated."),
    ] = None,
    missing_values: Annotated[
        str | None,
        typer.Option(
            help="Texts that stand for a missing value, comma-separated; those of the training by "
            "default."
        ),
    ] = None,
    sep: Annotated[str | None, typer.Option(help="Separator of the fields.")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of the file, such as cp1252; UTF-8 by default.")
    ] = None,
) -> None:
    """Write the predicted label and its score for every row of a file, in the file's order.

    Labels are in the words of the training data; the score is the probability of the favorable one.
    Neither labels nor protected columns are needed. The file may be larger than the memory.

    Example: grad-ext predict model.safetensors new.csv --out scores.csv
    """
    from grad_ext.data.lists import listed
    from grad_ext.models.workflow import predict_file

    printer = output()
    to_stdout = out is None or str(out) == "-"
    if to_stdout and printer.as_json:
        raise InputError("--json: name the file to write with --out")
    target = sys.stdout.buffer if to_stdout else out
    assert target is not None
    with warnings_as_lines():
        rows = predict_file(
            model,
            path,
            target,
            keep=listed(keep) or (),
            missing_values=listed(missing_values),
            sep=sep,
            encoding=encoding,
        )
    if not to_stdout:
        printer.line(f"{rows:,} rows")
        printer.paths({"Predictions": out})
        printer.document({"predictions": out, "rows": rows})
