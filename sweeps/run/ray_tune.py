"""Packs on Ray, where one Tune trial is one pack.

One Tune trial per model would start a process for each network, which trains in a quarter of a
second; packs on reused actors avoid that cost. Each pack writes its own records, and a study is
complete when every trial has one. Tune's own result grid is not proof of that (after Ctrl-C it has no
error), so Tune's files are temporary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from grad_ext.evaluation import EncodedSplit
from grad_ext.sweeps.run.cluster import Cluster
from grad_ext.sweeps.run.memory import pack_width
from grad_ext.sweeps.run.packs import WIDTH, FitPack, PackFailure
from grad_ext.sweeps.run.progress import ProgressMonitor
from grad_ext.sweeps.run.storage import RecordStore
from grad_ext.sweeps.run.temporary import temporary_folder
from grad_ext.trial import RowsKey, Trial

# A worker that dies (out of memory, killed) is replaced once. An exception would only repeat itself.
RETRIES = 1


class Observer:
    """Receives the events of a Tuner; `trial` is Ray Tune's, which trains a pack.

    Ray Tune pickles its observers before `begin`.
    """

    def begin(self) -> None:
        """Handle the start of the run."""

    def on_start(self, trial: Any) -> None:
        """Handle a pack that begins, or begins again after its process was lost."""

    def on_result(self, trial: Any, result: Mapping[str, Any]) -> None:
        """Handle a report of a pack."""

    def on_complete(self, trial: Any) -> None:
        """Handle a pack that is done."""

    def on_recover(self, trial: Any) -> None:
        """Handle the loss of a pack's process; the pack is tried again."""

    def on_error(self, trial: Any) -> None:
        """Handle a pack that failed for good."""

    def end(self) -> None:
        """Handle the end of the run."""


class MonitorObserver(Observer):
    """Passes the events of a Tuner on to a monitor, with the number of each pack.

    Parameters
    ----------
    monitor : ProgressMonitor
        The monitor.
    """

    def __init__(self, monitor: ProgressMonitor) -> None:
        self._monitor = monitor
        self._packs: dict[str, int] = {}

    def begin(self) -> None:
        """Begin."""
        self._monitor.begin()

    def on_start(self, trial: Any) -> None:
        """Number a pack: as in the plan, or in the order in which choices of a search begin."""
        number = trial.config.get("pack", len(self._packs))
        self._monitor.on_start(self._packs.setdefault(trial.trial_id, number))

    def on_result(self, trial: Any, result: Mapping[str, Any]) -> None:
        """Pass on the share of its work that a pack reports, and the records that it has written."""
        self._monitor.on_share(self._packs[trial.trial_id], result["share"])
        for name in result.get("records", ()):
            self._monitor.on_records(name)

    def on_complete(self, trial: Any) -> None:
        """Pass on that a pack is done."""
        if not trial.last_result.get("records"):
            # Choices of a search do not announce them.
            self._monitor.collect()
        self._monitor.on_complete(self._packs[trial.trial_id])

    def on_recover(self, trial: Any) -> None:
        """Pass on that a pack's process was lost."""
        self._monitor.on_recover(self._packs.get(trial.trial_id, 0), _last_line(trial))

    def on_error(self, trial: Any) -> None:
        """Pass on that a pack failed for good."""
        self._monitor.on_error(self._packs.get(trial.trial_id, 0), _last_line(trial))

    def end(self) -> None:
        """End."""
        self._monitor.end()


def _last_line(trial: Any) -> str:
    """Return the last line of a pack's error."""
    try:
        lines = Path(trial.error_file).read_text().strip().splitlines()
    except (OSError, TypeError):
        lines = []
    return lines[-1] if lines else "its process ended"


