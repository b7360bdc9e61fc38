"""What is free on this machine's GPUs, looked up in a process of its own.

A process that has looked at a GPU keeps some of its memory until it ends; and looking takes seconds,
which pass while Ray starts.
"""

from __future__ import annotations

import json
import subprocess
import sys


def free_memory() -> tuple[float, ...]:
    """Return the free memory (bytes) of each GPU that torch can use here."""
    import torch

    if not torch.cuda.is_available():
        return ()
    every = range(torch.cuda.device_count())
    return tuple(float(torch.cuda.mem_get_info(device)[0]) for device in every)


class Looking:
    """A process that looks; `result` waits for it."""

    def __init__(self) -> None:
        self._found: tuple[float, ...] | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def result(self) -> tuple[float, ...]:
        """Return what it saw; nothing if it could not look."""
        if self._found is None:
            said, _ = self._process.communicate()
            self._found = tuple(json.loads(said)) if self._process.returncode == 0 else ()
        return self._found

    def stop(self) -> None:
        """End it, if it has not ended."""
        if self._found is None:
            self._process.kill()
            self._process.communicate()
            self._found = ()


if __name__ == "__main__":
    print(json.dumps(free_memory()))
