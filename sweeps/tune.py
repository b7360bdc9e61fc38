"""Packs through Ray Tune: one Tune trial is one pack.

A Tune trial a model would pay a new process for each network that trains in a quarter of a second;
packs on reused actors make that cost vanish. Records are written by the pack itself, and the study
is complete when every trial has one: what Tune returns proves nothing (after Ctrl-C it reports no
error). So Tune's own files are temporary.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from grad_ext.errors import InputError, MissingToolkit
from grad_ext.evaluate import Problem, evaluate
from grad_ext.method import GRAD
from grad_ext.sweeps.pack import packs
from grad_ext.sweeps.study import StudyFolder, lock, sweep_up, write_records
from grad_ext.trial import Record, RowsKey, Trial

# Ray reads these when it is imported and when Tune starts: no reports of use, no output of its own
# beside the progress bar, no loggers but the one that Tune needs.
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
OBJECT_STORE_BYTES = 512 * 2**20
# A worker that dies (out of memory, killed) is replaced once; an exception would only come again.
RETRIES = 1
# How often a pack says how far it is.
REPORTS = 10
# Gets the records of a pack as they come.
Keep = Callable[[Sequence[Record]], None]
# Gets the share of a pack's work that is done.
Say = Callable[[float], None]
# Fits a pack: its trials, their rows, where records go, and where to say how far it is.
Carry = Callable[[Sequence[Trial], Problem, Keep, Say], None]


class StudyIncomplete(RuntimeError):
    """Packs failed; what is done is kept, and the same command runs what is missing."""


@contextmanager
def environment() -> Iterator[None]:
    """Have Ray quiet, from its import on."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def available_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked_cpus(num_cpus: int | None) -> int:
    """Return the number of CPUs to use, all of them if not given.

    Raises
    ------
    InputError
        If it is less than 1 or more than there are.
    """
    there = available_cpus()
    if num_cpus is None:
        return there
    if not 1 <= num_cpus <= there:
        raise InputError(f"expected 1 to {there} CPUs (this machine has {there}), got {num_cpus}")
    return num_cpus


