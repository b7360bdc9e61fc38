"""The child process that fits trials, and is ended at a limit: see `grad_ext.sweeps.run.limits`.

The task comes pickled from the parent, and from nobody else; messages to the parent are JSON.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from grad_ext.adapters.isolation import resident_memory, serve

# Linux: resets a process's peak memory.
RESET_PEAK = "5"

# Gets a message as keywords.
Send = Callable[..., None]


@dataclass(frozen=True)
class Task:
    """The trials that the process fits.

    Attributes
    ----------
    make : callable
        Gets a trial, returns the method that fits it; trials of equal static settings share one.
    trials : tuple of Trial
        What to fit.
    encoded : EncodedSplit
        The rows.
    width : callable
        Gets a trial, returns how many of its method are fitted together at most.
    """

    make: Callable[[Any], Any]
    trials: tuple[Any, ...]
    encoded: Any
    width: Callable[[Any], int]


def run(task: Task, send: Send) -> None:
    """Fit a task's trials and send a message before and after each fit.

    Before a fit: ``fitting``, the numbers of its trials, ``held``, the memory (bytes) in use, and
    ``printed``, the length of what was printed so far; after it ``records`` and ``peak``, or
    ``error``. Methods that fit one trial after another get one trial at a time.
    """
    from grad_ext.adapters.sklearn import Estimators

    numbered = list(enumerate(task.trials))
    for _, group in groupby(numbered, key=lambda item: item[1].static):
        members = list(group)
        numbers = [i for i, _ in members]
        try:
            method = task.make(members[0][1])
        # Whatever a method raises becomes the trial's record; AIF360 is known to exit.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            for i in numbers:
                _begin([i], send)
                send(error=one_line(error))
            continue
        widest = 1 if isinstance(method, Estimators) else task.width(members[0][1])
        for first in range(0, len(numbers), widest):
            _fit(method, numbers[first : first + widest], task, send)


def _fit(method: Any, numbers: Sequence[int], task: Task, send: Send) -> None:
    from grad_ext.evaluation import evaluate

    _settle()
    _begin(numbers, send)
    try:
        records = evaluate(method, [task.trials[i] for i in numbers], task.encoded, validation=True)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        if len(numbers) == 1:
            send(error=one_line(error))
            return
        # Fit each alone to find out which of them failed.
        for i in numbers:
            _fit(method, [i], task, send)
        return
    send(records=[record.to_json() for record in records], peak=peak_memory())


def _begin(numbers: Sequence[int], send: Send) -> None:
    sys.stdout.flush()
    send(fitting=list(numbers), held=resident_memory(os.getpid()), printed=os.fstat(2).st_size)


def one_line(error: BaseException) -> str:
    """Return an error's type and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _settle() -> None:
    """Free unused memory, so that the memory of an earlier fit does not count."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(RESET_PEAK)


def peak_memory() -> int:
    """Return the most memory (bytes) that this process held in the current fit; 0 if unknown."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _work(receive: Callable[[], bytes], send: Callable[[bytes], None]) -> None:
    run(pickle.loads(receive()), lambda **message: send(json.dumps(message).encode()))


if __name__ == "__main__":
    serve(_work)
