"""Print the result of a command: as tables for people, or as one JSON document for scripts.

    out = output()
    out.table("German", heading, body)
    out.paths({"Study folder": folder, "Report": page})
    out.document({"study": folder, "report": page, "rows": frame})

Every command passes both forms. `--json` and `--quiet`, anywhere on the command line, decide which of
them is printed.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import typer

from grad_ext.sinks import printable, printable_json

if TYPE_CHECKING:
    from rich.console import Console

# Width of tables in a file or a pipe, which have none of their own.
PIPE_WIDTH = 180
STDOUT = 1


class Output:
    """Printer of the result of one run of the command line.

    Attributes
    ----------
    as_json : bool
        Whether to print one JSON document on standard output, and nothing else.
    quiet : bool
        Whether to print only paths, without progress, tables and sentences.
    """

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False
        self._document: Mapping[str, Any] | None = None
        self._reserved = ExitStack()

    @property
    def progress(self) -> bool:
        """Whether to show a progress bar on standard error."""
        return sys.stderr.isatty() and not self.quiet

    @property
    def _silent(self) -> bool:
        return self.as_json or self.quiet

    def to_json(self) -> None:
        """Reserve standard output for the document, and send everything else to standard error."""
        if not self.as_json:
            self.as_json = True
            self._reserved.enter_context(_redirected())

    def table(self, title: str, heading: Sequence[str], body: Sequence[Sequence[str]]) -> None:
        """Print a table of text."""
        if self._silent:
            return
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        def cells(texts: Sequence[str]) -> list[Text]:
            # Rich reads markup and the names of emoji in a str, not in a Text.
            return [Text(printable(text)) for text in texts]

        grid = Table(box=SIMPLE_HEAD, padding=(0, 1))
        grid.title = Text(printable(title), style="table.title")
        for name in cells(heading):
            grid.add_column(name)
        for row in body:
            grid.add_row(*cells(row))
        _console().print(grid)

    def sentences(self, sentences: Sequence[str]) -> None:
        """Print sentences, wrapped to the width of the terminal."""
        if self._silent or not sentences:
            return
        console = _console()
        for sentence in sentences:
            console.print(printable(sentence), highlight=False, markup=False, emoji=False)

    def line(self, text: str, always: bool = False) -> None:
        """Print a line, not wrapped; with `always` also if `quiet`."""
        if not self._silent or (always and not self.as_json):
            typer.echo(printable(text))

    def paths(self, named: Mapping[str, object]) -> None:
        """Print named paths, a line each. They are not wrapped, so that they can be copied."""
        if not self.as_json:
            lines = [printable(f"{name}: {path}") for name, path in named.items()]
            typer.echo("\n".join(lines))

    def document(self, values: Mapping[str, Any]) -> None:
        """Set the JSON document: JSON values, data frames, paths and numpy scalars and arrays."""
        self._document = values

    def end(self) -> None:
        """Restore standard output, and print the document if `as_json`."""
        self._reserved.close()
        if self.as_json and self._document is not None:
            text = json.dumps(plain(self._document), ensure_ascii=False, allow_nan=False, indent=1)
            typer.echo(printable_json(text))


_CURRENT: ContextVar[Output] = ContextVar("output")


def output() -> Output:
    """Return the printer of this run of the command line."""
    return _CURRENT.get()


@contextmanager
def printing() -> Iterator[Output]:
    """Make a printer for one run of the command line, and print its document at the end."""
    token = _CURRENT.set(Output())
    try:
        yield _CURRENT.get()
        _CURRENT.get().end()
    except BaseException:
        # A command that failed prints no document; the reason is on standard error.
        _CURRENT.get()._document = None
        _CURRENT.get().end()
        raise
    finally:
        _CURRENT.reset(token)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print the warnings of a block on standard error, a line each, without their place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", UserWarning)
        yield
    for text in dict.fromkeys(str(one.message) for one in caught):
        typer.echo(f"Warning: {printable(text)}", err=True)


def plain(value: Any) -> Any:
    """Return a value in JSON's types: a frame as a list of rows, and None for nan and infinity."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return [plain(row) for row in value.to_dict("records")]
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


@contextmanager
def _redirected() -> Iterator[None]:
    """Redirect standard output to standard error, also for libraries and child processes."""
    sys.stdout.flush()
    with ExitStack() as stack:
        try:
            is_file = sys.stdout.fileno() == STDOUT
        except (OSError, ValueError):
            is_file = False
        if is_file:
            duplicate = os.dup(STDOUT)
            stack.callback(os.close, duplicate)
            stack.callback(os.dup2, duplicate, STDOUT)
            os.dup2(sys.stderr.fileno(), STDOUT)
        stack.enter_context(redirect_stdout(sys.stderr))
        yield
