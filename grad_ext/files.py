"""Atomic writes, and the folders that files are written to."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from platformdirs import user_cache_dir

from grad_ext.errors import InputError

CACHE = "GRAD_EXT_CACHE"
# File systems allow 255 bytes, of which a letter takes up to four.
LONGEST_NAME = 50
TEMPORARY_SUFFIX = ".grad-ext-tmp"
# As `tempfile` makes them between the prefix and the suffix of `writing_atomically`.
TEMPORARY_NAME = re.compile(
    rf"\..{{1,{LONGEST_NAME}}}\.[a-z0-9_]{{8}}{TEMPORARY_SUFFIX}", re.DOTALL
)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that readers get the old content or the new, never a part of either."""
    with writing_atomically(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def writing_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file in a file's folder, which replaces the file if the block ends well."""
    prefix = f".{path.name[:LONGEST_NAME]}."
    handle, name = tempfile.mkstemp(TEMPORARY_SUFFIX, prefix, path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def is_temporary(path: Path) -> bool:
    """Return whether a path is a temporary file of `writing_atomically`: no link, no folder."""
    return bool(TEMPORARY_NAME.fullmatch(path.name)) and not path.is_symlink() and path.is_file()


def writable_folder(path: Path) -> Path:
    """Create a folder if necessary and return its absolute path.

    Raises
    ------
    InputError
        If it cannot be created or written to.
    """
    path = path.expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(f"cannot write to the folder {path}: {error.strerror}") from None
    return path


def plain_name(*parts: str) -> str:
    """Return parts joined by hyphens to a name that every file system allows.

    Names of attributes may be conditions, with signs that not every file system allows, or long.

    Examples
    --------
    >>> from grad_ext.files import plain_name
    >>> plain_name("lambda", "loans", "age>=25", "1a2b3c")
    'lambda-loans-age_=25-1a2b3c'
    """
    *names, last = (re.sub(r"[^\w.,=+ -]+", "_", part) for part in parts)
    return f"{'-'.join(names)[:LONGEST_NAME]}-{last[:LONGEST_NAME]}"


def cache_folder(name: str = "") -> Path:
    """Return the folder of downloads and of results that can be computed again.

    It is the user's cache folder, or the one in the environment variable GRAD_EXT_CACHE.

    Parameters
    ----------
    name : str, optional
        A folder in it.
    """
    return Path(os.environ.get(CACHE) or user_cache_dir("grad-ext")).expanduser() / name
