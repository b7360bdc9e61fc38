"""A study's files made again from its records, and several studies on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grad_ext.errors import InputError
from grad_ext.report.explorer import Source
from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.pages.study import write_together
from grad_ext.sweeps.folder import StudyDirectory
from grad_ext.sweeps.studies import comparison, outcome, reproduction
from grad_ext.trial import Record


def remake(folder: Path, formats: Sequence[str] = WRITTEN) -> Path:
    """Write a study's results.csv, figures and report.html from its records, and return the page.

    Parameters
    ----------
    folder : pathlib.Path
        A study's.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Raises
    ------
    InputError
        If the folder holds no study, or one without a model yet.
    """
    study = StudyDirectory.read(folder)
    _records(study)
    kind = str(study.about.get("kind"))
    if kind == "compare":
        return comparison.written(study, formats).page
    if kind.startswith("reproduce-"):
        return reproduction.written(study, formats)
    return outcome.written(study, formats).page


def together(folders: Sequence[Path], out: Path, formats: Sequence[str] = WRITTEN) -> Path:
    """Write one page about several studies, with figures and results.csv, and return it.

    Parameters
    ----------
    folders : sequence of pathlib.Path
        Studies', at least two.
    out : pathlib.Path
        The folder to write to.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Raises
    ------
    InputError
        If a folder holds no study, or one without a model yet, or is there twice.
    """
    studies = [StudyDirectory.read(folder) for folder in folders]
    if len({study.folder.resolve() for study in studies}) < len(studies):
        raise InputError("expected different studies, got one of them twice")
    if out.resolve() in {study.folder.resolve() for study in studies}:
        raise InputError(f"{out} is one of the studies; name another folder with --out")
    made = []
    names = _names([study.folder for study in studies])
    for name, study in zip(names, studies, strict=True):
        plan = study.plan()
        source = Source(name, study.folder.name, plan["about"], plan["versions"])
        made.append((source, _records(study)))
    return write_together(out, made, formats)


def _records(study: StudyDirectory) -> list[Record]:
    records = study.records()
    if not records:
        raise InputError(f"{study.folder} has no model yet; run its study first")
    return records


def _names(folders: Sequence[Path]) -> list[str]:
    """Return the folders' names, with that of the folder above where they are alike."""
    names = [folder.name for folder in folders]
    if len(set(names)) == len(names):
        return names
    return [f"{folder.parent.name}/{folder.name}" for folder in folders]
