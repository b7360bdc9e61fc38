"""What every command that runs a study does alike."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from grad_ext.sweeps.folder import StudyDirectory
    from grad_ext.sweeps.run.resources import Resources

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


def carry_out(study: StudyDirectory, work: Callable[[], None], models: int | None = None) -> int:
    """Run what is missing in a study, and return 0, or the exit code of what stopped it.

    `models` is how many it is to have, where its plan does not have them all beforehand.

    1 where packs failed, 130 after Ctrl-C; either way what is done is kept, and
    the reason is on the standard error.
    """
    from grad_ext.sweeps.folder import StudyDirectory
    from grad_ext.sweeps.run.tune import StudyIncomplete

    try:
        with interruptible():
            work()
    except StudyIncomplete as error:
        typer.echo(f"Error: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        # A search has more trials by now than when it was opened.
        now = StudyDirectory.read(study.folder)
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
    from grad_ext.sweeps.run.resources import Resources

    names = ("num_cpus", "pack_size", "gpus_per_pack", "address", "storage")
    found = {name: given[name] for name in names if given.get(name) is not None}
    if str(found.get("pack_size", "")).isdecimal():
        found["pack_size"] = int(found["pack_size"])
    return Resources(**found)


def counts(study: StudyDirectory) -> dict[str, int]:
    """Return how many models a study is to have, has, and has without figures."""
    records = study.records()
    failed = sum(bool(record.error) for record in records)
    return {"models": len(study.trials), "done": len(records), "failed": failed}


def formats_of(text: str) -> tuple[str, ...]:
    """Return the formats of figures that an option names.

    Raises
    ------
    InputError
        If there is no such format.
    """
    from grad_ext.report.figures.style import checked_formats

    return tuple(checked_formats([name.strip() for name in text.split(",") if name.strip()]))
