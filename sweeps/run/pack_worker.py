"""The process that fits packs of a study on this machine: see `grad_ext.sweeps.run.local`.

The task comes from the parent, and from nobody else: as a pickle through the pipe, its arrays in a file
that all such processes map into memory. Then come the numbers of packs to fit. Messages to the parent
are JSON: ``ready``, and for a pack ``share``, ``records`` (the name of their file), and in the end
``error``, which is empty if the pack is done.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle
import queue
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grad_ext.adapters.isolation import serve

# Arrays begin at multiples of this many bytes, as numpy and torch align their own.
ALIGNMENT = 64
ROWS = "rows.bin"

Send = Callable[..., None]


@dataclass(frozen=True)
class Task:
    """What a process needs to fit any pack of a study.

    Attributes
    ----------
    fit_pack : FitPack
        Fits a pack.
    plan : sequence of sequences of Trial
        All packs.
    encoded_splits : mapping of RowsKey to EncodedSplit
        The rows.
    store : RecordStore
        Where records are written.
    constraints : mapping of str to Constraint
        All constraints, those that the user registered included.
    """

    fit_pack: Any
    plan: Sequence[Sequence[Any]]
    encoded_splits: Mapping[Any, Any]
    store: Any
    constraints: Mapping[str, Any]


def pack_task(task: Task, folder: Path) -> tuple[bytes, bytes]:
    """Write the arrays of a task to a folder, and return the two messages that bring it to a process.

    The first is JSON: the folder, the sizes of the arrays, and where the user's modules are. The
    second is the pickle of everything but the arrays.
    """
    import cloudpickle

    buffers: list[pickle.PickleBuffer] = []
    head: bytes = cloudpickle.dumps(task, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    with (folder / ROWS).open("xb") as file:
        for view in raw:
            file.write(view)
            file.write(bytes(-view.nbytes % ALIGNMENT))
        # An empty file cannot be mapped.
        file.write(bytes(ALIGNMENT))
    opening = {
        "folder": str(folder),
        "sizes": [view.nbytes for view in raw],
        "path": [os.path.abspath(entry) for entry in sys.path],
    }
    return json.dumps(opening).encode(), head


def unpack_task(opening: Mapping[str, Any], head: bytes) -> Task:
    """Return the task that `pack_task` made messages of; its arrays cannot be written to."""
    # Last, so that a file of the user's cannot shadow a module of Python's.
    sys.path += [entry for entry in opening["path"] if entry not in sys.path]
    with Path(opening["folder"], ROWS).open("rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    buffers, start = [], 0
    for size in opening["sizes"]:
        buffers.append(mapped[start : start + size])
        start += size + -size % ALIGNMENT
    # This pickle comes from the process that started this one.
    task: Task = pickle.loads(head, buffers=buffers)
    return task


def fit(task: Task, number: int, send: Send) -> None:
    """Fit a pack, send the names of its records' files, and in the end its error, if there is one."""
    from grad_ext.sweeps.run.worker import one_line

    trials = task.plan[number]
    try:
        task.fit_pack(
            trials,
            task.encoded_splits[trials[0].rows],
            lambda records: send(records=task.store.write(records)),
            lambda share: send(share=share),
        )
    # Whatever a pack raises is its own error, and does not concern the others.
    except Exception as error:  # noqa: BLE001
        send(error=one_line(error))
    else:
        send(error="")


class _Messages:
    """The parent's messages, read in a thread, so that its death is noticed while a pack is fitted."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.folder = ""
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> bytes:
        """Return the next message."""
        return self._queue.get()

    def _read(self) -> None:
        try:
            first = self._receive()
            self.folder = json.loads(first)["folder"]
            self._queue.put(first)
            while True:
                self._queue.put(self._receive())
        except EOFError:
            # The parent ends its processes by force, so it was killed itself.
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)
            os._exit(1)


def _work(receive: Callable[[], bytes], send: Callable[[bytes], None]) -> None:
    messages = _Messages(receive)
    # What every pack needs, loaded while the parent reads and encodes rows.
    from grad_ext.constraints import CONSTRAINTS
    from grad_ext.sweeps.run import fitting, storage  # noqa: F401

    def tell(**message: Any) -> None:
        send(json.dumps(message).encode())

    tell(ready=True)
    task = unpack_task(json.loads(messages.next()), messages.next())
    CONSTRAINTS.update(task.constraints)
    while True:
        fit(task, int(messages.next()), tell)


if __name__ == "__main__":
    serve(_work)
