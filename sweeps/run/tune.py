"""Packs through Ray Tune: one Tune trial is one pack.

A Tune trial a model would pay a new process for each network that trains in a quarter of a second;
packs on reused actors make that cost vanish. Records are written by the pack itself, and the study
is complete when every trial has one: what Tune returns proves nothing (after Ctrl-C it reports no
error). So Tune's own files are temporary.
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
from grad_ext.sweeps.folder import StudyDirectory, lock, sweep_up
from grad_ext.sweeps.run.cluster import Cluster, assigned_device, cluster
from grad_ext.sweeps.run.memory import Widths, fitting, roomy
from grad_ext.sweeps.run.packs import WIDTH, packs
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.run.storage import RecordStore, place
from grad_ext.trial import Record, RowsKey, Trial

# A worker that dies (out of memory, killed) is replaced once; an exception would only come again.
RETRIES = 1
# Tune may hand a pack to a worker that died between two packs, until its tries are used up. What was
# lost so is planned anew, once.
ROUNDS = 2
# How Tune's own files begin, before the number of the process.
TEMPORARY = "grad-ext-tune-"
# How often a pack says how far it is.
REPORTS = 10
# Gets the records of a pack as they come.
OnRecords = Callable[[Sequence[Record]], None]
# Gets the share of a pack's work that is done.
OnProgress = Callable[[float], None]
# Fits a pack: its trials, their rows, where records go, and where to say how far it is.
FitPack = Callable[[Sequence[Trial], EncodedSplit, OnRecords, OnProgress], None]


class StudyIncomplete(RuntimeError):
    """Packs failed; what is done is kept, and the same command runs what is missing."""


def train_together(
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    keep: OnRecords,
    say: OnProgress,
    validation: bool = False,
    widths: Widths | None = None,
) -> None:
    """Train a pack of GRAD's as one, and judge it on the validation rows too if told so.

    Where memory runs out the pack is halved and tried again, and the width learned.
    """
    device, done = assigned_device(), 0

    def train(part: Sequence[Trial]) -> list[Record]:
        share = len(part) / len(trials)
        on_epoch = partial(_tell, say, trials[0].settings.epochs, done / len(trials), share)
        return evaluate(GRAD(device=device), part, encoded, on_epoch, validation)

    for records in fitting(trials, device, widths or Widths(None), train):
        keep(records)
        done += len(records)


def _tell(say: OnProgress, epochs: int, before: float, share: float, epoch: int) -> None:
    """Say how much of a pack's work is done after an epoch of a part of it."""
    if epoch % max(1, epochs // REPORTS) == 0 and epoch < epochs:
        say(before + share * epoch / epochs)


def run(
    study: StudyDirectory,
    encoded_splits: Mapping[RowsKey, EncodedSplit],
    resources: Resources | None = None,
    progress: bool = False,
    carry: FitPack | None = None,
    gather: Callable[[Sequence[Trial], int], list[list[Trial]]] | None = None,
    only: Sequence[Trial] | None = None,
    log: Sequence[str] = (),
) -> None:
    """Train what is missing in a study.

    Parameters
    ----------
    study : StudyDirectory
        The folder and its trials.
    encoded_splits : mapping of `Trial.rows` to EncodedSplit
        The rows of every trial, sent to every worker once.
    resources : Resources, optional
        What it may use; all CPUs of this machine if not given.
    progress : bool, default False
        Show on the standard error how far it is.
    carry : callable, optional
        What a pack's process does with it; trains GRAD if not given.
    gather : callable, optional
        Makes packs of trials for a number of workers; `packs` if not given. They are begun in this
        order, and the trials of each have the same rows.
    only : sequence of Trial, optional
        Which of the study's trials; all of them if not given.
    log : sequence of str
        What to log every model to: see `grad_ext.sweeps.run.loggers`.

    Raises
    ------
    InputError
        If there are fewer CPUs or GPUs, the cluster cannot run it (see `grad_ext.sweeps.run.cluster`), a
        trial's rows are not given, or another process works on the study.
    MissingToolkit
        If Ray is not installed.
    KeyboardInterrupt
        If it was interrupted.
    StudyIncomplete
        If a pack failed.
    """
    resources = resources or Resources()
    kept = place(resources.storage, study.folder)
    # What nodes left there while nobody fetched it.
    kept.fetch(study.folder)
    wanted = {trial.key for trial in (study.trials if only is None else only)}
    if not any(trial.key in wanted for trial in study.missing()):
        return
    with lock(study.folder):
        sweep_up(study.folder)
        missing = [trial for trial in study.missing() if trial.key in wanted]
        for trial in missing:
            if trial.rows not in encoded_splits:
                raise InputError(
                    f"expected the rows of {trial.rows}, got those of {list(encoded_splits)}"
                )
        # Another process may have been quicker.
        if not missing:
            return
        carry = carry or partial(train_together, widths=Widths(study.folder))
        with cluster(resources, study.folder) as there:
            gather = gather or partial(packs, width=_width(resources, there, encoded_splits))
            for _ in range(ROUNDS):
                plan = gather(missing, there.workers)
                errors = _tune(plan, study, encoded_splits, there, progress, carry, log, kept)
                left = missing = [trial for trial in study.missing() if trial.key in wanted]
                if not left or not any(map(_is_lost, errors)):
                    break
    if left and errors:
        raise incomplete(len(left), len(study.trials), errors, len(plan))
    if left:
        raise KeyboardInterrupt


def _is_lost(error: Exception) -> bool:
    """Return whether a pack's process died, whatever the pack was."""
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError)


