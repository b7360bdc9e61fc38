"""A study is a folder: what was planned, what is there, what is missing.

    study.json    the plan: what it is about, its trials, and the versions that made it
    records/      what each pack wrote, one JSON line a model
    notes.json    what its report says besides, if anything
    results.csv, figures, report.html    made from the records, and can be made again

Nothing here runs a model. A study is resumed by subtraction: the trials asked for, less those with
a record.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from grad_ext.errors import InputError
from grad_ext.evaluate import Judging
from grad_ext.files import writable_folder, write_atomically
from grad_ext.trial import Record, Trial, fingerprint

FORMAT = 2
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


def lambda_study(trials: Sequence[Trial], judging: Judging | None = None) -> dict[str, Any]:
    """Return what a λ study is about: all that its trials share; λ and seed may be extended later.

    Raises
    ------
    InputError
        If the trials differ in anything else.
    """
    shared = [
        {n: v for n, v in trial.to_json().items() if n not in ("lam", "seed")} for trial in trials
    ]
    if any(each != shared[0] for each in shared):
        raise InputError("the trials of a λ study may differ in λ and seed only")
    return {"kind": "lambda", **shared[0], "judging": asdict(judging or Judging())}


@dataclass(frozen=True)
class Study:
    """The folder of a study.

    Attributes
    ----------
    folder : pathlib.Path
        Where it lies, absolute.
    trials : tuple of Trial
        All that belong to it, in order.
    """

    folder: Path
    trials: tuple[Trial, ...]

    @classmethod
    def open(
        cls, folder: Path, trials: Sequence[Trial], about: Mapping[str, Any] | None = None
    ) -> Study:
        """Open a folder for these trials, creating or extending the study in it.

        Parameters
        ----------
        folder : pathlib.Path
            New, empty, or a study's.
        trials : sequence of Trial
            What is asked for; what the study has already stays part of it.
        about : mapping, optional
            What must be the same for the folder to hold the same study, as JSON can hold it;
            `lambda_study` of the trials if not given.

        Raises
        ------
        InputError
            If the folder cannot be written to, holds a study of other settings, or holds other
            files and no study.
        """
        about = lambda_study(trials) if about is None else about
        plan = folder / "study.json"
        known: list[Trial] = []
        if plan.exists():
            stored = _read_plan(plan)
            there = _flat(stored["about"])
            asked = _flat(json.loads(json.dumps(about)))
            for name in sorted({*there, *asked}):
                if there.get(name) != asked.get(name):
                    raise InputError(
                        f"{folder} holds another study: its {name} is {there.get(name)!r}, asked "
                        f"for was {asked.get(name)!r}; give another --out"
                    )
            known = [Trial.from_json(values) for values in stored["trials"]]
        elif folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                f"{folder} is not empty and holds no study (no study.json); give another --out"
            )
        every = {trial.key: trial for trial in [*known, *trials]}
        study = cls(writable_folder(folder), tuple(sorted(every.values(), key=_order)))
        if [t.key for t in study.trials] != [t.key for t in known]:
            (study.folder / "records").mkdir(exist_ok=True)
            content = {
                "format": FORMAT,
                "versions": versions(),
                "about": about,
                "trials": [trial.to_json() for trial in study.trials],
            }
            write_atomically(plan, json.dumps(content, indent=1) + "\n")
        return study

    @classmethod
    def read(cls, folder: Path) -> Study:
        """Return the study that a folder holds.

        Raises
        ------
        InputError
            If it holds none, or one that is damaged or of another format.
        """
        if not (folder / "study.json").exists():
            raise InputError(f"expected the folder of a study, but {folder} has no study.json")
        stored = _read_plan(folder / "study.json")
        trials = tuple(Trial.from_json(values) for values in stored["trials"])
        return cls(folder.absolute(), trials)

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
            try:
                lines = path.read_text().splitlines()
                records = [Record.from_json(json.loads(line)) for line in lines]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{path} is damaged ({type(error).__name__}: {error}); delete it and run the "
                    "study again, which trains its models anew"
                ) from None
            for record in records:
                found.setdefault(record.trial.key, record)
        return [found[trial.key] for trial in self.trials if trial.key in found]

    def missing(self) -> list[Trial]:
        """Return the trials without a record, in order."""
        done = {record.trial.key for record in self.records()}
        return [trial for trial in self.trials if trial.key not in done]

    def forget(self, trials: Sequence[Trial]) -> None:
        """Drop the records of some trials, which are missing again."""
        dropped = {trial.key for trial in trials}
        for path in (self.folder / "records").glob("*.jsonl"):
            lines = path.read_text().splitlines()
            records = [Record.from_json(json.loads(line)) for line in lines]
            kept = [
                line
                for line, record in zip(lines, records, strict=True)
                if record.trial.key not in dropped
            ]
            if not kept:
                path.unlink()
            elif len(kept) < len(lines):
                write_atomically(path, "\n".join(kept) + "\n")


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
        trial.rival,
        settings.recipe,
        settings.variant,
        trial.rows,
        trial.protected,
        trial.split_seed,
        str(trial.options),
        trial.lams,
        trial.seed,
        trial.key,
    )


def write_records(folder: Path, records: Sequence[Record]) -> None:
    """Write a pack's records to the study's folder, in one step.

    The file's name is a hash of the trials, so a pack that is run twice has one file.
    """
    name = fingerprint([record.trial.key for record in records])
    lines = [json.dumps(record.to_json(), allow_nan=False) for record in records]
    write_atomically(folder / "records" / f"{name}.jsonl", "\n".join(lines) + "\n")


def default_folder(about: Mapping[str, Any], *names: str) -> Path:
    """Return the folder of a study that was given none: its name tells the settings apart."""
    return Path("studies") / "-".join([about["kind"], *names, fingerprint(about)[:6]])
