"""Runs packs with Ray Tune: one Tune trial is one pack.

One Tune trial per model would start a process for each network, which trains in a quarter of a
second; packs on reused actors avoid that cost. Each pack writes its own records, and a study is
complete when every trial has one. Tune's own result grid is not proof of that (after Ctrl-C it has no
error), so Tune's files are temporary.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from grad_ext.errors import InputError
from grad_ext.evaluation import EncodedSplit, evaluate
from grad_ext.method import GRAD
from grad_ext.sweeps.folder import StudyDirectory, delete_partial_files, lock
from grad_ext.sweeps.run.cluster import Cluster, assigned_device, cluster
from grad_ext.sweeps.run.memory import Widths, fit_in_parts, pack_width
from grad_ext.sweeps.run.packs import WIDTH, packs
from grad_ext.sweeps.run.progress import Observer, ProgressMonitor
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.run.storage import RecordStore, record_store
from grad_ext.trial import Record, RowsKey, Trial

# A worker that dies (out of memory, killed) is replaced once. An exception would only repeat itself.
RETRIES = 1
# Tune may hand a pack to a worker that died between two packs, until its retries are used up. Packs
# lost that way are planned once more.
ROUNDS = 2
# Prefix of Tune's own folders, before the id of the process.
TEMPORARY = "grad-ext-tune-"
# How often a pack reports its progress.
REPORTS = 10
# Gets the records of a pack as they come.
OnRecords = Callable[[Sequence[Record]], None]
# Gets the share of a pack's work that is done.
OnProgress = Callable[[float], None]
# Fits a pack: gets its trials, their rows, and two callbacks for records and progress.
FitPack = Callable[[Sequence[Trial], EncodedSplit, OnRecords, OnProgress], None]
# Makes packs of trials for a number of workers.
Gather = Callable[[Sequence[Trial], int], list[list[Trial]]]


class StudyIncomplete(RuntimeError):
    """Packs failed; the records of the others are kept, and the same command trains what is missing."""


def train_together(
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    on_records: OnRecords,
    on_progress: OnProgress,
    validation: bool = False,
    widths: Widths | None = None,
) -> None:
    """Train a pack of GRAD models as one and evaluate it, optionally on the validation rows too.

    Where memory runs out the pack is halved and tried again, and the width that fits is stored.
    """
    device, done = assigned_device(), 0

    def train(part: Sequence[Trial]) -> list[Record]:
        share = len(part) / len(trials)
        epochs = trials[0].settings.epochs
        on_epoch = partial(_report, on_progress, epochs, done / len(trials), share)
        return evaluate(GRAD(device=device), part, encoded, on_epoch, validation)

    for records in fit_in_parts(trials, device, widths or Widths(None), train):
        on_records(records)
        done += len(records)


def _report(on_progress: OnProgress, epochs: int, before: float, share: float, epoch: int) -> None:
    """Report the share of a pack's work that is done after an epoch of a part of it."""
    if epoch % max(1, epochs // REPORTS) == 0 and epoch < epochs:
        on_progress(before + share * epoch / epochs)


def run(
    directory: StudyDirectory,
    encoded_splits: Mapping[RowsKey, EncodedSplit],
    resources: Resources | None = None,
    progress: bool = False,
    fit_pack: FitPack | None = None,
    gather: Gather | None = None,
    trials: Sequence[Trial] | None = None,
    log: Sequence[str] = (),
) -> None:
    """Train the missing models of a study.

    Parameters
    ----------
    directory : StudyDirectory
        The study.
    encoded_splits : mapping of `Trial.rows` to EncodedSplit
        The rows of every trial, sent to each worker once.
    resources : Resources, optional
        What the run may use; all CPUs of this machine if not given.
    progress : bool, default False
        Show a progress bar on the standard error.
    fit_pack : callable, optional
        Fits a pack in its process; trains GRAD if not given.
    gather : callable, optional
        Makes packs of trials for a number of workers; `packs` if not given. Packs begin in this
        order, and the trials of a pack have the same rows.
    trials : sequence of Trial, optional
        Which of the study's trials to train; all of them if not given.
    log : sequence of str
        What to log every model to: see `grad_ext.sweeps.run.loggers`.

    Raises
    ------
    InputError
        If the machine has fewer CPUs or GPUs, the cluster cannot run the study (see
        `grad_ext.sweeps.run.cluster`), the rows of a trial are not given, or another process holds
        the study's lock.
    MissingToolkit
        If Ray is not installed.
    KeyboardInterrupt
        If the run was interrupted.
    StudyIncomplete
        If a pack failed.
    """
    resources = resources or Resources()
    store = record_store(resources.storage, directory.folder)
    # Nodes may have written records to the storage after the last driver had ended.
    store.fetch(directory.folder)
    wanted = {trial.key for trial in (directory.trials if trials is None else trials)}
    if not any(trial.key in wanted for trial in directory.missing()):
        return
    with lock(directory.folder):
        delete_partial_files(directory.folder)
        missing = [trial for trial in directory.missing() if trial.key in wanted]
        for trial in missing:
            if trial.rows not in encoded_splits:
                raise InputError(
                    f"expected the rows of {trial.rows}, got those of {list(encoded_splits)}"
                )
        # Another process may have trained them before this one got the lock.
        if not missing:
            return
        fit_pack = fit_pack or partial(train_together, widths=Widths(directory.folder))
        with cluster(resources, directory.folder) as ready:
            gather = gather or partial(packs, width=_width(resources, ready, encoded_splits))
            for _ in range(ROUNDS):
                plan = gather(missing, ready.workers)
                monitor = ProgressMonitor(directory, [len(p) for p in plan], progress, log, store)
                errors = _tune(plan, encoded_splits, ready, fit_pack, monitor, store)
                store.fetch(directory.folder)
                missing = [trial for trial in directory.missing() if trial.key in wanted]
                if not missing or not any(map(_is_lost, errors)):
                    break
    if missing and errors:
        raise incomplete(len(missing), len(directory.trials), errors, len(plan))
    if missing:
        raise KeyboardInterrupt


def _is_lost(error: Exception) -> bool:
    """Return whether a pack's process died, for whatever reason."""
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError)


