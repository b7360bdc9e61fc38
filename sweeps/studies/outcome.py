"""What came out of a study, made from its records; it can be made again at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.pages.study import write_report
from grad_ext.report.statistics.settings import Choices, choices
from grad_ext.sweeps.folder import StudyDirectory


@dataclass(frozen=True)
class Outcome(Choices):
    """What came out of a study: its models by their settings, and where they lie.

    Attributes
    ----------
    folder : pathlib.Path
        The study's.
    page : pathlib.Path
        The report in it.
    """

    folder: Path
    page: Path


def written(study: StudyDirectory, formats: Sequence[str] = WRITTEN) -> Outcome:
    """Write a study's results.csv, figures and page from its records, and return what they hold.

    Parameters
    ----------
    study : StudyDirectory
        The study's, but for comparisons and reproductions, which have pages of their own.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Raises
    ------
    InputError
        If a record is damaged, or there is none.
    """
    records, plan = study.records(), study.plan()
    found = choices(records, plan["about"])
    page = write_report(
        study.folder, records, plan["versions"], plan["about"], formats, choices=found
    )
    return Outcome(**vars(found), folder=study.folder, page=page)
