"""Temporary folders of a run, which the next run deletes if this one is killed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

# Before the id of the process.
PREFIX = "grad-ext-run-"
# As `tempfile.mkdtemp` makes them in `temporary_folder`.
NAME = re.compile(rf"{PREFIX}([0-9]+)-[a-z0-9_]{{8}}")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that only this user can read, and delete it in the end.

    Folders of processes that were killed are deleted first.
    """
    delete_stale_folders()
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    try:
        yield Path(folder)
    finally:
        # A process that was just ended may hold a file for a moment on Windows.
        shutil.rmtree(folder, ignore_errors=True)


def delete_stale_folders() -> None:
    """Delete the temporary folders of processes that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        match = NAME.fullmatch(path.name)
        # Links are left alone; shutil.rmtree follows none inside of a folder.
        if match and not path.is_symlink() and not psutil.pid_exists(int(match[1])):
            shutil.rmtree(path, ignore_errors=True)