def incomplete(
    missing: int, models: int, errors: Sequence[Exception], packs: int
) -> StudyIncomplete:
    """Return the error of a study of which packs failed."""
    first = str(errors[0]).strip().splitlines()[-1]
    return StudyIncomplete(
        f"{missing} of {models} models are missing, because {len(errors)} of {packs} packs failed; "
        f"the first error was: {first}"
    )


def _width(
    resources: Resources, ready: Cluster, encoded_splits: Mapping[RowsKey, EncodedSplit]
) -> Callable[[Trial], int]:
    """Return a function from a trial to the width of its pack, at most."""
    size = resources.pack_size
    if isinstance(size, int):
        return lambda trial: int(size)
    free = ready.free
    if free is None:
        return lambda trial: WIDTH
    return lambda trial: pack_width(free, trial, encoded_splits[trial.rows].training)


def _tune(
    plan: list[list[Trial]],
    encoded_splits: Mapping[RowsKey, EncodedSplit],
    ready: Cluster,
    fit_pack: FitPack,
    monitor: Observer,
    store: RecordStore,
) -> Sequence[Exception]:
    """Run the packs and return the errors of those that failed."""
    from ray import tune

    def train_pack(config: dict[str, Any], encoded_splits: Mapping[RowsKey, EncodedSplit]) -> None:
        trials: Sequence[Trial] = plan[config["pack"]]
        rows = encoded_splits[trials[0].rows]
        fit_pack(trials, rows, store.write, lambda share: tune.report({"share": share}))
        tune.report({"share": 1.0})

    space = {"pack": tune.grid_search(list(range(len(plan))))}
    trainable = tune.with_parameters(train_pack, encoded_splits=encoded_splits)
    return list(fit(trainable, space, ready, [monitor]).errors)


def delete_stale_folders() -> None:
    """Delete Tune's own folders of drivers that were killed."""
    import psutil

    for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        owner = path.name.removeprefix(TEMPORARY).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(path, ignore_errors=True)


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

    delete_stale_folders()
    with tempfile.TemporaryDirectory(prefix=f"{TEMPORARY}{os.getpid()}-") as storage:
        tuner = tune.Tuner(
            tune.with_resources(trainable, dict(ready.per_pack)),
            param_space=dict(space),
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                trial_dirname_creator=lambda trial: f"pack-{trial.trial_id}",
                **config,
            ),
            run_config=tune.RunConfig(
                storage_path=storage,
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
