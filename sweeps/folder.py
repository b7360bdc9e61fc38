"""The directory of a study: its plan, its records, and its lock.

    study.json    the plan: what identifies the study, its trials, and the versions that made it
    records/      the records of each pack, one line of JSON per model
    notes.json    what the report shows besides the records, if anything
    data.json     what was read of the user's own file or frame, and how to read the file again
    results.csv, figures, report.html    made from the records, and can be made again
    study.log     when each pack began, ended or failed
    .lock         held by the one process that may change the study

Nothing here trains a model. A study is resumed by subtraction: the planned trials, less those with a
record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from grad_ext.codec import to_json
from grad_ext.data.roles import roles_beside
from grad_ext.errors import InputError
from grad_ext.files import is_temporary, plain_name, writable_folder, write_atomically
from grad_ext.trial import Record, Trial, fingerprint
from grad_ext.versions import versions

if TYPE_CHECKING:
    from grad_ext.data.table import Table

FORMAT = 3
LOCK = ".lock"
# Seconds to wait for a lock. `is_locked` holds it for much less.
LOCK_TIMEOUT = 2.0
NOTES, DATA = "notes.json", "data.json"
RECORDS = "records"


@dataclass(frozen=True)
class StudyDirectory:
    """The directory of a study.

    Attributes
    ----------
    folder : pathlib.Path
        Its absolute path.
    trials : tuple of Trial
        All planned trials, in order.
    about : mapping
        What identifies the study, as in study.json.
    """

    folder: Path
    trials: tuple[Trial, ...]
    about: Mapping[str, Any]

    @classmethod
    def open(
        cls, folder: Path, trials: Sequence[Trial], about: Mapping[str, Any]
    ) -> StudyDirectory:
        """Open a folder for these trials, creating or extending the study in it.

        Parameters
        ----------
        folder : pathlib.Path
            A new or empty folder, or that of a study.
        trials : sequence of Trial
            The trials to plan; those that are already planned stay.
        about : mapping
            What identifies the study, as JSON can hold it: a folder with another one is refused.

        Raises
        ------
        InputError
            If the folder cannot be written to, holds another study, or holds other files and no
            study; or if the plan has to change while another process holds the lock.
        """
        about, folder = json.loads(json.dumps(about)), folder.expanduser()
        known = _stored(folder, about)
        folder = writable_folder(folder)
        if known is None or {trial.key for trial in trials} - {trial.key for trial in known}:
            with lock(folder):
                # Another process may have extended the plan in the meantime.
                return cls(folder, tuple(_stored(folder, about) or ()), about).extended(trials)
        return cls(folder, tuple(known), about)

    @classmethod
    def read(cls, folder: str | Path) -> StudyDirectory:
        """Return the study in a folder without changing it.

        Raises
        ------
        InputError
            If the folder holds no study, or its plan is damaged or of another format.
        """
        folder = Path(folder)
        plan = folder / "study.json"
        if not plan.exists():
            raise InputError(f"expected the folder of a study, but {folder} has no study.json")
        stored = _read_plan(plan)
        trials = tuple(Trial.from_json(values) for values in stored["trials"])
        return cls(folder.absolute(), trials, stored["about"])

    def extended(self, trials: Sequence[Trial]) -> StudyDirectory:
        """Add trials to the plan, write it, and return it; the caller holds the lock."""
        every = {trial.key: trial for trial in [*self.trials, *trials]}
        wider = replace(self, trials=tuple(sorted(every.values(), key=_order)))
        (self.folder / RECORDS).mkdir(exist_ok=True)
        content = {
            "format": FORMAT,
            "versions": versions(),
            "about": self.about,
            "trials": [trial.to_json() for trial in wider.trials],
        }
        write_atomically(self.folder / "study.json", json.dumps(content, indent=1) + "\n")
        return wider

    def plan(self) -> dict[str, Any]:
        """Return what study.json holds: ``about``, ``trials`` and ``versions``."""
        return _read_plan(self.folder / "study.json")

    def write_notes(self, values: Mapping[str, Any]) -> None:
        """Write what the report shows besides the records, as JSON can hold it."""
        text = json.dumps(values, indent=1, sort_keys=True) + "\n"
        write_atomically(self.folder / NOTES, text)

    def notes(self) -> dict[str, Any]:
        """Return what `write_notes` wrote; an empty dict if it never did.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        path = self.folder / NOTES
        if not path.exists():
            return {}
        try:
            return dict(json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path} is damaged: {error}; delete it") from None

    def write_data(self, tables: Iterable[Table], file: Mapping[str, Any] | None = None) -> None:
        """Write what was read of the user's own tables, and how to read their file again.

        Parameters
        ----------
        tables : iterable of Table
            The study's tables; those of the catalog are left out.
        file : mapping, optional
            The file that they were read from: see `grad_ext.data.options.checked_file`.
        """
        reports = {
            table.name: to_json(table.report) for table in tables if table.report is not None
        }
        if not reports:
            return
        again = None
        if file is not None:
            # From another folder too, and without the roles that lie beside the file.
            path = Path(file["path"]).expanduser().absolute()
            beside = roles_beside(path)
            again = {**(file if beside is None else beside.merged(file)), "path": str(path)}
            # The trials have the attributes.
            again.pop("protected", None)
        content = {"tables": list(reports.values()), "file": again}
        write_atomically(self.folder / DATA, json.dumps(content, indent=1, default=list) + "\n")

    @property
    def has_own_data(self) -> bool:
        """Whether the study was made of a file or frame of the user's."""
        return (self.folder / DATA).exists()

    def file(self) -> dict[str, Any] | None:
        """Return how to read the file that the study was made of, as `write_data` was given it.

        None if the study was not made of a file, or the file does not exist any more.

        Raises
        ------
        InputError
            If data.json is damaged.
        """
        path = self.folder / DATA
        if not self.has_own_data:
            return None
        try:
            file = json.loads(path.read_text())["file"]
            return dict(file) if file is not None and Path(file["path"]).exists() else None
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path} is damaged: {error}; delete it") from None

    def records(self) -> list[Record]:
        """Return the records of the study's trials, in the trials' order.

        Raises
        ------
        InputError
            If a record file is damaged.
        """
        by_key: dict[str, Record] = {}
        for path in sorted((self.folder / RECORDS).glob("*.jsonl")):
            for record in read_records(path):
                by_key.setdefault(record.trial.key, record)
        return [by_key[trial.key] for trial in self.trials if trial.key in by_key]

    def missing(self) -> list[Trial]:
        """Return the trials without a record, in order."""
        done = {record.trial.key for record in self.records()}
        return [trial for trial in self.trials if trial.key not in done]

    def drop_records(self, trials: Sequence[Trial]) -> None:
        """Delete the records of some trials, which are then missing again."""
        dropped = {trial.key for trial in trials}
        if not dropped:
            return
        with lock(self.folder):
            for path in (self.folder / RECORDS).glob("*.jsonl"):
                records = read_records(path)
                rest = [record for record in records if record.trial.key not in dropped]
                if not rest:
                    path.unlink()
                elif len(rest) < len(records):
                    write_atomically(path, to_lines(rest))


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the study's exclusive lock.

    The operating system (flock) releases it when the process ends, even if it is killed.

    Raises
    ------
    InputError
        If another process holds it.
    """
    exclusive = FileLock(folder / LOCK, timeout=LOCK_TIMEOUT, fallback_to_soft=False)
    try:
        exclusive.acquire()
    except Timeout:
        raise InputError(
            f"another process works on {folder}; wait for it, or look at its progress: "
            f"grad-ext sweep status {folder}"
        ) from None
    try:
        yield
    finally:
        exclusive.release()


def is_locked(folder: Path) -> bool:
    """Return whether a process holds the study's lock."""
    try:
        with FileLock(folder / LOCK, timeout=0, fallback_to_soft=False):
            return False
    except Timeout:
        return True


