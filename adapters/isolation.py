"""Work in a child process, for code that may hang, leak, crash or disturb its process.

Parent and child exchange messages, each a length and that many bytes, through the child's standard
input and output; what the child and its libraries print goes to a file, of which the end is shown if
the child dies. A child runs a module that calls `serve`. It ends when it is done, when it is closed or
collected, at a limit, or with its parent.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, BinaryIO, Protocol

import psutil

# One thread for all numerical libraries, as GRAD is trained; no devices; no chatter.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
# Bytes of a message's length.
LENGTH = 8
# Seconds between two measurements of a child's memory, and between two checks that its parent lives.
POLL, WATCH = 0.1, 0.5
# Seconds to wait for the threads of a child that has ended.
GRACE = 5.0
# How many characters of what a child printed before it died are shown.
TAIL = 300
# Linux: prctl's code for a signal at the parent's death.
PR_SET_PDEATHSIG = 1

Outbox = queue.SimpleQueue[bytes | None]


class Inbox(Protocol):
    """Gets a child's messages, and None after the last one."""

    def put(self, item: bytes | None, /) -> None:
        """Add a message."""


class TimeLimit(TimeoutError):
    """A child took too long to answer, and was ended."""


class MemoryLimit(MemoryError):
    """A child and the processes it started held too much memory, and were ended."""


class ProcessDied(RuntimeError):
    """A child ended without an answer."""


class Child:
    """A child process in a process group of its own, so that Ctrl-C interrupts the parent only.

    Parameters
    ----------
    module : str
        The module that it runs.
    inbox : Inbox, optional
        Gets the child's messages in another thread, where one place waits for many children;
        `receive` is not used then.
    by_signal : bool, default True
        Let the system kill the child the moment its parent is dead, where it can. Otherwise the child
        notices by itself that its standard input is closed, and can tidy up.

    Attributes
    ----------
    most : int
        The most memory (bytes) that `receive` has measured; may be set, to measure anew.
    printed_from : int
        Position in what the child has printed from which on it is shown if the child dies.
    """

    def __init__(self, module: str, inbox: Inbox | None = None, by_signal: bool = True) -> None:
        self.most = self.printed_from = 0
        # The parent's death signal comes when the thread that started the child ends.
        is_main = threading.current_thread() is threading.main_thread()
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the child lives
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(os.getpid()), str(int(is_main and by_signal))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
        # A child that does not read must not block the parent. Neither thread holds this object,
        # which could not be collected otherwise.
        self._outbox: Outbox = queue.SimpleQueue()
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=target, args=arguments, daemon=True)
            for target, arguments in (
                (_write_all, (self._process.stdin, self._outbox)),
                (_read_all, (self._process.stdout, inbox or self._inbox)),
            )
        ]
        for thread in self._threads:
            thread.start()
        self._finalizer = weakref.finalize(
            self, _end, self._process, self._printed, self._outbox, self._threads
        )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def send(self, message: bytes) -> None:
        """Send a message, without waiting until it is read."""
        self._outbox.put(message)

    def receive(self, seconds: float | None = None, memory: int | None = None) -> bytes:
        """Return the child's next message.

        Parameters
        ----------
        seconds : float, optional
            How long to wait for it; for ever if not given.
        memory : int, optional
            Most memory (bytes) that the child and the processes it started may hold meanwhile.

        Raises
        ------
        TimeLimit
            If it takes longer; the child is ended.
        MemoryLimit
            If they hold more; the child is ended.
        ProcessDied
            If the child has ended, with its exit code and the end of what it printed.
        """
        if not self._finalizer.alive:
            raise ProcessDied("the process is closed")
        start = time.monotonic()
        while True:
            left = None if seconds is None else max(0.0, start + seconds - time.monotonic())
            wait = left if memory is None else min(POLL, POLL if left is None else left)
            try:
                message = self._inbox.get(timeout=wait)
            except queue.Empty:
                if memory is not None:
                    self.most = max(self.most, resident_memory(self.pid))
                    if self.most > memory:
                        self.close()
                        raise MemoryLimit(
                            f"held {_gib(self.most)}, more than {_gib(memory)}"
                        ) from None
                if left == 0.0:
                    self.close()
                    raise TimeLimit(f"no answer within {seconds:g} seconds") from None
                continue
            if message is None:
                error = self.death()
                self.close()
                raise error
            return message

    def death(self) -> ProcessDied:
        """Return the error of a child that has ended by itself; it is not closed yet."""
        code = self._process.wait()
        self._printed.seek(self.printed_from)
        printed = self._printed.read().decode(errors="replace").strip()[-TAIL:]
        return ProcessDied(f"the process ended with code {code}: {' '.join(printed.split())}")

    def close(self, grace: float = 0.0) -> None:
        """End the child and all processes that it started.

        Parameters
        ----------
        grace : float, default 0
            Seconds in which it may end by itself.
        """
        if self._finalizer.detach() is not None:
            _end(self._process, self._printed, self._outbox, self._threads, grace)


def _end(
    process: subprocess.Popen[bytes],
    printed: IO[bytes],
    outbox: Outbox,
    threads: Sequence[threading.Thread],
    grace: float = 0.0,
) -> None:
    # Those that left the group, too.
    started = _tree(process.pid)[1:]
    outbox.put(None)
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for other in started:
        # Those of the group have ended.
        if other.is_running():
            other.kill()
    process.kill()
    process.wait()
    for thread in threads:
        # An object may be collected in any thread.
        if thread is not threading.current_thread():
            thread.join(GRACE)
    printed.close()


def _write_all(stream: BinaryIO, outbox: Outbox) -> None:
    # A child that dies early may leave a message unread.
    with suppress(BrokenPipeError), stream:
        while (message := outbox.get()) is not None:
            write_message(stream, message)


def _read_all(stream: BinaryIO, inbox: Inbox) -> None:
    with suppress(EOFError), stream:
        while True:
            inbox.put(read_message(stream))
    inbox.put(None)


def write_message(stream: BinaryIO, message: bytes) -> None:
    """Write the length of a message, and the message."""
    stream.write(len(message).to_bytes(LENGTH, "little"))
    stream.write(message)
    stream.flush()


def read_message(stream: BinaryIO) -> bytes:
    """Return the message that `write_message` wrote.

    Raises
    ------
    EOFError
        If the stream ends.
    """
    head = stream.read(LENGTH)
    length = int.from_bytes(head, "little")
    message = stream.read(length)
    if len(head) < LENGTH or len(message) < length:
        raise EOFError("the stream ended")
    return message


def _tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that it started, directly or not; nothing if it has ended."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def resident_memory(pid: int) -> int:
    """Return the resident memory (bytes) of a process and all that it started."""
    total = 0
    for process in _tree(pid):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"


def serve(work: Callable[[Callable[[], bytes], Callable[[bytes], None]], None]) -> None:
    """Run the work of a child process, until it is done or its parent closes it or dies.

    Parameters
    ----------
    work : callable
        Gets two callables: one returns the parent's next message, the other sends it one.
    """
    _die_with_parent(int(sys.argv[1]), sys.argv[2] == "1")
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "wb")
    # What libraries print must not come between the messages.
    os.dup2(2, 1)
    with suppress(EOFError):
        work(partial(read_message, sys.stdin.buffer), partial(write_message, answers))


def _die_with_parent(parent: int, by_signal: bool) -> None:
    """End this process with its parent; by a signal also if a library keeps the interpreter busy."""
    if by_signal and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
