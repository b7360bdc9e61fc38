"""The command line: each command parses its options, makes one library call and prints the result.

This package may import adapters and sweeps. Commands import libraries in their bodies, so that
`grad-ext --help` is fast.
"""

from __future__ import annotations

import errno
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from grad_ext.cli import (
    audit,
    benchmark,
    card,
    compare,
    data,
    evaluate,
    export,
    fit,
    predict,
    report,
    reproduce,
    sweep,
    train,
)
from grad_ext.cli.groups import help_without_command, with_options
from grad_ext.cli.output import printing
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.sinks import printable

app = typer.Typer(
    help="""GRAD: train fair neural networks by gradient reversal, and study how settings and seeds
    affect the metrics.

    Example: grad-ext sweep lambda --dataset german; then open the report at the printed path.

    See the --help of each command. Exit codes: 0 done, 1 not finished, 2 bad input, 130 Ctrl-C.
    """,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
app.command("fit")(fit.fit)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(sweep.app, name="sweep")
app.command("compare")(compare.compare)
app.command("benchmark")(benchmark.benchmark)
app.command("train")(train.train)
app.command("audit")(audit.audit)
app.command("card")(card.card)
app.command("export")(export.export)
app.command("report")(report.report)
app.command("reproduce")(reproduce.reproduce)
app.add_typer(data.app, name="data")

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Recent versions of typer contain a copy of click, whose base class of errors they do not export.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"grad-ext {version('grad-ext')}")
        raise typer.Exit


@app.callback()
@with_options
def _root(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    help_without_command(context)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    The code is 0 for success, 1 for an unfinished study or a full disk, 2 for bad input or a path that
    cannot be used, and 130 after Ctrl-C. Errors that the user can fix are on standard error, a line for each problem; others have a
    traceback.
    """
    try:
        with printing():
            result = app(arguments, prog_name="grad-ext", standalone_mode=False)
    except (InputError, MissingToolkit, UsageError) as error:
        text = error.format_message() if isinstance(error, typer.BadParameter) else str(error)
        # Errors in the options have the context of the command, whose help lists them.
        context = getattr(error, "ctx", None)
        hint = "" if context is None else f" See {context.command_path} --help"
        lines = [" ".join(line.split()) for line in text.splitlines()]
        print(printable("Error: " + "\n".join(filter(None, lines)) + hint), file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno in DISK_FULL:
            print(printable(f"Error: {error}; finished work is saved"), file=sys.stderr)
            return 1
        if error.filename is None:
            raise
        print(printable(f"Error: {error.filename}: {error.strerror}"), file=sys.stderr)
        return 2
    return result if isinstance(result, int) else 0