def delete_partial_files(folder: Path) -> None:
    """Delete the unfinished files of writers that were killed; the caller holds the lock.

    Only regular files with the names that `grad_ext.files.writing_atomically` gives are deleted, and
    none in a linked folder of records, which may be shared with others.
    """
    for parent in (folder, folder / RECORDS):
        if parent != folder and parent.is_symlink():
            continue
        for path in parent.glob(".*"):
            if is_temporary(path):
                path.unlink(missing_ok=True)


def _is_own(path: Path) -> bool:
    """Return whether a study leaves a file or folder if it is killed before its plan is written."""
    if path.is_symlink():
        return False
    if path.name == RECORDS:
        return path.is_dir() and not any(path.iterdir())
    return is_temporary(path) or (path.name == LOCK and path.is_file())


def _stored(folder: Path, about: Mapping[str, Any]) -> list[Trial] | None:
    """Return the trials of the study in a folder, None if it holds no study.

    Raises
    ------
    InputError
        If it holds another study, or other files and no study.
    """
    plan = folder / "study.json"
    if not plan.exists():
        foreign = (
            sorted(p.name for p in folder.iterdir() if not _is_own(p)) if folder.is_dir() else []
        )
        if foreign:
            raise InputError(
                f"{folder} is not empty and holds no study (no study.json, but {foreign[0]!r}); "
                "give another --out"
            )
        return None
    stored = _read_plan(plan)
    old, new = _flat(stored["about"]), _flat(about)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            raise InputError(
                f"{folder} holds another study: its {name} is {old.get(name)!r}, this one has "
                f"{new.get(name)!r}; give another --out"
            )
    return [Trial.from_json(values) for values in stored["trials"]]


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text())
        if "format" not in stored:
            raise ValueError("no format is given")
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged, or not a study's: {error}") from None
    if stored["format"] != FORMAT:
        raise InputError(
            f"{path} has format {stored['format']}, this grad-ext reads format {FORMAT}"
        )
    if not {"about", "trials"} <= set(stored):
        raise InputError(f"{path} is damaged: it has no 'about', or no 'trials'")
    return stored  # type: ignore[no-any-return]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _order(trial: Trial) -> tuple[Any, ...]:
    settings = trial.settings
    return (
        trial.dataset,
        trial.baseline,
        settings.recipe,
        settings.variant,
        trial.rows,
        trial.protected,
        trial.split_seed,
        str(trial.options),
        astuple(settings),
        trial.lams,
        trial.seed,
        trial.key,
    )