class RayExecutor:
    """Runs packs on a running Ray.

    Parameters
    ----------
    ready : Cluster
        The part of it that the study uses.
    """

    def __init__(self, ready: Cluster) -> None:
        self._ready = ready

    @property
    def workers(self) -> int:
        """Packs that can run side by side."""
        return self._ready.workers

    def workers_for(
        self, trials: Sequence[Trial], encoded_splits: Mapping[RowsKey, EncodedSplit]
    ) -> int:
        """Return how many packs to run side by side: as many as can."""
        return self._ready.workers

    def width(self, encoded_splits: Mapping[RowsKey, EncodedSplit]) -> Callable[[Trial], int]:
        """Return a function from a trial to the width of its pack, at most, by the GPUs' memory."""
        free = self._ready.free
        if free is None:
            return lambda trial: WIDTH
        return lambda trial: pack_width(free, trial, encoded_splits[trial.rows].training)

    def run(
        self,
        plan: Sequence[Sequence[Trial]],
        encoded_splits: Mapping[RowsKey, EncodedSplit],
        fit_pack: FitPack,
        monitor: ProgressMonitor,
        store: RecordStore,
    ) -> list[PackFailure]:
        """Run the packs in order, and return the errors of those that failed."""
        from ray import tune

        # The plan and the rows are sent to each node once, not with every pack.
        trainable = tune.with_parameters(
            train_pack, plan=plan, encoded_splits=encoded_splits, fit_pack=fit_pack, store=store
        )
        space = {"pack": tune.grid_search(list(range(len(plan))))}
        errors = fit(trainable, space, self._ready, [MonitorObserver(monitor)]).errors
        return [PackFailure(error_line(error), _is_lost(error)) for error in errors]


def train_pack(
    config: Mapping[str, Any],
    plan: Sequence[Sequence[Trial]],
    encoded_splits: Mapping[RowsKey, EncodedSplit],
    fit_pack: FitPack,
    store: RecordStore,
) -> None:
    """Fit the pack of a Tune trial, and report its progress and the names of its records' files."""
    from ray import tune

    trials = plan[config["pack"]]
    rows, names = encoded_splits[trials[0].rows], list[str]()
    fit_pack(
        trials,
        rows,
        lambda records: names.append(store.write(records)),
        lambda share: tune.report({"share": share, "records": list(names)}),
    )
    tune.report({"share": 1.0, "records": names})


def error_line(error: Exception) -> str:
    """Return the last line of an error of Tune's, which is that of the pack's own error."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _is_lost(error: Exception) -> bool:
    """Return whether a pack's process died, for whatever reason.

    Tune may hand a pack to a worker that died between two packs, until its retries are used up.
    """
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError)


def fit(
    trainable: Any,
    space: Mapping[str, Any],
    ready: Cluster,
    observers: Sequence[Observer],
    **config: Any,
) -> Any:
    """Run a Tuner on a running Ray and return its result grid.

    Parameters
    ----------
    trainable : callable
        Reports dicts.
    space : mapping
        The search space.
    ready : Cluster
        What each Tune trial gets.
    observers : sequence of Observer
        Receive the events of the run.
    **config
        For `ray.tune.TuneConfig`.
    """
    from ray import tune
    from ray.tune.logger import JsonLoggerCallback

    with temporary_folder() as storage:
        tuner = tune.Tuner(
            tune.with_resources(trainable, dict(ready.per_pack)),
            param_space=dict(space),
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                trial_dirname_creator=lambda trial: f"pack-{trial.trial_id}",
                **config,
            ),
            run_config=tune.RunConfig(
                storage_path=str(storage),
                verbose=0,
                # Without the JSON logger the result grid would be empty.
                callbacks=[JsonLoggerCallback(), *map(_callback, observers)],  # type: ignore[no-untyped-call]
                failure_config=tune.FailureConfig(max_failures=RETRIES),
            ),
        )
        return tuner.fit()


def _callback(observer: Observer) -> Any:
    """Return a Tune callback that passes Tune's events to an observer."""
    from ray.tune import Callback

    class Forward(Callback):
        def setup(self, *_: Any, **__: Any) -> None:
            observer.begin()

        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            observer.on_start(trial)

        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any
        ) -> None:
            observer.on_result(trial, result)

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            observer.on_complete(trial)

        def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            observer.on_recover(trial)

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            observer.on_error(trial)

        def on_experiment_end(self, trials: Any, **_: Any) -> None:
            observer.end()

    return Forward()
