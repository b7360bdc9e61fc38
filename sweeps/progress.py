"""A progress bar for packs: models done, models per second, time left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ray.tune import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = f"{task.speed:.1f}" if task.speed else "–"
        return Text(f"{rate} models/s")


class PackProgress(Callback):
    """Tune callback that draws the bar.

    Tune pickles callbacks, so the bar is made in `setup`.

    Parameters
    ----------
    sizes : sequence of int
        Members of each pack, by the pack's number.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = list(sizes)
        self._done = [0.0] * len(self._sizes)

    def setup(
        self,
        stop: Any = None,
        num_samples: int | None = None,
        total_num_samples: int | None = None,
        **info: Any,
    ) -> None:
        """Draw the empty bar."""
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.fields[models]} of {task.total:.0f} models"),
            _Rate(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("", total=sum(self._sizes), models=0)
        self._progress.start()

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any
    ) -> None:
        """Move the bar to the share of its work that a pack says is done."""
        pack = trial.config["pack"]
        self._done[pack] = self._sizes[pack] * result["share"]
        finished = sum(m for m, d in zip(self._sizes, self._done, strict=True) if d >= m)
        self._progress.update(self._task, completed=sum(self._done), models=finished)

    def on_experiment_end(self, trials: Any, **info: Any) -> None:
        """Leave the bar as it is."""
        self._progress.stop()
