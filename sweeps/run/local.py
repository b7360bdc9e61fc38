"""Packs on this machine's CPUs: in this process, or in processes that it starts.

One process per CPU, each on one thread. They are started before the rows are read, so that they load
their libraries meanwhile, and end with this process however it ends. Nothing listens on a network.
"""

from __future__ import annotations

import json
import queue
import warnings
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from grad_ext.adapters.isolation import Child
from grad_ext.constraints import CONSTRAINTS
from grad_ext.engine.batches import one_thread
from grad_ext.errors import InputError
from grad_ext.evaluation import EncodedSplit
from grad_ext.sweeps.run import pack_worker
from grad_ext.sweeps.run.packs import WIDTH, FitPack, PackFailure
from grad_ext.sweeps.run.progress import ProgressMonitor
from grad_ext.sweeps.run.storage import RecordStore
from grad_ext.sweeps.run.temporary import temporary_folder
from grad_ext.sweeps.run.worker import one_line
from grad_ext.trial import RowsKey, Trial

# A process that dies (out of memory, killed) is replaced once for a pack. An exception would only
# repeat itself.
RETRIES = 1
# Rows times epochs, over all models, that are trained in this process: a pack of 16 trains as many
# in the time in which a process starts (measured: 290,000 a second, and 1.7 s).
SMALL = 500_000
# Seconds after which a wait is interrupted, since not every system does so itself for Ctrl-C.
POLL = 0.5

Encoded = Mapping[RowsKey, EncodedSplit]


@dataclass
class _Worker:
    """A process, and the pack that it fits."""

    child: Child
    pack: int | None = None


@dataclass(frozen=True)
class _Tagged:
    """Puts a child's messages, with its number, into a queue that all children share."""

    number: int
    events: queue.SimpleQueue[tuple[int, bytes | None]]

    def put(self, item: bytes | None, /) -> None:
        """Add a message; None after the last one."""
        self.events.put((self.number, item))


class _Pool:
    """Processes, and the one queue of their messages."""

    def __init__(self) -> None:
        self.workers: dict[int, _Worker] = {}
        self._events: queue.SimpleQueue[tuple[int, bytes | None]] = queue.SimpleQueue()
        self._started = 0

    def start(self) -> _Worker:
        """Start a process."""
        self._started += 1
        # Without a signal from the system: the child deletes the rows before it ends.
        tagged = _Tagged(self._started, self._events)
        worker = _Worker(Child(pack_worker.__name__, tagged, by_signal=False))
        self.workers[self._started] = worker
        return worker

    def next_event(self) -> tuple[int, bytes | None]:
        """Wait for a message, and return it with the number of its process."""
        while True:
            with suppress(queue.Empty):
                return self._events.get(timeout=POLL)

    def close(self) -> None:
        """End all processes, and all that they started."""
        for worker in self.workers.values():
            worker.child.close()
        self.workers.clear()


class LocalExecutor:
    """Runs packs on this machine's CPUs; a context that ends its processes.

    Parameters
    ----------
    cpus : int
        How many packs run side by side.
    models : int, default 0
        How many models there are to train, about. If they are more than a pack, processes are started
        at once.

    Attributes
    ----------
    workers : int
        Packs that run side by side.
    """

    def __init__(self, cpus: int, models: int = 0) -> None:
        self.workers, self._pool = cpus, _Pool()
        if models > WIDTH and cpus > 1:
            for _ in range(min(cpus, models)):
                self._pool.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def workers_for(self, trials: Sequence[Trial], encoded_splits: Encoded) -> int:
        """Return how many packs of GRAD to run side by side: one at a time if they are little work."""
        work = sum(
            len(encoded_splits[trial.rows].training) * trial.settings.epochs for trial in trials
        )
        return 1 if work <= SMALL else self.workers

    def width(self, encoded_splits: Encoded) -> Callable[[Trial], int]:
        """Return a function from a trial to the most models in its pack."""
        return lambda trial: WIDTH

    def run(
        self,
        plan: Sequence[Sequence[Trial]],
        encoded_splits: Encoded,
        fit_pack: FitPack,
        monitor: ProgressMonitor,
        store: RecordStore,
    ) -> list[PackFailure]:
        """Run the packs in order, and return the errors of those that failed.

        A single pack, or packs on a single CPU, run in this process.
        """
        monitor.begin()
        try:
            if len(plan) == 1 or self.workers == 1:
                return _run_here(plan, encoded_splits, fit_pack, monitor, store)
            task = pack_worker.Task(fit_pack, plan, encoded_splits, store, dict(CONSTRAINTS))
            with temporary_folder() as folder:
                try:
                    messages = _messages(task, folder)
                    while len(self._pool.workers) < min(self.workers, len(plan)):
                        self._pool.start()
                    return _Dispatch(self._pool, messages, len(plan), monitor).run()
                finally:
                    # Before the folder is deleted, which they map into memory.
                    self._pool.close()
        finally:
            monitor.end()


