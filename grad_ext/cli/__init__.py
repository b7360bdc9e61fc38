"""The command line: parse, one library call, print.

The composition root, and so the one place that may look up to adapters and sweeps; every library is
imported inside the command that needs it, which keeps `grad-ext --help` instant.
"""

from __future__ import annotations

import errno
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from grad_ext.cli import audit, card, compare, data, report, reproduce, sweep, train
from grad_ext.cli.output import AsJson, Quiet, shown
from grad_ext.errors import InputError, MissingToolkit

app = typer.Typer(
    help="""GRAD: protect networks against discrimination, and study how settings and seeds change
    the outcome.

    Example: grad-ext sweep lambda --dataset german; then open the report that it names.

    Each command's --help says more. Exit codes: 0 done, 1 not finished, 2 bad input, 130 Ctrl-C.
    """,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
app.add_typer(sweep.app, name="sweep")
app.command("compare")(compare.compare)
app.command("train")(train.train)
app.command("audit")(audit.audit)
app.command("card")(card.card)
app.command("report")(report.report)
app.command("reproduce")(reproduce.reproduce)
app.add_typer(data.app, name="data")

# No space, no quota, a file too large.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Late versions of typer carry a copy of click: its errors are found by way of the one it exports.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"grad-ext {version('grad-ext')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    sweep.help_without_command(context)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 for success, 1 for a study that could not be finished or a full disk, 2 for bad input, 130 after Ctrl-C. What
    the user can act on is one line on the standard error; a defect keeps its traceback.
    """
    try:
        with shown():
            result = app(arguments, prog_name="grad-ext", standalone_mode=False)
    except (InputError, MissingToolkit, UsageError) as error:
        text = error.format_message() if isinstance(error, typer.BadParameter) else str(error)
        # Of what was typed wrongly the help of the command knows more.
        context = getattr(error, "ctx", None)
        hint = "" if context is None else f" See {context.command_path} --help"
        print(f"Error: {' '.join(text.split())}{hint}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in FULL:
            raise
        print(f"Error: {error}; what is done is kept", file=sys.stderr)
        return 1
    return result if isinstance(result, int) else 0
