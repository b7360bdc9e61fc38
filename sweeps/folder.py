"""A study is a folder: what was planned, what is there, what is missing.

    study.json    the plan: what it is about, its trials, and the versions that made it
    records/      what each pack wrote, one JSON line a model
    notes.json    what its report says besides, if anything
    results.csv, figures, report.html    made from the records, and can be made again
    study.log     what happened when
    .lock         held by the one process that may change the study

Nothing here runs a model. A study is resumed by subtraction: the trials asked for, less those with
a record.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from grad_ext.errors import InputError, MissingToolkit
from grad_ext.files import writable_folder, write_atomically
from grad_ext.trial import Record, Trial, fingerprint

try:
    from filelock import FileLock, Timeout
except ImportError as error:
    raise MissingToolkit("filelock", "tune") from error

FORMAT = 2
LOCK = ".lock"
# Seconds until a lock that is held is refused: longer than anybody takes to look whether it is.
PATIENCE = 2.0
NOTES = "notes.json"
PACKAGES = (
    "grad-ext",
    "torch",
    "numpy",
    "pandas",
    "scikit-learn",
    "ray",
    "aif360",
    "fairlearn",
    "tensorflow-cpu",
)


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class StudyDirectory:
    """The folder of a study.

    Attributes
    ----------
    folder : pathlib.Path
        Where it lies, absolute.
    trials : tuple of Trial
        All that belong to it, in order.
    about : mapping
        What the study is about, as study.json has it.
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
            New, empty, or a study's.
        trials : sequence of Trial
            What is asked for; what the study has already stays part of it.
        about : mapping
            What must be the same for the folder to hold the same study, as JSON can hold it.

        Raises
        ------
        InputError
            If the folder cannot be written to, holds a study of other settings, or holds other
            files and no study; or if it has to change, and another process works on it.
        """
        about = json.loads(json.dumps(about))
        known = _stored(folder, about)
        folder = writable_folder(folder)
        if known is None or {trial.key for trial in trials} - {trial.key for trial in known}:
            with lock(folder):
                # Another process may have extended it meanwhile.
                return cls(folder, tuple(_stored(folder, about) or ()), about).extended(trials)
        return cls(folder, tuple(known), about)

    @classmethod
    def read(cls, folder: str | Path) -> StudyDirectory:
        """Return the study that a folder holds, which is left as it is.

        Raises
        ------
        InputError
            If it holds none, or one that is damaged or of another format.
        """
        folder = Path(folder)
        plan = folder / "study.json"
        if not plan.exists():
            raise InputError(f"expected the folder of a study, but {folder} has no study.json")
        stored = _read_plan(plan)
        trials = tuple(Trial.from_json(values) for values in stored["trials"])
        return cls(folder.absolute(), trials, stored["about"])

    def extended(self, trials: Sequence[Trial]) -> StudyDirectory:
        """Write the plan with further trials, and return it; the caller holds the lock."""
        every = {trial.key: trial for trial in [*self.trials, *trials]}
        wider = replace(self, trials=tuple(sorted(every.values(), key=_order)))
        (self.folder / "records").mkdir(exist_ok=True)
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

    def note(self, values: Mapping[str, Any]) -> None:
        """Keep what a report of the study says beside its records, as JSON can hold it."""
        text = json.dumps(values, indent=1, sort_keys=True) + "\n"
        write_atomically(self.folder / NOTES, text)

    def noted(self) -> dict[str, Any]:
        """Return what was kept; nothing in a study of before there was any.

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

    def records(self) -> list[Record]:
        """Return the records of the study's trials, in the trials' order.

        Raises
        ------
        InputError
            If a record file is damaged.
        """
        found: dict[str, Record] = {}
        for path in sorted((self.folder / "records").glob("*.jsonl")):
            for record in read_records(path):
                found.setdefault(record.trial.key, record)
        return [found[trial.key] for trial in self.trials if trial.key in found]

    def missing(self) -> list[Trial]:
        """Return the trials without a record, in order."""
        done = {record.trial.key for record in self.records()}
        return [trial for trial in self.trials if trial.key not in done]

    def forget(self, trials: Sequence[Trial]) -> None:
        """Drop the records of some trials, which are missing again."""
        dropped = {trial.key for trial in trials}
        if not dropped:
            return
        with lock(self.folder):
            for path in (self.folder / "records").glob("*.jsonl"):
                records = read_records(path)
                kept = [record for record in records if record.trial.key not in dropped]
                if not kept:
                    path.unlink()
                elif len(kept) < len(records):
                    write_atomically(path, lines_of(kept))


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Be the one process that may change a study.

    The lock is the operating system's (flock), which takes it back from a process that ends,
    however it ends.

    Raises
    ------
    InputError
        If another process is.
    """
    held = FileLock(folder / LOCK, timeout=PATIENCE, fallback_to_soft=False)
    try:
        held.acquire()
    except Timeout:
        raise InputError(
            f"another process works on {folder}; wait for it, or see how far it is: "
            f"grad-ext sweep status {folder}"
        ) from None
    try:
        yield
    finally:
        held.release()


def is_locked(folder: Path) -> bool:
    """Return whether a process works on a study at this moment."""
    try:
        with FileLock(folder / LOCK, timeout=0, fallback_to_soft=False):
            return False
    except Timeout:
        return True


def sweep_up(folder: Path) -> None:
    """Delete what writers that were killed left of files half written; the caller holds the lock."""
    for place in (folder, folder / "records"):
        for path in place.glob(".*.*"):
            path.unlink(missing_ok=True)


def _stored(folder: Path, about: Mapping[str, Any]) -> list[Trial] | None:
    """Return the trials of the study in a folder, None if it holds none.

    Raises
    ------
    InputError
        If it holds a study of other settings, or other files and no study.
    """
    plan = folder / "study.json"
    if not plan.exists():
        # What begins with a dot is ours: a lock, or a plan of which no more than a part was written.
        if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise InputError(
                f"{folder} is not empty and holds no study (no study.json); give another --out"
            )
        return None
    stored = _read_plan(plan)
    there, asked = _flat(stored["about"]), _flat(about)
    for name in sorted({*there, *asked}):
        if there.get(name) != asked.get(name):
            raise InputError(
                f"{folder} holds another study: its {name} is {there.get(name)!r}, asked for was "
                f"{asked.get(name)!r}; give another --out"
            )
    return [Trial.from_json(values) for values in stored["trials"]]


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text())
        if "format" not in stored:
            raise ValueError("it names no format")
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged or foreign: {error}") from None
    if stored["format"] != FORMAT:
        raise InputError(
            f"{path} has format {stored['format']}, this grad-ext reads format {FORMAT}"
        )
    if not {"about", "trials"} <= set(stored):
        raise InputError(f"{path} is damaged: it lacks what the study is about, or its trials")
    return stored  # type: ignore[no-any-return]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names."""
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


