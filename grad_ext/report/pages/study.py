"""The page of a study, and of several studies together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure

from grad_ext.constraints import DEFAULT_CONSTRAINT
from grad_ext.files import writable_folder, write_atomically
from grad_ext.report.explorer import Source
from grad_ext.report.figures.study import (
    frontier_figure,
    lambda_figure,
    plane_figure,
    spread_figure,
)
from grad_ext.report.figures.style import WRITTEN, draw
from grad_ext.report.findings import lambdas, models
from grad_ext.report.findings.base import Finding
from grad_ext.report.html import paragraphs, table
from grad_ext.report.pages.section import Page, Section, write_page
from grad_ext.report.pages.shared import (
    ANSWER,
    AUDITS,
    CARDS,
    EXPLORER,
    LAMBDA_FIGURE,
    SETTINGS,
    TABLES,
    inline_figure,
    source,
)
from grad_ext.report.sentences import sentences
from grad_ext.report.statistics.models import MOST_LINES, by_lambda, by_setting, by_study
from grad_ext.report.statistics.settings import Choices
from grad_ext.report.tables import (
    CASE,
    REPEATS,
    by_curve,
    names_text,
    results,
    saturating_strengths,
    varying,
    with_metrics,
)
from grad_ext.report.text_tables.models import row_lines, settings_lines, toolkit_lines
from grad_ext.sinks import to_csv
from grad_ext.trial import Record

TOGETHER = (
    "Mean ± standard deviation over all models of a study, over all settings; the scatter plot and "
    "the table above compare the settings."
)
SPREAD = (
    "Test set; mean ± standard deviation over models, on {splits}. Chance level: the "
    "Discrimination of predictions that ignore the protected attribute. Constant: share of models "
    "that predict the same label for all or nearly all test rows, or are no better than random labels."
)
OPTIMISTIC = (
    "The frontier was chosen among many settings by the validation metrics (val.), which are therefore "
    "optimistic for it; the test metrics are not."
)
MORE = (
    "{left} further choices are not in this table, but among the models above and in results.csv."
)
FRONTIER_FIGURE = "Accuracy against Discrimination, one dot per choice of settings"
TOOLKITS = (
    "With AIF360's names and signs, unprivileged minus (disparate impact: divided by) privileged; mean ± "
    "standard deviation over the models for which they are defined. 0, and 1 for disparate impact, "
    "is parity; a constant classifier has it too."
)
# Points are coloured by the first of these columns that varies.
COLOURED = ("study", "method", "lam", "recipe", *CASE, "variant")


@dataclass(frozen=True)
class StudyPage(Page):
    """What the sections of a study's page read.

    Attributes
    ----------
    layout : {'lambda', 'choices', 'settings'}
        Whether the main table is by λ, by the settings that the study varies, or by all settings
        that differ.
    by : str
        The column whose values have a line each in the table of the other toolkits' metrics.
    curves : tuple of str
        The columns whose values have a curve over λ each.
    choices : Choices or None
        The models by the settings that the study varies.
    figure : matplotlib.figure.Figure or None
        The figure below the main table.
    """

    layout: Literal["lambda", "choices", "settings"] = "settings"
    by: str = "lam"
    curves: tuple[str, ...] = ()
    choices: Choices | None = None
    figure: Figure | None = None

    @property
    def spread(self) -> str:
        """The explanation of the spreads in the main table."""
        return SPREAD.format(splits=_splits(self.frame))


def _by_lambda(page: StudyPage) -> list[str]:
    parts = [paragraphs([page.spread])]
    for name, rows in by_curve(page.frame, page.curves):
        parts += [paragraphs([f"With {name}:"])] if name else []
        parts.append(table(*row_lines(by_lambda(rows))))
    return [*parts, *_figure(page, LAMBDA_FIGURE)]


def _by_choice(page: StudyPage) -> list[str]:
    assert page.choices is not None
    parts = [paragraphs([page.spread, OPTIMISTIC])]
    for (dataset, protected), points in page.choices.points.groupby(CASE, sort=True):
        lines = settings_lines(points, page.choices.varied, page.choices.objectives)
        parts.append(paragraphs([f"On {dataset}, protecting {names_text(protected)}:"]))
        parts.append(table(*lines, words=(0,)))
        if len(points) > MOST_LINES:
            parts.append(paragraphs([MORE.format(left=len(points) - MOST_LINES)]))
    return [*parts, *_figure(page, FRONTIER_FIGURE)]


def _figure(page: StudyPage, description: str) -> list[str]:
    return [] if page.figure is None else [inline_figure(page.figure, description)]


def _by_setting(page: StudyPage) -> list[str]:
    lines = row_lines(by_setting(page.frame, page.records), "setting")
    return [paragraphs([page.spread]), table(*lines, words=(0,))]


def _by_study(page: StudyPage) -> list[str]:
    lines = row_lines(by_study(page.frame), "study")
    return [paragraphs([TOGETHER]), table(*lines, words=(0,), bold=False)]


def _toolkit_metrics(page: StudyPage) -> list[str]:
    lines = toolkit_lines(page.frame, page.by)
    return [] if lines is None else [paragraphs([TOOLKITS]), table(*lines)]


BY_LAMBDA: Section[StudyPage] = Section(
    "by-lambda", "By λ", _by_lambda, lambda page: page.layout == "lambda"
)
BY_CHOICE: Section[StudyPage] = Section(
    "by-setting", "By setting", _by_choice, lambda page: page.layout == "choices"
)
BY_SETTING: Section[StudyPage] = Section(
    "by-setting", "By setting", _by_setting, lambda page: page.layout == "settings"
)
BY_STUDY: Section[StudyPage] = Section("by-study", "By study", _by_study)
TOOLKIT_METRICS: Section[StudyPage] = Section(
    "toolkits",
    "The toolkits' metrics",
    _toolkit_metrics,
    lambda page: toolkit_lines(page.frame, page.by) is not None,
)
# The sections of each page, in their order; add one to show it.
STUDY: tuple[Section[StudyPage], ...] = (
    ANSWER,
    TABLES,
    EXPLORER,
    BY_LAMBDA,
    BY_CHOICE,
    BY_SETTING,
    TOOLKIT_METRICS,
    AUDITS,
    CARDS,
    SETTINGS,
)
STUDIES: tuple[Section[StudyPage], ...] = (ANSWER, EXPLORER, BY_STUDY, TOOLKIT_METRICS, SETTINGS)


def title(record: Record) -> str:
    """Return what a study is about, in one line."""
    trial = record.trial
    constraint = trial.settings.constraint
    by = "" if constraint == DEFAULT_CONSTRAINT else f" by {constraint.replace('_', ' ')}"
    return f"{trial.method} on {trial.dataset}, protecting {' and '.join(trial.protected)}{by}"


def write_report(
    folder: Path,
    records: Sequence[Record],
    versions: Mapping[str, str],
    about: Mapping[str, Any] | None = None,
    formats: Sequence[str] = WRITTEN,
    choices: Choices | None = None,
    sections: Sequence[Section[StudyPage]] = STUDY,
) -> Path:
    """Write results.csv, the figures and report.html into a study's folder.

    Parameters
    ----------
    folder : pathlib.Path
        The study's folder.
    records : sequence of Record
        Its models, at least one, of any settings.
    versions : mapping of str to str
        The versions that made them, shown at the end of the page.
    about : mapping, optional
        What the study is about, as in study.json.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.
    choices : Choices, optional
        The same models by the settings that the study varies, which become columns of results.csv
        and, except in a study of λ, lines of a table.
    sections : sequence of Section, optional
        The sections of the page, in their order.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        If there is no record, or an audit in the folder is damaged.
    """
    frame = results(records) if choices is None else choices.frame
    write_atomically(folder / "results.csv", to_csv(frame))
    frame = with_metrics(frame)
    differing = set(varying(records)) - set(REPEATS)
    several = len(differing - {"lam"}) > 0
    name = _title(records) if several else title(records[-1])
    curves = () if choices is None else choices.curves
    by_lam = (curves or not several) and pd.api.types.is_numeric_dtype(frame["lam"])
    evaluated = frame[frame["accuracy"].notna()]
    layout: Literal["lambda", "choices", "settings"] = "settings"
    drawn, found, caveats = None, models.findings(frame), models.caveats(frame)
    if choices is not None and not choices.curve:
        layout, found = "choices", [*found, models.frontier_size(choices)]
        if choices.points["accuracy"].notna().any():
            drawn = frontier_figure(choices.points, name)
            draw(drawn, folder / "frontier", formats)
    elif len(evaluated) and by_lam:
        strengths = saturating_strengths(records)
        layout, found, caveats = (
            "lambda",
            lambdas.findings(frame.assign(saturating_strength=strengths), curves),
            lambdas.caveats(frame, curves),
        )
        drawn = lambda_figure(frame, name, curves)
        draw(drawn, folder / "lambda", formats)
    varied = choices.varied if choices else ()
    by = _colour(frame, differing, varied)
    _draw_models(frame, folder, name, by, [*CASE, "method", "recipe", "lam", *varied], formats)
    page = StudyPage(
        folder=folder,
        title=name,
        frame=frame,
        records=records,
        sources=[source(folder, about or {}, versions)],
        studied=sentences([models.studied(records), *models.data_sets(records)]),
        findings=sentences(found),
        caveats=sentences(caveats),
        layout=layout,
        by=by,
        curves=curves,
        choices=choices,
        figure=drawn,
    )
    return write_page(page, sections)


def write_together(
    folder: Path,
    studies: Sequence[tuple[Source, Sequence[Record]]],
    formats: Sequence[str] = WRITTEN,
) -> Path:
    """Write results.csv, the figures and report.html of several studies into a folder.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to write to, created if it does not exist.
    studies : sequence of (Source, sequence of Record)
        Where the models come from, and the models.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Returns
    -------
    pathlib.Path
        The page.
    """
    folder = writable_folder(folder)
    records = [record for _, of_study in studies for record in of_study]
    frame = results(records).assign(study=[s.name for s, of_study in studies for _ in of_study])
    write_atomically(folder / "results.csv", to_csv(frame))
    frame = with_metrics(frame)
    name = f"{len(studies)} studies side by side"
    _draw_models(frame, folder, name, "study", ["study", "method", "recipe", "lam"], formats)
    about: list[tuple[str, Finding]] = [(s.name, models.studied(each)) for s, each in studies]
    page = StudyPage(
        folder=folder,
        title=name,
        frame=frame,
        records=records,
        sources=[source for source, _ in studies],
        studied=[
            *(f"{source}: {text}" for source, finding in about for text in sentences([finding])),
            *sentences(models.data_sets(records)),
        ],
        findings=sentences(models.findings(frame)),
        caveats=sentences([*models.caveats(frame), *models.different_cases(frame)]),
        by="study",
    )
    return write_page(page, STUDIES)


def _draw_models(
    frame: pd.DataFrame,
    folder: Path,
    name: str,
    by: str,
    settings: Sequence[str],
    formats: Sequence[str],
) -> None:
    """Draw the plane, coloured by a column, and the spread of models by settings that vary."""
    evaluated = frame[frame["accuracy"].notna()]
    if not len(evaluated):
        return
    draw(plane_figure(evaluated, name, by), folder / "plane", formats)
    columns = dict.fromkeys(c for c in settings if c not in REPEATS)
    varying_columns = [c for c in columns if c == "study" or frame[c].nunique() > 1]
    draw(spread_figure(evaluated, name, varying_columns), folder / "spread", formats)


def _splits(frame: pd.DataFrame) -> str:
    seeds = sorted(frame["split_seed"].unique())
    if len(seeds) > 1:
        return f"{len(seeds)} train/test splits"
    return (
        f"one train/test split (split seed {seeds[0]}), so the standard deviation does not include "
        "split-to-split variance"
    )


def _colour(frame: pd.DataFrame, differing: set[str], varied: Sequence[str]) -> str:
    if not differing - {"lam"}:
        return "lam"
    columns = [c for c in (*COLOURED, *varied) if c in frame and c not in REPEATS]
    return next((c for c in columns if frame[c].nunique() > 1), "lam")


def _title(records: Sequence[Record]) -> str:
    names = list(dict.fromkeys(title(record) for record in records))
    return names[0] if len(names) == 1 else f"{names[0]}, and {len(names) - 1} more"
