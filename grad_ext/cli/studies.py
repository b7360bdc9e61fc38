"""What every command that runs a study does alike."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from grad_ext.evaluate import Problem
    from grad_ext.sweeps.study import Study
    from grad_ext.trial import RowsKey

# A file or a pipe has no width to keep to.
PIPE_WIDTH = 160


def carry_out(
    study: Study, problems: Mapping[RowsKey, Problem], num_cpus: int, pack_size: int
) -> int:
    """Run what is missing in a study, and return 0, or the exit code of what stopped it.

    1 where packs failed, 130 after Ctrl-C; either way what is done is kept, and the reason is on the
    standard error.
    """
    from grad_ext.sweeps.tune import StudyIncomplete, run

    try:
        run(study, problems, num_cpus, pack_size, progress=sys.stderr.isatty())
    except StudyIncomplete as error:
        typer.echo(f"Error: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        done = len(study.records())
        typer.echo(
            f"Interrupted: {done} of {len(study.trials)} models are done and kept; "
            "the same command goes on from there",
            err=True,
        )
        return 130
    return 0


def show_table(title: str, heading: list[str], body: list[list[str]]) -> None:
    """Print lines of text as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(*heading, title=title, box=SIMPLE_HEAD, padding=(0, 1))
    for row in body:
        grid.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(grid)


def show_sentences(sentences: list[str]) -> None:
    """Print sentences, wrapped to the terminal."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    for sentence in sentences:
        console.print(sentence, highlight=False, markup=False)
