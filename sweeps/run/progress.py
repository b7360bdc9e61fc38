"""Progress of a study's run: in the terminal, in its log, and in a file that others can read.

progress.json    the state of the last run, renewed every second while it runs
study.log        when packs began, ended or failed
"""

from __future__ import annotations

import json
import logging
import math
import os
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from grad_ext.errors import InputError
from grad_ext.files import write_atomically
from grad_ext.report.tables import setting
from grad_ext.report.text_tables.cells import short
from grad_ext.sinks import printable
from grad_ext.sweeps.folder import StudyDirectory, is_locked, read_records
from grad_ext.sweeps.run.loggers import Logger, loggers
from grad_ext.sweeps.run.storage import RECORDS, RecordStore
from grad_ext.trial import Record

PROGRESS = "progress.json"
LOG = "study.log"
# Seconds between two versions of progress.json.
RENEW = 1.0
# The metric by which the best model so far is shown.
BEST = "validation_balanced_delta"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass
class RunProgress:
    """State of a run of a study, as in progress.json.

    Attributes
    ----------
    models : int
        Models that the run is to train, without those trained before.
    packs : int
        Packs that they form.
    done, failed : int
        Packs that are done, and that failed for good.
    share : float
        Models trained so far; those in training count by their share of epochs.
    seconds : float
        Wall time so far.
    best : str
        Description of the best model of the study so far.
    process, host : str
        Process id and host of the driver.
    started : str
        Start of the run, in local time.
    ended : bool
        Whether the run has ended, complete or not.
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
        """Seconds until the end at this rate; nan if the rate is not known yet."""
        return (self.models - self.share) / self.rate if self.rate > 0 else math.nan

    def summary(self) -> str:
        """Return packs, failures and the best model so far in one line."""
        failed = f", {self.failed} failed" if self.failed else ""
        best = f"; best so far {self.best}" if self.best else ""
        return f"{self.done} of {self.packs} packs{failed}{best}"


@dataclass(frozen=True)
class Status:
    """Status of a study.

    Attributes
    ----------
    kind : str
        Kind of the study.
    done, planned : int
        Models with a record, and in the plan.
    failed : int
        Models whose record has no metrics, since they diverged or failed.
    running : bool
        Whether a process holds the study's lock.
    run : RunProgress or None
        State of the last run; None if there was none.
    """

    kind: str
    done: int
    planned: int
    failed: int
    running: bool
    run: RunProgress | None

    def to_json(self) -> dict[str, Any]:
        """Return the status as plain values, by the names that results of studies use."""
        run = None if self.run is None else {**asdict(self.run), "left": self.run.left}
        return {
            "kind": self.kind,
            "models": self.planned,
            "done": self.done,
            "failed": self.failed,
            "running": self.running,
            "run": run,
        }

    def lines(self) -> list[str]:
        """Return the status in lines of text."""
        failed = f", {self.failed} of them without metrics" if self.failed else ""
        first = f"{self.kind} study: {self.done} of {self.planned} models{failed}"
        run = self.run
        if run is None:
            return [first, "running" if self.running else "not running"]
        driver = f"process {run.process} on {run.host}, started {run.started}"
        if self.running:
            left = "" if math.isnan(run.left) else f", about {run.left:.0f} s left"
            state = [
                f"running: {driver}",
                f"this run: {run.share:.0f} of {run.models} models, {run.rate:.1f} per second{left}",
            ]
        elif run.ended:
            state = [f"not running; last run: {driver}, {run.seconds:.0f} s"]
        else:
            state = [f"not running; last run, which was killed: {driver}"]
        return [first, *state, run.summary()]


def status(folder: str | Path) -> Status:
    """Return the status of a study, whichever process or machine runs it.

    Raises
    ------
    InputError
        If the folder holds no study.
    """
    directory = StudyDirectory.read(folder)
    records = directory.records()
    run = None
    with suppress(OSError, ValueError, TypeError):
        run = RunProgress(**json.loads((directory.folder / PROGRESS).read_text()))
    try:
        running = is_locked(directory.folder)
    except OSError as error:
        raise InputError(f"cannot test the lock of {folder}: {error.strerror}") from None
    return Status(
        directory.about["kind"],
        len(records),
        len(directory.trials),
        sum(bool(record.error) for record in records),
        running,
        run,
    )


def best_of(records: Iterable[Record], varied: Sequence[str]) -> tuple[float, str]:
    """Return the highest validation balanced Delta and a description of its model; -inf if none."""
    best, description = -math.inf, ""
    for record in records:
        value = record.metrics.get(BEST, math.nan)
        # A comparison with nan is false.
        if not value > best:
            continue
        trial, metrics = record.trial, record.metrics
        rest = "".join(f", {name} {short(setting(trial, name))}" for name in varied)
        best = value
        description = (
            f"{trial.method} on {trial.dataset}, λ {_lam(trial.lam)}{rest}, seed {trial.seed}: "
            f"accuracy {metrics['validation_accuracy']:.3f}, Discrimination "
            f"{metrics['validation_discrimination']:.3f} on the validation rows"
        )
    return best, description


def _lam(lam: float | tuple[float, ...]) -> str:
    return f"{lam:.4g}" if isinstance(lam, float) else ",".join(f"{one:.4g}" for one in lam)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['rate']:.1f} models/s" if task.fields["rate"] else "– models/s")


class ProgressMonitor:
    """Shows and logs the progress of a run, whose packs are numbered from 0 in the order of the plan.

    Files and terminals are opened by `begin`, so that it can be pickled before.

    Parameters
    ----------
    directory : StudyDirectory
        The study.
    sizes : sequence of int
        Members of each pack, in the order in which packs begin.
    shown : bool
        Draw a progress bar on the standard error.
    log : sequence of str
        What to log models to: see `grad_ext.sweeps.run.loggers`.
    store : RecordStore
        Where packs write their records.
    """

    def __init__(
        self,
        directory: StudyDirectory,
        sizes: Sequence[int],
        shown: bool,
        log: Sequence[str],
        store: RecordStore,
    ) -> None:
        self._store, self._folder, self._sizes = store, directory.folder, list(sizes)
        self._shown, self._log = shown, log
        self._varied: Sequence[str] = [n for n in directory.about.get("varied", ()) if n != "lam"]
        self._progress = RunProgress(sum(sizes), len(self._sizes))
        self._shares: dict[int, float] = {}
        self._read: set[str] = set()
        self._best = -math.inf

    def begin(self) -> None:
        """Open the log and draw the empty bar."""
        self._begun = self._renewed = time.monotonic()
        self._loggers: list[Logger] = loggers(self._log, self._folder)
        self._file = _log_file(self._folder)
        progress = self._progress
        self._file.info("%d models in %d packs", progress.models, progress.packs)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.fields[share]:.0f} of {task.total:.0f} models"),
            _Rate(),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("", total=progress.models, share=0, rate=0.0)
        self._live = Live(get_renderable=self._render, console=Console(stderr=True))
        if self._shown:
            self._live.start()
        self.collect()
        self._renew(always=True)

    def _render(self) -> Group:
        return Group(self._bar, Text(printable(self._progress.summary())))

    def on_start(self, pack: int) -> None:
        """Log that a pack begins, or begins again after its process was lost."""
        event = "begins again" if pack in self._shares else "begins"
        self._shares[pack] = 0.0
        self._file.info("pack %d (%d models) %s", pack + 1, self._sizes[pack], event)

    def on_share(self, pack: int, share: float) -> None:
        """Advance the bar to the share of its work that a pack has done."""
        self._shares[pack] = self._sizes[pack] * share
        self._renew()

    def on_records(self, name: str) -> None:
        """Read and log the records that a pack has written to a file of this name."""
        self._store.fetch(self._folder, name)
        self._read_records([name])

    def on_complete(self, pack: int) -> None:
        """Count a pack that is done."""
        self._shares[pack] = self._sizes[pack]
        self._progress.done += 1
        self._file.info("pack %d done", pack + 1)
        self._renew()

    def on_recover(self, pack: int, error: str) -> None:
        """Log the loss of a pack's process; the pack is tried again."""
        self._file.warning("pack %d was lost and is tried again: %s", pack + 1, error)

    def on_error(self, pack: int, error: str) -> None:
        """Count and log a pack that failed for good."""
        self._progress.failed += 1
        self._file.error("pack %d failed: %s", pack + 1, error)
        self._renew(always=True)

    def end(self) -> None:
        """Write the last state, and close the log."""
        self.collect()
        self._progress.ended = True
        self._renew(always=True)
        if self._shown:
            self._live.stop()
        for logger in self._loggers:
            logger.close()
        self._file.info("ended: %s", self._progress.summary())
        for handler in list(self._file.handlers):
            self._file.removeHandler(handler)
            with suppress(OSError):
                handler.close()

    def collect(self) -> None:
        """Read and log all records that are new."""
        self._store.fetch(self._folder)
        self._read_records(sorted(path.name for path in (self._folder / RECORDS).glob("*.jsonl")))

    def _read_records(self, names: Sequence[str]) -> None:
        for name in names:
            if name in self._read:
                continue
            self._read.add(name)
            records = read_records(self._folder / RECORDS / name)
            best, description = best_of(records, self._varied)
            if best > self._best:
                self._best, self._progress.best = best, description
            for logger in self._loggers:
                logger.add(records)

    def _renew(self, always: bool = False) -> None:
        now, progress = time.monotonic(), self._progress
        progress.seconds = now - self._begun
        progress.share = min(sum(self._shares.values()), float(progress.models))
        self._bar.update(
            self._task, completed=progress.share, share=progress.share, rate=progress.rate
        )
        if always or now - self._renewed >= RENEW:
            self._renewed = now
            # On a full disk packs fail and report it; the monitor goes on.
            with suppress(OSError):
                text = json.dumps(asdict(progress), indent=1) + "\n"
                write_atomically(self._folder / PROGRESS, text)


class _OneLine(logging.Formatter):
    """Formats a message as one line, whatever names and errors hold."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record)).replace("\n", "\\n")


def _log_file(folder: Path) -> logging.Logger:
    logger = logging.getLogger(f"grad_ext.study.{folder}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(folder / LOG, encoding="utf-8")
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    # Do not report a full disk line by line on the standard error.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    logger.addHandler(handler)
    return logger
