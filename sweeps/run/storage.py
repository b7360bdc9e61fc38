"""Where packs keep their records: the study's folder, or a folder that all nodes of a cluster reach.

The latter goes by its URI: s3://, gs://, hdfs://, file:// ... Nodes write records there; the process
that runs the study fetches them into the study's folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from grad_ext.errors import InputError, MissingToolkit
from grad_ext.files import write_atomically
from grad_ext.sweeps.folder import lines_of, parsed, read_records, record_file, write_records
from grad_ext.trial import Record, Trial

RECORDS = "records"


class RecordStore(Protocol):
    """Where packs keep their records and find those of before."""

    def write(self, records: Sequence[Record]) -> None:
        """Write a pack's records, in one step."""

    def find(self, trials: Sequence[Trial]) -> list[Record] | None:
        """Return the records of a pack of these trials, None if there are none."""

    def fetch(self, folder: Path) -> int:
        """Bring the record files that a study's folder lacks into it, and return how many."""


class LocalStore:
    """The study's folder itself, which every process that trains sees.

    Parameters
    ----------
    folder : pathlib.Path
        The study's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, records: Sequence[Record]) -> None:
        """Write a pack's records, in one step."""
        write_records(self._folder, records)

    def find(self, trials: Sequence[Trial]) -> list[Record] | None:
        """Return the records of a pack of these trials, None if there are none."""
        path = record_file(self._folder, trials)
        return read_records(path) if path.exists() else None

    def fetch(self, folder: Path) -> int:
        """Return 0: they are there already."""
        return 0


def place(storage: str | None, folder: Path) -> RecordStore:
    """Return where a study's packs keep their records.

    Parameters
    ----------
    storage : str or None
        The URI of a storage, if there is one.
    folder : pathlib.Path
        The study's.
    """
    return LocalStore(folder) if storage is None else Storage(storage)


class Storage:
    """A folder by its URI.

    Parameters
    ----------
    uri : str
        As fsspec has them; the folder is made when something is written. It is pickled as the URI.

    Raises
    ------
    InputError
        If there is no such kind of storage, or what it takes is not installed.
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
            found: Any = fsspec.core.url_to_fs(self.uri)
        except (ValueError, ImportError) as error:
            raise InputError(f"storage: cannot use {self.uri}: {error}") from None
        self._system, self._root = found

    def __getstate__(self) -> dict[str, str]:
        return {"uri": self.uri}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.uri = state["uri"]
        self._open()

    def write(self, records: Sequence[Record]) -> None:
        """Write a pack's records, in one step."""
        name = record_file(Path(), [record.trial for record in records]).name
        self.put(f"{RECORDS}/{name}", lines_of(records))

    def find(self, trials: Sequence[Trial]) -> list[Record] | None:
        """Return the records of a pack of these trials, None if there are none."""
        name = f"{self._root}/{RECORDS}/{record_file(Path(), trials).name}"
        try:
            content = self._system.cat_file(name)
        except FileNotFoundError:
            return None
        return parsed(content, name)

    def put(self, name: str, text: str) -> None:
        """Write a file: a whole one, or none."""
        place = f"{self._root}/{name}"
        self._system.makedirs(place.rpartition("/")[0], exist_ok=True)
        # Stores of objects show nothing before it is whole; file systems do, so it gets its name last.
        unfinished = f"{place}.{uuid4().hex}.part"
        self._system.pipe_file(unfinished, text.encode())
        self._system.mv(unfinished, place)

    def fetch(self, folder: Path) -> int:
        """Bring the record files that a study's folder lacks into it, and return how many."""
        self._system.invalidate_cache()
        try:
            there = self._system.ls(f"{self._root}/{RECORDS}", detail=False)
        except FileNotFoundError:
            return 0
        mine = folder / RECORDS
        fetched = 0
        for place in sorted(map(str, there)):
            path = mine / place.rpartition("/")[2]
            if path.suffix == ".jsonl" and not path.exists():
                write_atomically(path, self._system.cat_file(place).decode())
                fetched += 1
        return fetched