def incomplete(left: int, models: int, errors: Sequence[Exception], packs: int) -> StudyIncomplete:
    """Return the error of a study of which packs failed."""
    first = str(errors[0]).strip().splitlines()[-1]
    return StudyIncomplete(
        f"{left} of {models} models are missing, because {len(errors)} of {packs} packs failed; the "
        f"first error was: {first}"
    )


def _width(
    resources: Resources, there: Cluster, encoded_splits: Mapping[RowsKey, EncodedSplit]
) -> Callable[[Trial], int]:
    """Return how wide packs of a trial's kind are to be at most."""
    size = resources.pack_size
    if isinstance(size, int):
        return lambda trial: int(size)
    free = there.free
    if free is None:
        return lambda trial: WIDTH
    return lambda trial: roomy(free, trial, encoded_splits[trial.rows].training)


def _tune(
    plan: list[list[Trial]],
    study: StudyDirectory,
    encoded_splits: Mapping[RowsKey, EncodedSplit],
    there: Cluster,
    progress: bool,
    carry: FitPack,
    log: Sequence[str],
    kept: RecordStore,
) -> Sequence[Exception]:
    """Run the packs and return the errors of those that failed."""
    from ray import tune

    from grad_ext.sweeps.run.progress import Watch

    def train_pack(config: dict[str, Any], encoded_splits: Mapping[RowsKey, EncodedSplit]) -> None:
        trials: Sequence[Trial] = plan[config["pack"]]
        rows = encoded_splits[trials[0].rows]
        carry(trials, rows, kept.write, lambda share: tune.report({"share": share}))
        tune.report({"share": 1.0})

    watch = Watch(study, [len(pack) for pack in plan], progress, log, kept)
    space = {"pack": tune.grid_search(list(range(len(plan))))}
    done = fit(
        tune.with_parameters(train_pack, encoded_splits=encoded_splits), space, there, [watch]
    )
    kept.fetch(study.folder)
    return list(done.errors)


def clear_up() -> None:
    """Delete what drivers that were killed left of Tune's own files."""
    import psutil

    for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        owner = path.name.removeprefix(TEMPORARY).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(path, ignore_errors=True)


def fit(
    trainable: Any,
    space: Mapping[str, Any],
    there: Cluster,
    callbacks: Sequence[Any],
    **config: Any,
) -> Any:
    """Run a Tuner on a Ray that runs, and return its result grid.

    Parameters
    ----------
    trainable : callable
        Reports dicts.
    space : mapping
        The search space.
    there : Cluster
        What each trial is given.
    callbacks : sequence
        Tune's.
    **config
        For `ray.tune.TuneConfig`.
    """
    from ray import tune
    from ray.tune.logger import JsonLoggerCallback

    clear_up()
    with tempfile.TemporaryDirectory(prefix=f"{TEMPORARY}{os.getpid()}-") as storage:
        tuner = tune.Tuner(
            tune.with_resources(trainable, dict(there.per_pack)),
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
