"""A study is a folder: what was planned, what is there, what is missing.

    study.json    the plan, and the versions that made it
    records/      what each pack wrote, one JSON line a model
    results.csv, figures, report.html    made from the records, and can be made again

Nothing here runs a model. A study is resumed by subtraction: the trials asked for, less those with
a record.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from grad_ext.errors import InputError
from grad_ext.files import writable_folder, write_atomically
from grad_ext.trial import Record, Trial, fingerprint

FORMAT = 1
PACKAGES = ("grad-ext", "torch", "numpy", "pandas", "scikit-learn", "ray", "aif360")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _base(trials: Sequence[Trial]) -> dict[str, Any]:
    """Return what all trials of a λ study share; λ and seed may be extended later."""
    bases = []
    for trial in trials:
        values = trial.to_json()
        bases.append({n: v for n, v in values.items() if n not in ("lam", "seed")})
    if any(base != bases[0] for base in bases):
        raise InputError("the trials of a λ study may differ in λ and seed only")
    return bases[0]


@dataclass(frozen=True)
class Study:
    """The folder of a λ study.

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
    def open(cls, folder: Path, trials: Sequence[Trial]) -> Study:
        """Open a folder for these trials, creating or extending the study in it.

        Raises
        ------
        InputError
            If the folder cannot be written to, holds a study of other settings, or holds other
            files and no study.
        """
        base = _base(trials)
        plan = folder / "study.json"
        known: list[Trial] = []
        if plan.exists():
            stored = _read_plan(plan)
            different = {
                n: (stored["base"].get(n), v) for n, v in base.items() if stored["base"].get(n) != v
            }
            if different:
                name, (there, asked) = next(iter(different.items()))
                raise InputError(
                    f"{folder} holds another study: its {name} is {there}, asked for was {asked}; "
                    "give another --out"
                )
            known = [Trial.from_json({**base, **point}) for point in stored["points"]]
        elif folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                f"{folder} is not empty and holds no study (no study.json); give another --out"
            )
        every = {trial.key: trial for trial in [*known, *trials]}
        study = cls(
            writable_folder(folder),
            tuple(sorted(every.values(), key=lambda t: (t.lam, t.seed))),
        )
        if [t.key for t in study.trials] != [t.key for t in known]:
            (study.folder / "records").mkdir(exist_ok=True)
            points = [{"lam": t.lam, "seed": t.seed} for t in study.trials]
            content = {"format": FORMAT, "versions": versions(), "base": base, "points": points}
            write_atomically(plan, json.dumps(content, indent=1) + "\n")
        return study

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


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text())
        if not {"format", "base", "points"} <= set(stored):
            raise ValueError("keys are missing")
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged or foreign: {error}") from None
    if stored["format"] != FORMAT:
        raise InputError(
            f"{path} has format {stored['format']}, this grad-ext reads format {FORMAT}"
        )
    return stored  # type: ignore[no-any-return]


def write_records(folder: Path, records: Sequence[Record]) -> None:
    """Write a pack's records to the study's folder, in one step.

    The file's name is a hash of the trials, so a pack that is run twice has one file.
    """
    name = fingerprint([record.trial.key for record in records])
    lines = [json.dumps(record.to_json(), allow_nan=False) for record in records]
    write_atomically(folder / "records" / f"{name}.jsonl", "\n".join(lines) + "\n")


def default_folder(trials: Sequence[Trial]) -> Path:
    """Return the folder of a λ study that was given none: its name tells the settings apart."""
    first = trials[0]
    name = "-".join(["lambda", first.dataset, *first.protected, fingerprint(_base(trials))[:6]])
    return Path("studies") / name
