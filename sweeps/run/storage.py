"""Where packs write their records: the study's folder, or a folder that all nodes of a cluster reach.

The latter is named by its URI: s3://, gs://, hdfs://, file:// ... Nodes write records there; the
process that runs the study fetches them into the study's folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from grad_ext.errors import InputError, MissingToolkit
from grad_ext.files import write_atomically
from grad_ext.sweeps.folder import (
    parse_records,
    read_records,
    record_file,
    to_lines,
    write_records,
)
from grad_ext.trial import Record, Trial

RECORDS = "records"


class RecordStore(Protocol):
    """Writes the records of packs and returns those of an earlier run."""

    def write(self, records: Sequence[Record]) -> str:
        """Write a pack's records, in one step, and return the name of their file."""

    def find(self, trials: Sequence[Trial]) -> list[Record] | None:
        """Return the records of a pack of these trials, None if there are none."""

    def fetch(self, folder: Path, name: str | None = None) -> int:
        """Copy the record files that a study's folder lacks into it, and return how many.

        Parameters
        ----------
        folder : pathlib.Path
            The study's folder.
        name : str, optional
            The only file to copy; all of them if not given.
        """


class LocalStore:
    """The study's own folder, which every process that trains can reach.

    Parameters
    ----------
    folder : pathlib.Path
        The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, records: Sequence[Record]) -> str:
        """Write a pack's records, in one step, and return the name of their file."""
        return write_records(self._folder, records).name

    def find(self, trials: Sequence[Trial]) -> list[Record] | None:
        """Return the records of a pack of these trials, None if there are none."""
        path = record_file(self._folder, trials)
        return read_records(path) if path.exists() else None

    def fetch(self, folder: Path, name: str | None = None) -> int:
        """Return 0: the records are in the folder already."""
        return 0


def record_store(storage: str | None, folder: Path) -> RecordStore:
    """Return where the packs of a study write their records.

    Parameters
    ----------
    storage : str or None
        The URI of a storage, if there is one.
    folder : pathlib.Path
        The study's folder.
    """
    return LocalStore(folder) if storage is None else Storage(storage)


class Storage:
    """A folder named by its URI.

    Parameters
    ----------
    uri : str
        A URI that fsspec understands; the folder is made with the first file. A pickle holds the URI
        alone.

    Raises
    ------
    InputError
        If fsspec does not know the protocol, or the protocol's package is not installed.
    MissingToolkit
        If fsspec is not installed.

    Examples
    --------
    >>> from grad_ext.sweeps.run.storage import Storage
    >>> Storage("file:///shared/studies/mine").uri
    'file:///shared/studies/mine'
    """

    def __init__(self, uri: str) -> None:
        if "://" not in uri:
            raise InputError(f"storage: expected a URI such as s3://bucket/study, got {uri!r}")
        self.uri = uri
        self._open()

    def _open(self) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise MissingToolkit("fsspec", "tune") from error
        try:
            opened: Any = fsspec.core.url_to_fs(self.uri)
        except (ValueError, ImportError) as error:
            raise InputError(f"storage: cannot use {self.uri}: {error}") from None
        self._system, self._root = opened

    def __getstate__(self) -> dict[str, str]:
        return {"uri": self.uri}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.uri = state["uri"]
        self._open()

    def write(self, records: Sequence[Record]) -> str:
        """Write a pack's records, in one step, and return the name of their file."""
        name = record_file(Path(), [record.trial for record in records]).name
        self.put(f"{RECORDS}/{name}", to_lines(records))
        return name

    def find(self, trials: Sequence[Trial]) -> list[Record] | None:
        """Return the records of a pack of these trials, None if there are none."""
        name = f"{self._root}/{RECORDS}/{record_file(Path(), trials).name}"
        try:
            content = self._system.cat_file(name)
        except FileNotFoundError:
            return None
        return parse_records(content, name)

    def put(self, name: str, text: str) -> None:
        """Write a whole file, or none."""
        path = f"{self._root}/{name}"
        self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        # Object stores show a file only when it is whole. File systems do not, so rename it last.
        unfinished = f"{path}.{uuid4().hex}.part"
        self._system.pipe_file(unfinished, text.encode())
        self._system.mv(unfinished, path)

    def fetch(self, folder: Path, name: str | None = None) -> int:
        """Copy the record files that a study's folder lacks into it: see `RecordStore.fetch`."""
        self._system.invalidate_cache()
        stored = [f"{self._root}/{RECORDS}/{name}"]
        if name is None:
            try:
                stored = sorted(map(str, self._system.ls(f"{self._root}/{RECORDS}", detail=False)))
            except FileNotFoundError:
                return 0
        fetched = 0
        for source in stored:
            path = folder / RECORDS / source.rpartition("/")[2]
            if path.suffix == ".jsonl" and not path.exists():
                write_atomically(path, self._system.cat_file(source).decode())
                fetched += 1
        return fetched
