"""What a command shows, and to whom: tables to people, one JSON document to scripts.

    out = output()
    out.table("German", heading, body)
    out.paths({"Study folder": folder, "Report": page})
    out.document({"study": folder, "report": page, "rows": frame})

Every command says both; which is printed is decided here, by `--json` and `--quiet`, wherever on the
command line they stand.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grad_ext.cli import complete

if TYPE_CHECKING:
    from rich.console import Console

# A file or a pipe has no width to keep to.
PIPE_WIDTH = 160
STDOUT = 1


class Output:
    """How one run of the command line shows its result.

    Attributes
    ----------
    as_json : bool
        One JSON document on the standard output, and nothing else.
    quiet : bool
        No progress, no tables, no sentences: only the paths.
    """

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False
        self._document: Mapping[str, Any] | None = None
        self._reserved = ExitStack()

    @property
    def progress(self) -> bool:
        """Whether to show on the standard error how far it is."""
        return sys.stderr.isatty() and not self.quiet

    @property
    def _silent(self) -> bool:
        return self.as_json or self.quiet

    def to_json(self) -> None:
        """Keep the standard output for the document: what anybody else prints is an aside."""
        if not self.as_json:
            self.as_json = True
            self._reserved.enter_context(_aside())

    def table(self, title: str, heading: Sequence[str], body: Sequence[Sequence[str]]) -> None:
        """Print lines of text as a table."""
        if self._silent:
            return
        from rich.box import SIMPLE_HEAD
        from rich.markup import escape
        from rich.table import Table

        grid = Table(*heading, title=escape(title), box=SIMPLE_HEAD, padding=(0, 1))
        for row in body:
            grid.add_row(*map(escape, row))
        _console().print(grid)

    def sentences(self, sentences: Sequence[str]) -> None:
        """Print sentences, wrapped to the terminal."""
        if self._silent or not sentences:
            return
        console = _console()
        for sentence in sentences:
            console.print(sentence, highlight=False, markup=False)

    def line(self, text: str, always: bool = False) -> None:
        """Print a line as it is; `always` also where it is to be quiet."""
        if not (self._silent and not (always and not self.as_json)):
            typer.echo(text)

    def paths(self, named: Mapping[str, object]) -> None:
        """Print where things lie, never wrapped, since a path is for copying."""
        if not self.as_json:
            lines = [f"{name}: {path}" for name, path in named.items()]
            typer.echo("\n".join(lines))

    def document(self, values: Mapping[str, Any]) -> None:
        """Keep the result for scripts: values that JSON holds, frames, paths and numpy's numbers."""
        self._document = values

    def end(self) -> None:
        """Give the standard output back, and print the document where that is asked for."""
        self._reserved.close()
        if self.as_json and self._document is not None:
            text = json.dumps(plain(self._document), ensure_ascii=False, allow_nan=False, indent=1)
            typer.echo(text)


_CURRENT: ContextVar[Output] = ContextVar("output")


def output() -> Output:
    """Return how this run of the command line shows its result."""
    return _CURRENT.get()


@contextmanager
def shown() -> Iterator[Output]:
    """Be one run of the command line, at whose end the document is printed."""
    token = _CURRENT.set(Output())
    try:
        yield _CURRENT.get()
        _CURRENT.get().end()
    except BaseException:
        # Of what failed there is no document: the reason is on the standard error.
        _CURRENT.get()._document = None
        _CURRENT.get().end()
        raise
    finally:
        _CURRENT.reset(token)


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: frames as rows, and None for what is no finite number."""
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
def _aside() -> Iterator[None]:
    """Send to the standard error whatever is printed, also by libraries and child processes."""
    sys.stdout.flush()
    with ExitStack() as stack:
        try:
            ours = sys.stdout.fileno() == STDOUT
        except (OSError, ValueError):
            ours = False
        if ours:
            kept = os.dup(STDOUT)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, STDOUT)
            os.dup2(sys.stderr.fileno(), STDOUT)
        stack.enter_context(redirect_stdout(sys.stderr))
        yield


def _json(wanted: bool) -> None:
    if wanted:
        output().to_json()


def _quiet(wanted: bool) -> None:
    if wanted:
        output().quiet = True


AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        callback=_json,
        is_eager=True,
        help="Print the result as one JSON document, and nothing else on the standard output.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        callback=_quiet,
        is_eager=True,
        help="Show no progress and no tables: print only where things lie.",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        autocompletion=complete.formats,
        help="Formats of the figures, separated by commas: png, svg, pdf.",
    ),
]
