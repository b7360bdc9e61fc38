"""Run studies from the command line, and handle Ctrl-C and requests to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer

from grad_ext.sinks import printable

if TYPE_CHECKING:
    from grad_ext.sweeps.folder import StudyDirectory

# Seconds until an interrupt that was lost is raised again.
REPEAT_SECONDS = 1.0


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt after Ctrl-C or SIGTERM, again every second until the block ends.

    Python ignores exceptions in destructors and callbacks, and imports run many of them, so that an
    interrupt while libraries are imported can be lost.
    """
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, REPEAT_SECONDS)
        raise KeyboardInterrupt

    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.signal(number, interrupt) for number in handled]
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)


def run_study(study: StudyDirectory, train: Callable[[], None], models: int | None = None) -> int:
    """Train the missing models of a study, and return the exit code.

    Parameters
    ----------
    study : StudyDirectory
        The study.
    train : callable
        Trains its missing models.
    models : int, optional
        Number of models that the study will have, if its plan does not list all of them yet.

    Returns
    -------
    int
        0 if the study is complete, 1 if packs failed, 130 after Ctrl-C or SIGTERM. In both of these cases the
        trained models stay in the study, and the reason is on standard error.
    """
    from grad_ext.sweeps.folder import StudyDirectory
    from grad_ext.sweeps.run.executors import StudyIncomplete

    try:
        with interruptible():
            train()
    except StudyIncomplete as error:
        typer.echo(f"Error: {printable(str(error))}", err=True)
        return 1
    except KeyboardInterrupt:
        # A search has added trials since the study was opened.
        now = StudyDirectory.read(study.folder)
        typer.echo(
            f"Interrupted: {len(now.records())} of {models or len(now.trials)} models are trained and "
            "saved; run the same command to continue",
            err=True,
        )
        return 130
    return 0


def counts(study: StudyDirectory) -> dict[str, int]:
    """Return how many models a study has in its plan, has trained, and has without metrics."""
    records = study.records()
    failed = sum(bool(record.error) for record in records)
    return {"models": len(study.trials), "done": len(records), "failed": failed}
