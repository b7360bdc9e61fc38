"""What came out of a study, made from its records; it can be made again at any time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from grad_ext.errors import InputError
from grad_ext.files import write_atomically
from grad_ext.report.figures import render
from grad_ext.report.page import write_report
from grad_ext.report.settings import CASE, PLANE, by_settings, plane_figure, results_by
from grad_ext.sweeps.study import StudyFolder, versions

KINDS = ("lambda", "seed", "grid", "search")


@dataclass(frozen=True)
class Outcome:
    """What came out of a study.

    Attributes
    ----------
    kind : str
        The study's kind.
    frame : pandas.DataFrame
        The rows of results.csv, one a model.
    points : pandas.DataFrame
        A row for each choice of settings: see `grad_ext.report.settings.by_settings`.
    folder : pathlib.Path
        The study's.
    page : pathlib.Path or None
        The report in it; None where the study has none.
    varied : tuple of str
        The settings that vary, columns of both frames.
    objectives : tuple of str
        What decides the frontier among the points.
    """

    kind: str
    frame: pd.DataFrame
    points: pd.DataFrame
    folder: Path
    page: Path | None
    varied: tuple[str, ...]
    objectives: tuple[str, ...] = PLANE

    @property
    def frontier(self) -> pd.DataFrame:
        """The points that no other is better than on the validation rows."""
        return self.points[self.points["frontier"]]


def remake(folder: str | Path) -> Outcome:
    """Make results.csv, the figures and the report of a study from its records.

    Parameters
    ----------
    folder : path
        The study's; of kind lambda, seed, grid or search.

    Returns
    -------
    Outcome
        What was written.

    Raises
    ------
    InputError
        If the folder holds no such study, a record is damaged, or there is none.
    """
    study = StudyFolder.load(Path(folder))
    about = study.about
    if about.get("kind") not in KINDS:
        raise InputError(
            f"{folder} holds a study of kind {about.get('kind')!r}; expected one of {KINDS}"
        )
    records = study.records()
    varied = sorted(about["varied"], key=lambda name: (name != "lam", name))
    objectives = tuple(about.get("search", {}).get("objectives", PLANE))
    frame = results_by(records, varied)
    points = by_settings(frame, varied, objectives)
    page = None
    if about["kind"] == "lambda" and len(points.groupby(CASE)) == 1:
        page = write_report(study.folder, records, versions())
    else:
        write_atomically(study.folder / "results.csv", frame.to_csv(index=False))
        title = f"{about['kind']}: {', '.join(varied)}"
        drawn = plane_figure(points, title)
        for kind in ("svg", "png"):
            write_atomically(study.folder / f"plane.{kind}", render(drawn, kind))
    return Outcome(about["kind"], frame, points, study.folder, page, tuple(varied), objectives)