def write_records(folder: Path, records: Sequence[Record]) -> Path:
    """Write a pack's records to the study's folder, in one step, and return the path of their file.

    The file's name is a hash of the trials, so a pack that runs twice has one file.
    """
    path = record_file(folder, [record.trial for record in records])
    write_atomically(path, to_lines(records))
    return path


def record_file(folder: Path, trials: Sequence[Trial]) -> Path:
    """Return the path of the records of a pack of these trials."""
    name = fingerprint([trial.key for trial in trials])
    return folder / RECORDS / f"{name}.jsonl"


def to_lines(records: Iterable[Record]) -> str:
    """Return records as the text of a record file: one line of JSON per record."""
    lines = [json.dumps(record.to_json(), allow_nan=False) for record in records]
    return "\n".join(lines) + "\n"


def read_records(path: Path) -> list[Record]:
    """Return the records of a file that `write_records` wrote.

    Raises
    ------
    InputError
        If it is damaged.
    """
    return parse_records(path.read_bytes(), str(path))


def parse_records(content: bytes, name: str) -> list[Record]:
    """Return the records in the content of a file; raises as `read_records` does, naming the file."""
    try:
        return [Record.from_json(json.loads(line)) for line in content.splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{name} is damaged ({type(error).__name__}: {error}); delete it and run the study "
            "again, which trains its models again"
        ) from None


def default_folder(about: Mapping[str, Any], *names: str) -> Path:
    """Return the default folder of a study, whose name holds a hash of its settings."""
    return Path("studies") / plain_name(about["kind"], *names, fingerprint(about)[:6])
