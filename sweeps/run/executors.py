"""Runs the missing models of a study: on this machine's CPUs, or on Ray.

Both run the same packs by the same functions, so that a plan gives the same results through either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from grad_ext.errors import InputError
from grad_ext.evaluation import EncodedSplit
from grad_ext.sweeps.folder import StudyDirectory, delete_partial_files, lock
from grad_ext.sweeps.run.cluster import cluster
from grad_ext.sweeps.run.fitting import train_together
from grad_ext.sweeps.run.local import LocalExecutor
from grad_ext.sweeps.run.memory import Widths
from grad_ext.sweeps.run.packs import FitPack, Gather, PackFailure, packs
from grad_ext.sweeps.run.progress import ProgressMonitor
from grad_ext.sweeps.run.ray_tune import RayExecutor
from grad_ext.sweeps.run.resources import Resources, checked_cpus
from grad_ext.sweeps.run.storage import RecordStore, record_store
from grad_ext.trial import RowsKey, Trial

# Packs whose process died may be planned once more.
ROUNDS = 2
Encoded = Mapping[RowsKey, EncodedSplit]


class StudyIncomplete(RuntimeError):
    """Packs failed; the records of the others are kept, and the same command trains what is missing."""


class Executor(Protocol):
    """Runs packs side by side.

    Attributes
    ----------
    workers : int
        Packs that can run side by side.
    """

    @property
    def workers(self) -> int: ...

    def workers_for(self, trials: Sequence[Trial], encoded_splits: Encoded) -> int:
        """Return how many packs of these models of GRAD's to run side by side."""

    def width(self, encoded_splits: Encoded) -> Callable[[Trial], int]:
        """Return a function from a trial to the most models in its pack, if the user gives none."""

    def run(
        self,
        plan: Sequence[Sequence[Trial]],
        encoded_splits: Encoded,
        fit_pack: FitPack,
        monitor: ProgressMonitor,
        store: RecordStore,
    ) -> list[PackFailure]:
        """Run the packs, which begin in order, and return the errors of those that failed."""


@contextmanager
def executor(
    resources: Resources, folder: Path, models: int, encode: Callable[[], Encoded]
) -> Iterator[tuple[Executor, Encoded]]:
    """Yield what runs the packs of a study, and the study's rows.

    Parameters
    ----------
    resources : Resources
        What the study may use, which decides between this machine's processes and Ray.
    folder : pathlib.Path
        The study's folder.
    models : int
        How many models there are to train.
    encode : callable
        Returns the rows.

    Raises
    ------
    InputError, MissingToolkit
        As `run` does.
    """
    if resources.uses_ray:
        # First, so that rows that cannot be used need no Ray.
        encoded_splits = encode()
        with cluster(resources, folder) as ready:
            yield RayExecutor(ready), encoded_splits
    else:
        # First, so that its processes load their libraries meanwhile.
        with LocalExecutor(checked_cpus(resources.num_cpus), models) as local:
            yield local, encode()


def run(
    directory: StudyDirectory,
    encode: Callable[[Sequence[Trial]], Encoded],
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
    encode : callable
        Gets the missing trials, returns the rows of each, by its `rows`; they are sent to each
        process once.
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
        `grad_ext.sweeps.run.cluster`), or another process holds the study's lock.
    MissingToolkit
        If Ray is needed and not installed.
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
        # The last run may have been killed while it wrote results. Another process tidies up itself.
        with suppress(InputError), lock(directory.folder):
            delete_partial_files(directory.folder)
        return
    with lock(directory.folder):
        delete_partial_files(directory.folder)
        missing = [trial for trial in directory.missing() if trial.key in wanted]
        # Another process may have trained them before this one got the lock.
        if not missing:
            return
        fit_pack = fit_pack or partial(train_together, widths=Widths(directory.folder))
        rows = partial(encode, missing)
        with executor(resources, directory.folder, len(missing), rows) as (running, encoded_splits):
            for _ in range(ROUNDS):
                plan = _plan(missing, running, encoded_splits, resources, gather)
                monitor = ProgressMonitor(directory, [len(p) for p in plan], progress, log, store)
                errors = running.run(plan, encoded_splits, fit_pack, monitor, store)
                store.fetch(directory.folder)
                missing = [trial for trial in directory.missing() if trial.key in wanted]
                if not missing or not any(error.again for error in errors):
                    break
    if missing and errors:
        messages = [error.message for error in errors]
        raise incomplete(len(missing), len(directory.trials), messages, len(plan))
    if missing:
        raise KeyboardInterrupt


def _plan(
    missing: Sequence[Trial],
    running: Executor,
    encoded_splits: Encoded,
    resources: Resources,
    gather: Gather | None,
) -> list[list[Trial]]:
    if gather is not None:
        return gather(missing, running.workers)
    size = resources.pack_size
    if isinstance(size, int):
        # Who names a size wants packs side by side.
        return packs(missing, running.workers, lambda trial: int(size))
    workers = running.workers_for(missing, encoded_splits)
    return packs(missing, workers, running.width(encoded_splits))


def incomplete(missing: int, models: int, errors: Sequence[str], packs: int) -> StudyIncomplete:
    """Return the error of a study of which packs failed."""
    return StudyIncomplete(
        f"{missing} of {models} models are missing, because {len(errors)} of {packs} packs failed; "
        f"the first error was: {errors[0]}"
    )
