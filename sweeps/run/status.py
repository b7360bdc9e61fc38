"""How a study stands, also for those who do not run it."""

from __future__ import annotations

import json
import math
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from grad_ext.errors import InputError
from grad_ext.sweeps.folder import StudyDirectory, is_locked

PROGRESS = "progress.json"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass
class Progressed:
    """How far a run of a study has come.

    Attributes
    ----------
    models : int
        How many it is to train, beside those that were there before.
    packs : int
        Into how many packs they are gathered.
    done, failed : int
        Packs that are done, and that failed for good.
    share : float
        Models trained so far, those in training by their share.
    seconds : float
        Wall time so far.
    best : str
        The best model of the study so far, in words.
    process, host : str
        Who runs it.
    started : str
        When, in local time.
    ended : bool
        Whether it has come to an end, done or not.
    """

    models: int
    packs: int
    done: int = 0
    failed: int = 0
    share: float = 0.0
    seconds: float = 0.0
    best: str = ""
    process: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    started: str = field(default_factory=_now)
    ended: bool = False

    @property
    def rate(self) -> float:
        """Models per second."""
        return self.share / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float:
        """Seconds until the end at this rate; nan where there is none yet."""
        return (self.models - self.share) / self.rate if self.rate > 0 else math.nan

    def words(self) -> str:
        """Return packs, failures and the best model so far in a line."""
        failed = f", {self.failed} failed" if self.failed else ""
        best = f"; best so far {self.best}" if self.best else ""
        return f"{self.done} of {self.packs} packs{failed}{best}"


@dataclass(frozen=True)
class Status:
    """How a study stands.

    Attributes
    ----------
    kind : str
        Its kind.
    done, planned : int
        Models with a record, and in the plan.
    broken : int
        Models whose record has no figures, since they diverged or failed.
    running : bool
        Whether a process works on it at this moment.
    run : Progressed or None
        How far the last run came; None where there was none.
    """

    kind: str
    done: int
    planned: int
    broken: int
    running: bool
    run: Progressed | None

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain values, under the names that results of studies have."""
        run = None if self.run is None else {**asdict(self.run), "left": self.run.left}
        return {
            "kind": self.kind,
            "models": self.planned,
            "done": self.done,
            "failed": self.broken,
            "running": self.running,
            "run": run,
        }

    def lines(self) -> list[str]:
        """Return the same in words."""
        broken = f", {self.broken} of them without figures" if self.broken else ""
        said = [f"{self.kind} study: {self.done} of {self.planned} models{broken}"]
        run = self.run
        if run is None:
            return [*said, "running" if self.running else "not running"]
        who = f"process {run.process} on {run.host}, begun {run.started}"
        if self.running:
            left = "" if math.isnan(run.left) else f", about {run.left:.0f} s left"
            said.append(f"running: {who}")
            said.append(
                f"this run: {run.share:.0f} of {run.models} models, {run.rate:.1f} a second{left}"
            )
        elif run.ended:
            said.append(f"not running; the last run: {who}, {run.seconds:.0f} s")
        else:
            said.append(f"not running; the last run ended without a word: {who}")
        return [*said, run.words()]


def status(folder: str | Path) -> Status:
    """Return how a study stands, whoever runs it, on this machine or another that shares the folder.

    Raises
    ------
    InputError
        If the folder holds no study.
    """
    study = StudyDirectory.read(folder)
    records = study.records()
    run = None
    with suppress(OSError, ValueError, TypeError):
        run = Progressed(**json.loads((study.folder / PROGRESS).read_text()))
    try:
        running = is_locked(study.folder)
    except OSError as error:
        raise InputError(f"cannot look at the lock of {folder}: {error.strerror}") from None
    return Status(
        study.about["kind"],
        len(records),
        len(study.trials),
        sum(bool(record.error) for record in records),
        running,
        run,
    )
