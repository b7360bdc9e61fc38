"""Files that are not in the package: finding, downloading and checking them.

The places of a file are the user's folder (an argument, or the environment variable
GRAD_EXT_DATA_DIR), the cache, and a download into the cache, which is written whole and with the
right SHA-256, or not at all.
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

from grad_ext.errors import InputError
from grad_ext.files import cache_folder, writable_folder, write_atomically

DATA_DIR = "GRAD_EXT_DATA_DIR"
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
        Address of the page with the file.
    archives : tuple of str
        Names of zip archives that may hold it, in any of their folders or in an archive within.
    size : int, optional
        Its length in bytes, unpacked.
    sha256 : str, optional
        Its checksum, unpacked; None if there is no published one.
    url : str, optional
        Address of the file, or of an archive with it; None if only the user can download it.
    member : str, optional
        Its name in an archive and at its source, where that is not `name`.
    places : tuple of str
        Further paths in the user's folder and the cache where other libraries keep it.
    """

    name: str
    page: str
    archives: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    url: str | None = None
    member: str | None = None
    places: tuple[str, ...] = ()


def how_to_get(*files: RawFile) -> str:
    """Return instructions for the user: files, checksums, source, and the folder for them.

    Parameters
    ----------
    *files : RawFile
        Files of one page and the same archives.
    """
    named = [f"{f.name} (SHA-256 {f.sha256})" if f.sha256 else f.name for f in files]
    inside = f", or {' or '.join(files[0].archives)} with it inside," if files[0].archives else ""
    return (
        f"get {', '.join(named)}{inside} from {files[0].page} and put it into {cache_folder()}, or "
        "into a folder of your own that data_dir (--data-dir on the command line) or the "
        f"environment variable {DATA_DIR} names"
    )


def folders(data_dir: str | Path | None = None) -> list[Path]:
    """Return the folders that may hold files, in the order of the search.

    Raises
    ------
    InputError
        If a folder that the user named does not exist.
    """
    named = {"data_dir": data_dir, DATA_DIR: os.environ.get(DATA_DIR)}
    existing = []
    for what, given in named.items():
        if given:
            folder = Path(given).expanduser()
            if not folder.is_dir():
                raise InputError(f"{what}: expected a folder, got {folder}")
            existing.append(folder)
    return [*existing, cache_folder()]


def find(file: RawFile, data_dir: str | Path | None = None) -> Path | None:
    """Return the path of a file, plain, gzipped or in an archive; None if there is none.

    Parameters
    ----------
    file : RawFile
        The file to look for.
    data_dir : path, optional
        The user's folder, searched first.
    """
    names = (file.name, f"{file.name}.gz", *file.places, *file.archives)
    places = (folder / name for folder in folders(data_dir) for name in names)
    return next((place for place in places if place.is_file()), None)


def read(file: RawFile, path: Path) -> bytes:
    """Return a file's unpacked content, after a check of its checksum.

    Raises
    ------
    InputError
        If it cannot be read, or its checksum is not the published one.
    """
    try:
        with path.open("rb") as stream:
            return _checked(file, _unpacked(file, stream), path)
    except DAMAGED as error:
        raise InputError(
            f"cannot read {file.name} from {path}: {error}; {how_to_get(file)}"
        ) from None


def obtain(file: RawFile, data_dir: str | Path | None = None) -> tuple[bytes, Path]:
    """Return a file's content and its path, after a download if necessary.

    Parameters
    ----------
    file : RawFile
        The file to read; without a `url` it is not downloaded.
    data_dir : path, optional
        The user's folder, searched first.

    Raises
    ------
    InputError
        If the user's copy is another file, or the file is missing and cannot be downloaded; the
        message has the file's source, its checksum, and the folder for it.
    """
    path = find(file, data_dir)
    if path is not None:
        try:
            return read(file, path), path
        except InputError:
            # A damaged file in the cache is downloaded again; the user's folder is not changed.
            if file.url is None or path.parent != cache_folder():
                raise
    path = download(file)
    return read(file, path), path


def download(file: RawFile) -> Path:
    """Download a file into the cache and return where it lies.

    It is downloaded to an unnamed temporary file, unpacked and checked, and only then written to
    the cache, so that an interrupted download leaves nothing behind.

    Raises
    ------
    InputError
        If it cannot be downloaded, or is not the published file.
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
    """Copy the content of an address into a file, with a progress bar on a terminal."""
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
    """Return the content of a file that may be gzipped or in a zip archive.

    Nothing is extracted to the disk, and at most one byte more than the expected length is unpacked,
    which is enough for the checksum to fail.
    """
    limit = -1 if file.size is None else file.size + 1
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            content = _member(archive, file.member or file.name, limit)
        if content is None:
            raise zipfile.BadZipFile(f"the archive holds no {file.member or file.name}")
        return content
    stream.seek(0)
    start = stream.read(2)
    stream.seek(0)
    if start == b"\x1f\x8b":
        with gzip.open(stream) as unzipped:
            return unzipped.read(limit)
    return stream.read(limit)


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes | None:
    """Return a member of an archive or of the archives in it; None if there is none."""
    names = archive.namelist()
    for each in names:
        if each.split("/")[-1].lower() == name.lower():
            with archive.open(each) as member:
                return member.read(limit)
    for each in names:
        if each.endswith(".zip"):
            with archive.open(each) as member, zipfile.ZipFile(member) as inner:
                content = _member(inner, name, limit)
            if content is not None:
                return content
    return None


def _checked(file: RawFile, content: bytes, where: Path | str) -> bytes:
    """Return the content, after a check of its checksum if there is a published one."""
    checksum = hashlib.sha256(content).hexdigest()
    if file.sha256 is not None and checksum != file.sha256:
        raise InputError(
            f"{file.name} from {where} has the wrong checksum: expected SHA-256 {file.sha256}, got "
            f"{checksum}; {how_to_get(file)}"
        )
    # Without a published checksum, at least not the page of an error or a login.
    if file.sha256 is None and content[:64].lstrip().startswith(b"<"):
        raise InputError(
            f"{file.name} from {where}: expected a data file, got a web page; {how_to_get(file)}"
        )
    return content
