"""The process that fits one pack, and is killed when a fit takes too much: see `grad_ext.sweeps.run.limits`.

What to fit comes pickled on the standard input, from the parent and nobody else; what became of it
leaves on the standard output, a line of JSON a message; what toolkits print goes to the standard
error.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil

# Seconds between two looks at whether the parent still lives.
WATCH = 0.5
# Linux: prctl's code for a signal at the parent's death, and what resets a process's peak memory.
PR_SET_PDEATHSIG = 1
RESET_PEAK = "5"

OnProgress = Callable[..., None]


@dataclass(frozen=True)
class Task:
    """What the process is to do.

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


def die_with(parent: int) -> None:
    """End this process when its parent ends, also where a library keeps the interpreter busy."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run(task: Task, say: OnProgress) -> None:
    """Fit a task's trials and say what became of each.

    Before a fit: ``fitting``, the numbers of its trials, ``held``, the memory (bytes) in use, and
    ``printed``, the length of what was printed so far; after it ``records`` and ``peak``, or
    ``error``. Methods that fit one trial after another do so here one at a time.
    """
    from grad_ext.adapters.sklearn import Estimators

    numbered = list(enumerate(task.trials))
    for _, group in groupby(numbered, key=lambda item: item[1].static):
        members = list(group)
        numbers = [i for i, _ in members]
        try:
            method = task.make(members[0][1])
        # Whatever a method raises is a row of the comparison; AIF360 is known to exit.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            for i in numbers:
                _begin([i], say)
                say(error=words(error))
            continue
        widest = 1 if isinstance(method, Estimators) else task.width(members[0][1])
        for first in range(0, len(numbers), widest):
            _fit(method, numbers[first : first + widest], task, say)


def _fit(method: Any, numbers: Sequence[int], task: Task, say: OnProgress) -> None:
    from grad_ext.evaluation import evaluate

    _settle()
    _begin(numbers, say)
    try:
        records = evaluate(method, [task.trials[i] for i in numbers], task.encoded, validation=True)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        if len(numbers) == 1:
            say(error=words(error))
            return
        # Which of them it was shows only when each is fitted alone.
        for i in numbers:
            _fit(method, [i], task, say)
        return
    say(records=[record.to_json() for record in records], peak=peak_memory())


def _begin(numbers: Sequence[int], say: OnProgress) -> None:
    sys.stdout.flush()
    say(fitting=list(numbers), held=memory(os.getpid()), printed=os.fstat(2).st_size)


def words(error: BaseException) -> str:
    """Return an error's type and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that it started, directly or not; nothing if it has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory(pid: int) -> int:
    """Return the resident memory (bytes) of a process and all that it started."""
    held = 0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            held += process.memory_info().rss
    return held


def _settle() -> None:
    """Give free memory back, so that a fit is not measured by what an earlier one left."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(RESET_PEAK)


def peak_memory() -> int:
    """Return the most memory (bytes) this process held since the last fit began; 0 if unknown."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Fit what comes, and end."""
    die_with(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    run(pickle.load(sys.stdin.buffer), say)


if __name__ == "__main__":
    main()