def train_together(
    trials: Sequence[Trial], problem: Problem, keep: Keep, say: Say, validation: bool = False
) -> None:
    """Train a pack of GRAD's as one, and judge it on the validation rows too if told so."""
    epochs = trials[0].settings.epochs
    step = max(1, epochs // REPORTS)

    def on_epoch(done: int) -> None:
        if done % step == 0 and done < epochs:
            say(done / epochs)

    keep(evaluate(GRAD(), trials, problem, on_epoch, validation))


def run(
    study: StudyFolder,
    problems: Mapping[RowsKey, Problem],
    num_cpus: int | None = None,
    pack_size: int | None = None,
    progress: bool = False,
    carry: Carry = train_together,
    gather: Callable[[Sequence[Trial], int], list[list[Trial]]] | None = None,
    only: Sequence[Trial] | None = None,
    log: Sequence[str] = (),
) -> None:
    """Train what is missing in a study.

    Parameters
    ----------
    study : StudyFolder
        The folder and its trials.
    problems : mapping of `Trial.rows` to Problem
        The rows of every trial, sent to every worker once.
    num_cpus : int, optional
        How many packs run side by side, one CPU each; all CPUs if not given.
    pack_size : int, optional
        Widest pack.
    progress : bool, default False
        Show on the standard error how far it is.
    carry : callable, optional
        What a pack's process does with it; trains GRAD if not given.
    gather : callable, optional
        Makes packs of trials for a number of workers; `packs` of `pack_size` if not given. They are
        begun in this order, and the trials of each have the same rows.
    only : sequence of Trial, optional
        Which of the study's trials; all of them if not given.
    log : sequence of str
        What to log every model to: see `grad_ext.sweeps.loggers`.

    Raises
    ------
    InputError
        If there are fewer CPUs, a trial's rows are not given, or another process works on the study.
    MissingToolkit
        If Ray is not installed.
    KeyboardInterrupt
        If it was interrupted.
    StudyIncomplete
        If a pack failed.
    """
    workers = checked_cpus(num_cpus)
    wanted = {trial.key for trial in (study.trials if only is None else only)}
    if not any(trial.key in wanted for trial in study.missing()):
        return
    with lock(study.folder):
        sweep_up(study.folder)
        missing = [trial for trial in study.missing() if trial.key in wanted]
        for trial in missing:
            if trial.rows not in problems:
                raise InputError(
                    f"expected the rows of {trial.rows}, got those of {list(problems)}"
                )
        # Another process may have been quicker.
        if not missing:
            return
        plan = (gather or partial(packs, size=pack_size))(missing, workers)
        with environment():
            errors = _tune(plan, study, problems, min(workers, len(plan)), progress, carry, log)
        left = [trial for trial in study.missing() if trial.key in wanted]
    if left and errors:
        raise incomplete(len(left), len(study.trials), errors, len(plan))
    if left:
        raise KeyboardInterrupt


def incomplete(left: int, models: int, errors: Sequence[Exception], packs: int) -> StudyIncomplete:
    """Return the error of a study of which packs failed."""
    first = str(errors[0]).strip().splitlines()[-1]
    return StudyIncomplete(
        f"{left} of {models} models are missing, because {len(errors)} of {packs} packs failed; the "
        f"first error was: {first}"
    )


def _tune(
    plan: list[list[Trial]],
    study: StudyFolder,
    problems: Mapping[RowsKey, Problem],
    workers: int,
    progress: bool,
    carry: Carry,
    log: Sequence[str],
) -> Sequence[Exception]:
    """Run the packs and return the errors of those that failed."""
    try:
        from ray import tune
    except ImportError as error:
        raise MissingToolkit("ray", "tune") from error
    from grad_ext.sweeps.watch import Watch

    folder = study.folder

    def train_pack(config: dict[str, Any], problems: Mapping[RowsKey, Problem]) -> None:
        trials: Sequence[Trial] = plan[config["pack"]]
        keep: Keep = lambda records: write_records(folder, records)
        carry(trials, problems[trials[0].rows], keep, lambda share: tune.report({"share": share}))
        tune.report({"share": 1.0})

    watch = Watch(study, [len(pack) for pack in plan], progress, log)
    space = {"pack": tune.grid_search(list(range(len(plan))))}
    done = fit(tune.with_parameters(train_pack, problems=problems), space, workers, [watch])
    return list(done.errors)


def fit(
    trainable: Any, space: Mapping[str, Any], workers: int, callbacks: Sequence[Any], **config: Any
) -> Any:
    """Run a Tuner and return its result grid; the caller has set the environment.

    Parameters
    ----------
    trainable : callable
        Takes one CPU and reports dicts.
    space : mapping
        The search space.
    workers : int
        How many run side by side, where Ray is not running already.
    callbacks : sequence
        Tune's.
    **config
        For `ray.tune.TuneConfig`.
    """
    import ray
    from ray import tune
    from ray.tune.logger import JsonLoggerCallback

    owned = not ray.is_initialized()
    if owned:
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    try:
        with tempfile.TemporaryDirectory(prefix="grad-ext-tune-") as storage:
            tuner = tune.Tuner(
                tune.with_resources(trainable, {"cpu": 1}),
                param_space=dict(space),
                tune_config=tune.TuneConfig(
                    reuse_actors=True,
                    trial_dirname_creator=lambda trial: f"pack-{trial.trial_id}",
                    **config,
                ),
                run_config=tune.RunConfig(
                    storage_path=storage,
                    verbose=0,
                    # Without it the result grid would be empty.
                    callbacks=[JsonLoggerCallback(), *callbacks],  # type: ignore[no-untyped-call]
                    failure_config=tune.FailureConfig(max_failures=RETRIES),
                ),
            )
            return tuner.fit()
    finally:
        if owned:
            ray.shutdown()
