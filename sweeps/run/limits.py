"""Fits in a child process, which is ended when one takes too long or too much memory.

A method that hangs, leaks or crashes the interpreter does not affect other trials: the fit in progress
gets a record with the error and without metrics, and the other trials go on in a new process.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cloudpickle
import psutil

from grad_ext.adapters.isolation import Child, MemoryLimit, ProcessDied, TimeLimit
from grad_ext.errors import InputError
from grad_ext.evaluation import EncodedSplit
from grad_ext.method import Method
from grad_ext.sweeps.run import worker
from grad_ext.sweeps.run.packs import WIDTH
from grad_ext.trial import Record, Trial

SECONDS = 900.0
# Seconds until a process must have begun its first fit, beside the limit of a fit.
START = 120.0
# Seconds in which a process that is done may end by itself, so that its libraries can tidy up.
GRACE = 5.0
UNITS = {"": 2**30, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "kb": 10**3}
UNITS |= {"mb": 10**6, "gb": 10**9, "tb": 10**12}


@dataclass(frozen=True)
class Limits:
    """The limits of a fit.

    Attributes
    ----------
    seconds : float
        Wall time of a fit and its evaluation; multiplied by the number of trials fitted together.
    memory : int or None
        Resident memory (bytes) of the process and all that it starts; half of the machine's, or of
        its control group's, if None.
    """

    seconds: float = SECONDS
    memory: int | None = None

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InputError(f"time limit: expected seconds above 0, got {self.seconds}")
        if self.memory is not None and self.memory < 1:
            raise InputError(f"memory limit: expected bytes above 0, got {self.memory}")

    @property
    def bytes(self) -> int:
        """The limit of memory as a number."""
        return self.memory if self.memory is not None else machine_memory() // 2


def memory_from_text(text: str) -> int:
    """Return the number of bytes of a text such as 4GiB, 500MB or 4 (of GiB).

    Raises
    ------
    InputError
        If it is not an amount of memory.

    Examples
    --------
    >>> from grad_ext.sweeps.run.limits import memory_from_text
    >>> memory_from_text("4GiB") == memory_from_text("4") == 4 * 2**30
    True
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    size = float(match[1]) * UNITS[match[2]] if match and match[2] in UNITS else 0.0
    if size < 1:
        raise InputError(f"expected an amount of memory such as 4GiB or 500MB, got {text!r}")
    return int(size)


def machine_memory() -> int:
    """Return the memory (bytes) of the machine, or of the control group if that is less."""
    sizes = [psutil.virtual_memory().total]
    # Control groups of version 2 and of version 1.
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            sizes.append(int(Path("/sys/fs/cgroup", name).read_text()))
    return int(min(sizes))


def fit(
    make: Callable[[Trial], Method],
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    on_records: Callable[[Sequence[Record]], None],
    limits: Limits | None = None,
    width: Callable[[Trial], int] = lambda trial: WIDTH,
) -> None:
    """Fit trials in child processes, and pass on the record of each, failed or not.

    Parameters
    ----------
    make : callable
        Gets a trial, returns its method; sent to the process by cloudpickle.
    trials : sequence of Trial
        The trials; consecutive ones of equal static settings are fitted together if their method
        fits packs.
    encoded : EncodedSplit
        The rows.
    on_records : callable
        Gets records as soon as they are known.
    limits : Limits, optional
        The limits of a fit.
    width : callable, optional
        Gets a trial, returns how many of its method are fitted together at most; the width of a pack
        if not given.
    """
    left = list(trials)
    while left:
        task = cloudpickle.dumps(worker.Task(make, tuple(left), encoded, width))
        done = _run(task, left, on_records, limits or Limits())
        left = [trial for i, trial in enumerate(left) if i not in done]


def _run(
    task: bytes,
    trials: Sequence[Trial],
    on_records: Callable[[Sequence[Record]], None],
    limits: Limits,
) -> set[int]:
    """Fit trials in one process until it ends or is ended, and return the numbers of those done."""
    done: set[int] = set()
    # Numbers of the trials that it is fitting, and the memory (bytes) that it held before.
    members: list[int] = []
    held = 0
    child = Child(worker.__name__)
    try:
        child.send(task)
        while len(done) < len(trials):
            since = time.monotonic()
            seconds = limits.seconds * max(1, len(members)) + (0.0 if members else START)
            ended = ""
            try:
                message = json.loads(child.receive(seconds, limits.bytes))
            except TimeLimit:
                what = "took" if members else "had not begun to fit after"
                ended = f"TimeLimit: {what} more than {seconds:g} s"
            except (MemoryLimit, ProcessDied) as error:
                ended = worker.one_line(error)
            if ended:
                message = {"error": ended}
                if not members and not done:
                    # What ends before its first fit would do so for every trial.
                    members = list(range(len(trials)))
            if "fitting" in message:
                members, held = message["fitting"], message["held"]
                # What was printed and held before is of other fits.
                child.printed_from, child.most = message["printed"], held
                continue
            if "records" in message:
                records = [Record.from_json(values) for values in message["records"]]
            else:
                share = (time.monotonic() - since) / max(1, len(members))
                records = [Record.failed(trials[i], message["error"], share) for i in members]
            if records:
                peak = float(max(child.most, message.get("peak", 0)) - held)
                on_records([replace(record, peak_bytes=peak) for record in records])
            done.update(members)
            if ended:
                break
            members = []
        return done
    finally:
        child.close(0.0 if members else GRACE)
