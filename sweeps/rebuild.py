"""Rebuild a study's files from its records, and write several studies on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grad_ext.errors import InputError
from grad_ext.report.figures import WRITTEN
from grad_ext.report.page import write_together
from grad_ext.sweeps.folder import StudyDirectory
from grad_ext.sweeps.studies.kinds import kind_of
from grad_ext.trial import Record


def remake(folder: Path, formats: Sequence[str] = WRITTEN) -> Path:
    """Write a study's results.csv, figures and report.html from its records, and return the page.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the study.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Raises
    ------
    InputError
        If the folder holds no study, or a study without records.
    """
    directory = StudyDirectory.read(folder)
    _records(directory)
    return kind_of(directory).write(directory, formats).page


def together(folders: Sequence[Path], out: Path, formats: Sequence[str] = WRITTEN) -> Path:
    """Write one page about several studies, with figures and results.csv, and return it.

    Parameters
    ----------
    folders : sequence of pathlib.Path
        Folders of at least two studies.
    out : pathlib.Path
        The folder to write to.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Raises
    ------
    InputError
        If a folder is given twice, or holds no study or a study without records.
    """
    directories = [StudyDirectory.read(folder) for folder in folders]
    resolved = {directory.folder.resolve() for directory in directories}
    if len(resolved) < len(directories):
        raise InputError("expected different studies, got one of them twice")
    if out.resolve() in resolved:
        raise InputError(f"{out} is one of the studies; name another folder with --out")
    names = _names([directory.folder for directory in directories])
    studies = [
        (kind_of(directory).source(directory, name), _records(directory))
        for name, directory in zip(names, directories, strict=True)
    ]
    return write_together(out, studies, formats)


def _records(directory: StudyDirectory) -> list[Record]:
    records = directory.records()
    if not records:
        raise InputError(f"{directory.folder} has no model yet; run its study first")
    return records


def _names(folders: Sequence[Path]) -> list[str]:
    """Return the folders' names, with their parents' if the names are not unique."""
    names = [folder.name for folder in folders]
    if len(set(names)) == len(names):
        return names
    return [f"{folder.parent.name}/{folder.name}" for folder in folders]