class _Dispatch:
    """Hands packs to processes in the order of the plan, and handles their messages."""

    def __init__(
        self, pool: _Pool, messages: Sequence[bytes], packs: int, monitor: ProgressMonitor
    ) -> None:
        self._pool, self._messages, self._monitor = pool, messages, monitor
        self._waiting = deque(range(packs))
        self._tries: Counter[int] = Counter()
        self._failures: list[PackFailure] = []
        self._any_ready = False

    def run(self) -> list[PackFailure]:
        """Run all packs, and return the errors of those that failed."""
        workers = self._pool.workers
        for worker in workers.values():
            self._open(worker)
        while any(worker.pack is not None for worker in workers.values()):
            number, message = self._pool.next_event()
            if message is None:
                self._on_death(workers.pop(number))
            else:
                self._on_message(workers[number], json.loads(message))
        return self._failures

    def _open(self, worker: _Worker) -> None:
        """Send the task to a new process, and its first pack, if there is one for it."""
        if self._waiting:
            for message in self._messages:
                worker.child.send(message)
            self._feed(worker)

    def _feed(self, worker: _Worker) -> None:
        worker.pack = self._waiting.popleft() if self._waiting else None
        if worker.pack is not None:
            self._tries[worker.pack] += 1
            self._monitor.on_start(worker.pack)
            worker.child.send(str(worker.pack).encode())

    def _on_message(self, worker: _Worker, message: Mapping[str, Any]) -> None:
        pack = worker.pack
        if "ready" in message:
            self._any_ready = True
        elif pack is None:
            # Every other message is of a pack.
            raise AssertionError(f"unexpected message {message}")
        elif "share" in message:
            self._monitor.on_share(pack, message["share"])
        elif "records" in message:
            self._monitor.on_records(message["records"])
        else:
            if message["error"]:
                self._fail(pack, message["error"])
            else:
                self._monitor.on_complete(pack)
            self._feed(worker)

    def _fail(self, pack: int, error: str) -> None:
        self._failures.append(PackFailure(error))
        self._monitor.on_error(pack, error)

    def _on_death(self, worker: _Worker) -> None:
        """Try the pack of a process that died once more, in a new one."""
        error, pack = one_line(worker.child.death()), worker.pack
        worker.child.close()
        if pack is None:
            return
        if self._tries[pack] <= RETRIES:
            self._monitor.on_recover(pack, error)
            self._waiting.appendleft(pack)
        else:
            self._fail(pack, error)
            # No process has even begun, so none would for the other packs.
            while self._waiting and not self._any_ready:
                self._fail(self._waiting.popleft(), error)
        if self._waiting:
            self._open(self._pool.start())


def _messages(task: pack_worker.Task, folder: Path) -> tuple[bytes, bytes]:
    try:
        return pack_worker.pack_task(task, folder)
    # Full disks are not the task's fault. An object of the user's may raise anything when pickled.
    except OSError:
        raise
    except Exception as error:
        raise InputError(
            f"the study cannot be sent to other processes ({one_line(error)}); num_cpus=1 trains it "
            "in this one"
        ) from error


def _run_here(
    plan: Sequence[Sequence[Trial]],
    encoded_splits: Encoded,
    fit_pack: FitPack,
    monitor: ProgressMonitor,
    store: RecordStore,
) -> list[PackFailure]:
    """Run packs in this process, one after another, on one thread as the others do."""
    failures = []
    on_records: Callable[[Any], None] = lambda records: monitor.on_records(store.write(records))
    with warnings.catch_warnings(), threadpool_limits(1), one_thread():
        # Processes of their own do not show them either.
        warnings.simplefilter("ignore")
        for number, trials in enumerate(plan):
            monitor.on_start(number)
            rows, on_share = encoded_splits[trials[0].rows], partial(monitor.on_share, number)
            try:
                fit_pack(trials, rows, on_records, on_share)
            # As in a process of its own: the other packs go on.
            except Exception as error:  # noqa: BLE001
                failures.append(PackFailure(one_line(error)))
                monitor.on_error(number, failures[-1].message)
            else:
                monitor.on_complete(number)
    return failures
