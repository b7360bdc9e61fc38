"""A study that runs, watched: in the terminal, in its log, in a file that others can read.

progress.json    how far the process that runs it has come, renewed every second
study.log        what happened when
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray.tune import Callback
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from grad_ext.files import write_atomically
from grad_ext.report.tables import setting
from grad_ext.report.text_tables.cells import short
from grad_ext.sweeps.folder import StudyDirectory, read_records
from grad_ext.sweeps.run.loggers import Logger, loggers
from grad_ext.sweeps.run.status import PROGRESS, Progressed
from grad_ext.sweeps.run.storage import RecordStore
from grad_ext.trial import Record

LOG = "study.log"
# Seconds between two versions of progress.json.
RENEW = 1.0
# The best model so far is the one with the highest of it.
BEST = "validation_balanced_delta"


def best_of(records: Iterable[Record], varied: Sequence[str]) -> tuple[float, str]:
    """Return the highest balanced Delta on the validation rows, and whose it is; -inf for none."""
    best, words = -math.inf, ""
    for record in records:
        value = record.metrics.get(BEST, math.nan)
        # Not greater than nan either.
        if not value > best:
            continue
        trial, seen = record.trial, record.metrics
        rest = "".join(f", {name} {short(setting(trial, name))}" for name in varied)
        best = value
        words = (
            f"{trial.method} on {trial.dataset}, λ {_lam(trial.lam)}{rest}, seed {trial.seed}: "
            f"accuracy {seen['validation_accuracy']:.3f}, Discrimination "
            f"{seen['validation_discrimination']:.3f} on the validation rows"
        )
    return best, words


def _lam(lam: float | tuple[float, ...]) -> str:
    return f"{lam:.4g}" if isinstance(lam, float) else ",".join(f"{one:.4g}" for one in lam)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['rate']:.1f} models/s" if task.fields["rate"] else "– models/s")


class Watch(Callback):
    """Tune callback that keeps account of a run.

    Tune pickles callbacks, so what holds files and terminals is made in `setup`.

    Parameters
    ----------
    study : StudyDirectory
        The study.
    sizes : sequence of int
        Members of each pack, in the order in which they are begun.
    shown : bool
        Draw it on the standard error.
    log : sequence of str
        What to log models to: see `grad_ext.sweeps.run.loggers`.
    kept : RecordStore
        Where packs keep their records.
    """

    def __init__(
        self,
        study: StudyDirectory,
        sizes: Sequence[int],
        shown: bool,
        log: Sequence[str],
        kept: RecordStore,
    ) -> None:
        self._kept = kept
        self._folder, self._sizes, self._shown, self._log = study.folder, list(sizes), shown, log
        self._varied: Sequence[str] = [n for n in study.about.get("varied", ()) if n != "lam"]
        self._progressed = Progressed(sum(sizes), len(self._sizes))
        self._packs: dict[str, int] = {}
        self._shares: dict[str, float] = {}
        self._seen: set[Path] = set()
        self._best = -math.inf

    def setup(
        self,
        stop: Any = None,
        num_samples: int | None = None,
        total_num_samples: int | None = None,
        **info: Any,
    ) -> None:
        """Begin: open the log and draw the empty bar."""
        self._begun = self._renewed = time.monotonic()
        self._loggers: list[Logger] = loggers(self._log, self._folder)
        self._file = _log_file(self._folder)
        progressed = self._progressed
        self._file.info("%d models in %d packs", progressed.models, progressed.packs)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.fields[share]:.0f} of {task.total:.0f} models"),
            _Rate(),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("", total=progressed.models, share=0, rate=0.0)
        self._live = Live(get_renderable=self._drawn, console=Console(stderr=True))
        if self._shown:
            self._live.start()
        self._collect()
        self._renew(always=True)

    def _drawn(self) -> Group:
        return Group(self._bar, Text(self._progressed.words()))

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Note that a pack begins; one that was lost begins again."""
        again = trial.trial_id in self._packs
        number = self._packs.setdefault(trial.trial_id, trial.config.get("pack", len(self._packs)))
        self._shares[trial.trial_id] = 0.0
        what = "begins again" if again else "begins"
        self._file.info("pack %d (%d models) %s", number + 1, self._sizes[number], what)

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any
    ) -> None:
        """Move the bar to the share of its work that a pack says is done."""
        size = self._sizes[self._packs[trial.trial_id]]
        self._shares[trial.trial_id] = size * result["share"]
        self._renew()

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Count a pack, and look at its records."""
        number = self._packs[trial.trial_id]
        self._shares[trial.trial_id] = self._sizes[number]
        self._progressed.done += 1
        self._file.info("pack %d done", number + 1)
        self._collect()
        self._renew()

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Note that a pack's process was lost, and the pack is tried again."""
        number = self._packs.get(trial.trial_id, 0)
        self._file.warning("pack %d was lost and is tried again: %s", number + 1, _last(trial))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Count a pack that failed for good."""
        self._progressed.failed += 1
        number = self._packs.get(trial.trial_id, 0)
        self._file.error("pack %d failed: %s", number + 1, _last(trial))
        self._renew(always=True)

    def on_experiment_end(self, trials: Any, **info: Any) -> None:
        """Leave the account as it is."""
        self._collect()
        self._progressed.ended = True
        self._renew(always=True)
        if self._shown:
            self._live.stop()
        for logger in self._loggers:
            logger.close()
        self._file.info("ended: %s", self._progressed.words())
        for handler in list(self._file.handlers):
            self._file.removeHandler(handler)
            with suppress(OSError):
                handler.close()

    def _collect(self) -> None:
        """Look at the records that are new."""
        self._kept.fetch(self._folder)
        found = set((self._folder / "records").glob("*.jsonl")) - self._seen
        self._seen |= found
        for path in sorted(found):
            records = read_records(path)
            best, words = best_of(records, self._varied)
            if best > self._best:
                self._best, self._progressed.best = best, words
            for logger in self._loggers:
                logger.add(records)

    def _renew(self, always: bool = False) -> None:
        now, progressed = time.monotonic(), self._progressed
        progressed.seconds = now - self._begun
        progressed.share = min(sum(self._shares.values()), float(progressed.models))
        self._bar.update(
            self._task, completed=progressed.share, share=progressed.share, rate=progressed.rate
        )
        if always or now - self._renewed >= RENEW:
            self._renewed = now
            # A disk that is full ends the packs, which say so; not the account of them.
            with suppress(OSError):
                text = json.dumps(asdict(progressed), indent=1) + "\n"
                write_atomically(self._folder / PROGRESS, text)


def _last(trial: Any) -> str:
    """Return the last line of a pack's error."""
    try:
        lines = Path(trial.error_file).read_text().strip().splitlines()
    except (OSError, TypeError):
        lines = []
    return lines[-1] if lines else "its process ended"


def _log_file(folder: Path) -> logging.Logger:
    logger = logging.getLogger(f"grad_ext.study.{folder}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(folder / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    # A full disk is not reported line by line on the standard error.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    logger.addHandler(handler)
    return logger
