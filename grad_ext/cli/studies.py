"""What every command that runs a study does alike."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from grad_ext.sweeps.resources import Resources
    from grad_ext.sweeps.study import StudyFolder

# A file or a pipe has no width to keep to.
PIPE_WIDTH = 160
# Seconds until an interrupt that was lost is raised again.
AGAIN = 1.0


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt after Ctrl-C until it gets through.

    Python drops what is raised in a destructor or a callback, of which an import has many: an
    interrupt that comes while libraries are loaded can be lost.
    """
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise KeyboardInterrupt

    handled = (signal.SIGINT, signal.SIGALRM)
    before = [signal.signal(number, interrupt) for number in handled]
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)


def carry_out(study: StudyFolder, work: Callable[[], None], models: int | None = None) -> int:
    """Run what is missing in a study, and return 0, or the exit code of what stopped it.

    `models` is how many it is to have, where its plan does not have them all beforehand.

    1 where packs failed, 130 after Ctrl-C; either way what is done is kept, and
    the reason is on the standard error.
    """
    from grad_ext.sweeps.study import StudyFolder
    from grad_ext.sweeps.tune import StudyIncomplete

    try:
        with interruptible():
            work()
    except StudyIncomplete as error:
        typer.echo(f"Error: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        # A search has more trials by now than when it was opened.
        now = StudyFolder.read(study.folder)
        typer.echo(
            f"Interrupted: {len(now.records())} of {models or len(now.trials)} models are done and kept; "
            "the same command goes on from there",
            err=True,
        )
        return 130
    return 0


def resources_of(given: Mapping[str, Any]) -> Resources:
    """Return what a command's options allow a study to use.

    Raises
    ------
    InputError
        If something makes no sense, or this machine has no such thing.
    """
    from grad_ext.sweeps.resources import Resources

    names = ("num_cpus", "pack_size", "gpus_per_pack", "address", "storage")
    found = {name: given[name] for name in names if given.get(name) is not None}
    if str(found.get("pack_size", "")).isdecimal():
        found["pack_size"] = int(found["pack_size"])
    return Resources(**found)


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
