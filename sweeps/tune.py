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
from pathlib import Path
from typing import Any

from grad_ext.errors import InputError, MissingToolkit
from grad_ext.evaluate import Problem, evaluate
from grad_ext.method import GRAD
from grad_ext.sweeps.pack import packs
from grad_ext.sweeps.study import Study, write_records
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
def _environment() -> Iterator[None]:
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


def train_together(trials: Sequence[Trial], problem: Problem, keep: Keep, say: Say) -> None:
    """Train a pack of GRAD's as one."""
    epochs = trials[0].settings.epochs
    step = max(1, epochs // REPORTS)

    def on_epoch(done: int) -> None:
        if done % step == 0 and done < epochs:
            say(done / epochs)

    keep(evaluate(GRAD(), trials, problem, on_epoch=on_epoch))


def run(
    study: Study,
    problems: Mapping[RowsKey, Problem],
    num_cpus: int | None = None,
    pack_size: int | None = None,
    progress: bool = False,
    carry: Carry = train_together,
    gather: Callable[[Sequence[Trial], int], list[list[Trial]]] | None = None,
    only: Sequence[Trial] | None = None,
) -> None:
    """Train what is missing in a study.

    Parameters
    ----------
    study : Study
        The folder and its trials.
    problems : mapping of `Trial.rows` to Problem
        The rows of every trial, sent to every worker once.
    num_cpus : int, optional
        How many packs run side by side, one CPU each; all CPUs if not given.
    pack_size : int, optional
        Widest pack.
    progress : bool, default False
        Show a progress bar on the standard error.
    carry : callable, optional
        What a pack's process does with it; trains GRAD if not given.
    gather : callable, optional
        Makes packs of trials for a number of workers; `packs` of `pack_size` if not given. They are
        begun in this order, and the trials of each have the same rows.
    only : sequence of Trial, optional
        Which of the study's trials; all of them if not given.

    Raises
    ------
    InputError
        If there are fewer CPUs, or a trial's rows are not given.
    MissingToolkit
        If Ray is not installed.
    KeyboardInterrupt
        If it was interrupted.
    StudyIncomplete
        If a pack failed.
    """
    workers = checked_cpus(num_cpus)
    wanted = {trial.key for trial in (study.trials if only is None else only)}
    missing = [trial for trial in study.missing() if trial.key in wanted]
    if not missing:
        return
    for trial in missing:
        if trial.rows not in problems:
            raise InputError(f"expected the rows of {trial.rows}, got those of {list(problems)}")
    plan = (gather or partial(packs, size=pack_size))(missing, workers)
    with _environment():
        errors = _tune(plan, study.folder, problems, min(workers, len(plan)), progress, carry)
    left = [trial for trial in study.missing() if trial.key in wanted]
    if left and errors:
        raise StudyIncomplete(
            f"{len(left)} of {len(study.trials)} models are missing, because {len(errors)} of "
            f"{len(plan)} packs failed; the first error was: {errors[0]}"
        )
    if left:
        raise KeyboardInterrupt


def _tune(
    plan: list[list[Trial]],
    folder: Path,
    problems: Mapping[RowsKey, Problem],
    workers: int,
    progress: bool,
    carry: Carry,
) -> list[str]:
    """Run the packs and return the errors of those that failed."""
    try:
        import ray
        from ray import tune
        from ray.tune.logger import JsonLoggerCallback
    except ImportError as error:
        raise MissingToolkit("ray", "tune") from error
    from grad_ext.sweeps.progress import PackProgress

    def train_pack(config: dict[str, Any], problems: Mapping[RowsKey, Problem]) -> None:
        trials: Sequence[Trial] = plan[config["pack"]]
        keep: Keep = lambda records: write_records(folder, records)
        carry(trials, problems[trials[0].rows], keep, lambda share: tune.report({"share": share}))
        tune.report({"share": 1.0})

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
            callbacks: list[Any] = [JsonLoggerCallback()]  # type: ignore[no-untyped-call]
            if progress:
                callbacks.append(PackProgress([len(pack) for pack in plan]))
            tuner = tune.Tuner(
                tune.with_resources(
                    tune.with_parameters(train_pack, problems=problems), {"cpu": 1}
                ),
                param_space={"pack": tune.grid_search(list(range(len(plan))))},
                tune_config=tune.TuneConfig(
                    reuse_actors=True, trial_dirname_creator=lambda trial: f"pack-{trial.trial_id}"
                ),
                run_config=tune.RunConfig(
                    storage_path=storage,
                    verbose=0,
                    callbacks=callbacks,
                    failure_config=tune.FailureConfig(max_failures=RETRIES),
                ),
            )
            return [str(error).strip().splitlines()[-1] for error in tuner.fit().errors]
    finally:
        if owned:
            ray.shutdown()
