"""Files that do not come with the package: looked for, downloaded, checked, kept.

A file is looked for in the user's folder (an argument, or the environment variable
GRAD_EXT_DATA_DIR), then in the cache; last it is downloaded into the cache, where it appears whole
and with the right SHA-256, or not at all.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs

from grad_ext.errors import InputError
from grad_ext.files import writable_folder, write_atomically

DATA_DIR = "GRAD_EXT_DATA_DIR"
CACHE = "GRAD_EXT_CACHE"
TIMEOUT_SECONDS = 30.0
BLOCK_BYTES = 1 << 18

# What reading a damaged file or archive raises; an encrypted archive raises RuntimeError.
DAMAGED = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class RawFile:
    """A published file.

    Attributes
    ----------
    name : str
        Its name, unpacked.
    page : str
        Where a person finds it.
    archives : tuple of str
        Names of zip archives that it may lie in, in whatever folder of theirs.
    size : int, optional
        Its length in bytes, unpacked.
    sha256 : str, optional
        Its checksum, unpacked; None if there is no published one.
    url : str, optional
        Where it, or an archive that holds it, can be downloaded; None where only the user can.
    """

    name: str
    page: str
    archives: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    url: str | None = None


def how_to_get(*files: RawFile) -> str:
    """Say which files are needed, where they come from, their checksums and where they go.

    Parameters
    ----------
    *files : RawFile
        Files that lie on one page and in the same archives.
    """
    named = [f"{f.name} (SHA-256 {f.sha256})" if f.sha256 else f.name for f in files]
    inside = f", or {' or '.join(files[0].archives)} with it inside," if files[0].archives else ""
    return (
        f"get {', '.join(named)}{inside} from {files[0].page} and put it into {cache_folder()}, or "
        "into a folder of your own that data_dir (--data-dir on the command line) or the "
        f"environment variable {DATA_DIR} names"
    )


def cache_folder() -> Path:
    """Return the folder that downloads are kept in: the platform's, or GRAD_EXT_CACHE."""
    own = os.environ.get(CACHE)
    return Path(own or platformdirs.user_cache_dir("grad-ext")).expanduser()


def folders(data_dir: str | Path | None = None) -> list[Path]:
    """Return the folders in which files are looked for, in order.

    Raises
    ------
    InputError
        If there is no folder where the user says so.
    """
    named = {"data_dir": data_dir, DATA_DIR: os.environ.get(DATA_DIR)}
    found = []
    for what, given in named.items():
        if given:
            folder = Path(given).expanduser()
            if not folder.is_dir():
                raise InputError(f"{what}: expected a folder, got {folder}")
            found.append(folder)
    return [*found, cache_folder()]


def find(file: RawFile, data_dir: str | Path | None = None) -> Path | None:
    """Return where a file lies: itself, gzipped, or an archive of it; None if nowhere.

    Parameters
    ----------
    file : RawFile
        The file to look for.
    data_dir : path, optional
        The user's folder, looked into first.
    """
    names = (file.name, f"{file.name}.gz", *file.archives)
    places = (folder / name for folder in folders(data_dir) for name in names)
    return next((place for place in places if place.is_file()), None)


def read(file: RawFile, path: Path) -> bytes:
    """Return a file's content, unpacked and checked.

    Raises
    ------
    InputError
        If it cannot be read, or has another checksum than the published one.
    """
    try:
        with path.open("rb") as stream:
            return _checked(file, _unpacked(file, stream), path)
    except DAMAGED as error:
        raise InputError(
            f"cannot read {file.name} from {path}: {error}; {how_to_get(file)}"
        ) from None


def obtain(file: RawFile, data_dir: str | Path | None = None) -> tuple[bytes, Path]:
    """Return a file's content and where it lies, downloading it if it lies nowhere.

    Parameters
    ----------
    file : RawFile
        The file to read; without a `url` it is not downloaded.
    data_dir : path, optional
        The user's folder, looked into first.

    Raises
    ------
    InputError
        If the user's copy is another file, or the file is not there and cannot be downloaded: the
        message says which file is needed, from where, its checksum and where to put it.
    """
    path = find(file, data_dir)
    if path is not None:
        try:
            return read(file, path), path
        except InputError:
            # The cache is ours to repair; a user's folder is not.
            if file.url is None or path.parent != cache_folder():
                raise
    path = download(file)
    return read(file, path), path


def download(file: RawFile) -> Path:
    """Download a file into the cache and return where it lies.

    It arrives in a temporary file without a name, is unpacked and checked there, and takes its
    place in one move: whatever happens in between, nothing is left.

    Raises
    ------
    InputError
        If it cannot be downloaded, or is another file than the published one.
    """
    if file.url is None:
        raise InputError(f"{file.name} cannot be downloaded: {how_to_get(file)}")
    folder = writable_folder(cache_folder())
    with tempfile.TemporaryFile(dir=folder) as arrived:
        try:
            _receive(file, file.url, arrived)
            content = _unpacked(file, arrived)
        except (*DAMAGED, http.client.HTTPException, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it carries the open connection
            raise InputError(
                f"cannot download {file.name} from {file.url} ({error}): {how_to_get(file)}"
            ) from None
    path = folder / file.name
    write_atomically(path, _checked(file, content, file.url))
    return path


def _receive(file: RawFile, url: str, out: IO[bytes]) -> None:
    """Copy what an address gives into a file, under a progress bar if someone is watching."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    request = urllib.request.Request(url, headers={"User-Agent": "grad-ext"})
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bar = Progress(
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response, bar:
        promised = response.headers.get("Content-Length")
        expected = int(promised) if promised else None
        task = bar.add_task(f"Downloading {file.name}", total=expected)
        got = 0
        while block := response.read(BLOCK_BYTES):
            out.write(block)
            got += len(block)
            bar.update(task, completed=got)
    if expected is not None and got != expected:
        raise EOFError(f"the connection ended after {got} of {expected} bytes")


def _unpacked(file: RawFile, stream: IO[bytes]) -> bytes:
    """Return the content of a file that may be gzipped or lie in a zip archive.

    Nothing is extracted to the disk, and never more than one byte beyond the expected length is
    unpacked: that much is enough for the checksum to fail.
    """
    limit = -1 if file.size is None else file.size + 1
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            members = [m for m in archive.namelist() if m.split("/")[-1] == file.name]
            if not members:
                raise zipfile.BadZipFile(f"the archive holds no {file.name}")
            with archive.open(members[0]) as member:
                return member.read(limit)
    stream.seek(0)
    start = stream.read(2)
    stream.seek(0)
    if start == b"\x1f\x8b":
        with gzip.open(stream) as unzipped:
            return unzipped.read(limit)
    return stream.read(limit)


def _checked(file: RawFile, content: bytes, where: Path | str) -> bytes:
    """Return the content if its checksum is the published one."""
    found = hashlib.sha256(content).hexdigest()
    if file.sha256 is not None and found != file.sha256:
        raise InputError(
            f"{file.name} from {where} has the wrong checksum: expected SHA-256 {file.sha256}, got "
            f"{found}; {how_to_get(file)}"
        )
    return content
