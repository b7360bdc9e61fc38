"""Fits in a process of their own, which is killed when one takes too long or too much memory.

A method that hangs, leaks or brings the interpreter down costs its own row of a comparison and no
other: the fit in progress gets a record that says why it has no figures, and the rest of its pack
goes on in a new process.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from grad_ext.adapters.aif360.process import ENVIRONMENT
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.evaluation import EncodedSplit
from grad_ext.method import Method
from grad_ext.sweeps.run.packs import WIDTH
from grad_ext.trial import Record, Trial

try:
    import psutil

    from grad_ext.sweeps.run import worker
except ImportError as error:
    raise MissingToolkit("psutil", "tune") from error

SECONDS = 900.0
# Seconds until a process must have begun its first fit, beside what a fit may take.
START = 120.0
# Seconds between two looks at a process's memory.
POLL = 0.1
# Seconds that a process which is done has to end.
GRACE = 5.0
# How much of what a process printed before it died is shown.
TAIL = 300
UNITS = {"": 2**30, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "kb": 10**3}
UNITS |= {"mb": 10**6, "gb": 10**9, "tb": 10**12}


@dataclass(frozen=True)
class Limits:
    """What a fit may take.

    Attributes
    ----------
    seconds : float
        Wall time of a fit and of evaluation it; trials fitted together have as many times that.
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
    """Return the bytes that a text such as 4GiB, 500MB or 4 (of GiB) stands for.

    Raises
    ------
    InputError
        If it is none.

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
    found = [psutil.virtual_memory().total]
    # Control groups of version 2 and of version 1.
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path("/sys/fs/cgroup", name).read_text()))
    return int(min(found))


def _a_pack(trial: Trial) -> int:
    return WIDTH


def fit(
    make: Callable[[Trial], Method],
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    keep: Callable[[Sequence[Record]], None],
    limits: Limits | None = None,
    width: Callable[[Trial], int] = _a_pack,
) -> None:
    """Fit trials in processes of their own and hand over the record of each, failed or not.

    Parameters
    ----------
    make : callable
        Gets a trial, returns its method; sent to the process by cloudpickle.
    trials : sequence of Trial
        What to fit; neighbours of equal static settings are fitted together where the method does
        so.
    encoded : EncodedSplit
        The rows.
    keep : callable
        Gets records as they come.
    limits : Limits, optional
        What a fit may take.
    width : callable, optional
        Gets a trial, returns how many of its method are fitted together at most; a pack's if not
        given.

    Raises
    ------
    MissingToolkit
        If psutil or Ray is not installed.
    """
    left = list(range(len(trials)))
    while left:
        done = _run(make, [trials[i] for i in left], encoded, keep, limits or Limits(), width)
        left = [i for n, i in enumerate(left) if n not in done]


def _run(
    make: Callable[[Trial], Method],
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    keep: Callable[[Sequence[Record]], None],
    limits: Limits,
    width: Callable[[Trial], int],
) -> set[int]:
    """Fit trials in one process until it ends or is ended, and return the numbers of those done."""
    done: set[int] = set()
    child = _Child(worker.Task(make, tuple(trials), encoded, width))
    try:
        while len(done) < len(trials):
            message = child.next(limits)
            if "fitting" in message:
                child.begin(message)
                continue
            members = child.members
            if "ended" in message and not members and not done:
                # What ends before its first fit would do so for every trial.
                members = list(range(len(trials)))
            if "records" in message:
                records = [Record.from_json(values) for values in message["records"]]
            else:
                seconds = child.seconds / max(1, len(members))
                records = [Record.failed(trials[i], message["error"], seconds) for i in members]
            if records:
                keep([replace(record, peak_bytes=child.grown(message)) for record in records])
            done.update(members)
            if "ended" in message:
                break
            child.rest()
        return done
    finally:
        child.close()


class _Child:
    """A process that fits, as its parent sees it.

    Attributes
    ----------
    members : list of int
        Numbers of the trials that it is fitting; none between two fits.
    """

    def __init__(self, task: worker.Task) -> None:
        try:
            from ray import cloudpickle
        except ImportError as error:
            raise MissingToolkit("ray", "tune") from error
        question = cloudpickle.dumps(task)  # type: ignore[no-untyped-call]
        self.members: list[int] = []
        self._since, self._printed = time.monotonic(), 0
        self._held = self._high = 0
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", worker.__name__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **ENVIRONMENT},
            # Ctrl-C is the driver's to answer; and whatever it starts can be ended with it.
            start_new_session=True,
        )
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=call, args=arguments, daemon=True)
            for call, arguments in ((_write, (self._process.stdin, question)), (self._read, ()))
        ]
        for thread in self._threads:
            thread.start()

    def begin(self, message: Mapping[str, Any]) -> None:
        """Start the clock of the fit that a message is about."""
        self.members, self._since = message["fitting"], time.monotonic()
        # What was printed and held before is of other fits.
        self._printed = message["printed"]
        self._held = self._high = message["held"]

    def rest(self) -> None:
        """Note that it is between two fits."""
        self.members, self._since = [], time.monotonic()

    def next(self, limits: Limits) -> dict[str, Any]:
        """Return what the process says next, or why it was ended: ``ended`` and ``error``."""
        seconds = limits.seconds * max(1, len(self.members))
        allowed = seconds if self.members else seconds + START
        while True:
            with suppress(queue.Empty):
                return self._messages.get(timeout=POLL)
            self._high = max(self._high, worker.memory(self._process.pid))
            if self._high > limits.bytes:
                what = f"MemoryLimit: held {_size(self._high)}, more than {_size(limits.bytes)}"
                return {"ended": True, "error": what}
            if self.seconds > allowed:
                what = "took" if self.members else "had not begun to fit after"
                return {"ended": True, "error": f"TimeLimit: {what} more than {allowed:g} s"}

    @property
    def seconds(self) -> float:
        """Wall time since the fit began, or since the last one."""
        return time.monotonic() - self._since

    def grown(self, message: Mapping[str, Any]) -> float:
        """Return the memory (bytes) that a fit took, of which the process may have seen a peak."""
        return float(max(self._high, message.get("peak", 0)) - self._held)

    def close(self) -> None:
        """End the process and all that it started."""
        started = worker.tree(self._process.pid)[1:]
        # One that is done ends by itself, and tidies up after its libraries.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.0 if self.members else GRACE)
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(GRACE)
        for stream in (self._process.stdin, self._process.stdout, self._said):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        # A process that dies may leave half a line.
        with suppress(ValueError):
            for line in self._process.stdout:
                self._messages.put(json.loads(line))
        code = self._process.wait()
        self._said.seek(self._printed)
        printed = self._said.read().decode(errors="replace").strip()[-TAIL:]
        error = f"ProcessDied: the process ended with code {code}: {' '.join(printed.split())}"
        self._messages.put({"ended": True, "error": error})


def _write(stream: IO[bytes], question: bytes) -> None:
    # A process that dies early says so by its end.
    with suppress(BrokenPipeError), stream:
        stream.write(question)


def _size(number: float) -> str:
    return f"{number / 2**30:.2f} GiB"