def write_records(folder: Path, records: Sequence[Record]) -> None:
    """Write a pack's records to the study's folder, in one step.

    The file's name is a hash of the trials, so a pack that is run twice has one file.
    """
    write_atomically(record_file(folder, [record.trial for record in records]), lines_of(records))


def record_file(folder: Path, trials: Sequence[Trial]) -> Path:
    """Return where the records of a pack of these trials are."""
    name = fingerprint([trial.key for trial in trials])
    return folder / "records" / f"{name}.jsonl"


def lines_of(records: Iterable[Record]) -> str:
    """Return what a file of records holds: a line of JSON a record."""
    lines = [json.dumps(record.to_json(), allow_nan=False) for record in records]
    return "\n".join(lines) + "\n"


def read_records(path: Path) -> list[Record]:
    """Return the records of a file that `write_records` wrote.

    Raises
    ------
    InputError
        If it is damaged.
    """
    return parsed(path.read_bytes(), str(path))


def parsed(content: bytes, place: str) -> list[Record]:
    """Return the records of a file's content; errors are those of `read_records`, and name the place."""
    try:
        return [Record.from_json(json.loads(line)) for line in content.splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{place} is damaged ({type(error).__name__}: {error}); delete it and run the study "
            "again, which trains its models anew"
        ) from None


def default_folder(about: Mapping[str, Any], *names: str) -> Path:
    """Return the folder of a study that was given none: its name tells the settings apart."""
    return Path("studies") / "-".join([about["kind"], *names, fingerprint(about)[:6]])
