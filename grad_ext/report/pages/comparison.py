"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from grad_ext.files import write_atomically
from grad_ext.report.figures.comparison import comparison_figure, title
from grad_ext.report.figures.style import WRITTEN, draw
from grad_ext.report.findings import comparison
from grad_ext.report.html import heading, items, paragraphs, table
from grad_ext.report.pages.section import Page, Section, write_page
from grad_ext.report.pages.shared import (
    ANSWER,
    AUDITS,
    EXPLORER,
    TABLES,
    inline_figure,
    source,
    versions_text,
)
from grad_ext.report.sentences import sentences
from grad_ext.report.statistics.comparison import (
    at_chosen,
    differences,
    metrics_of,
    models_of,
    summary,
)
from grad_ext.report.tables import PARITY
from grad_ext.report.text_tables.comparison import (
    DOMINATED_BY,
    cost_lines,
    difference_lines,
    grid_lines,
    interval_lines,
    method_lines,
    toolkit_lines,
)
from grad_ext.sinks import to_csv
from grad_ext.trial import Record

PICTURE = (
    "Up and to the left is better. The star is the majority class, whose accuracy can be high but whose "
    "balanced accuracy is 0.5. Shaded: up to the chance level, the Discrimination expected of "
    "predictions that ignore the protected attribute. Every model is a row of results.csv, every value "
    "of a hyperparameter one of comparison.csv."
)
CHOSEN = (
    "Mean ± standard deviation over models (seeds, and train/test splits if there are several), on the "
    "test set; sorted by balanced Delta, balanced accuracy minus Discrimination, which is 0.5 for a "
    "constant classifier. Constant: share of models that predict the same label for all or nearly all "
    "test rows, or are no better than random labels. "
    "†: needs the protected attributes for prediction. Dominated by: a method of this table "
    "that is at least as accurate and at least as low in Discrimination, and better in one of them; "
    "clearly: the intervals of one in which it is better do not overlap, and if that is "
    "Discrimination, the dominated one's is above the chance level. The majority class, and methods "
    "with constant models, dominate none."
)
INTERVALS = (
    "Student's t intervals, over train/test splits if there are several, else over models, clipped to "
    "the metric's range. They cover the variance over seeds and splits, not that over test rows, which "
    "all models of a split share. A single model has no interval."
)
DIFFERENCES = (
    "Its value minus the other's, both at the chosen hyperparameters, with the 95 % interval: of the "
    "differences within train/test splits if both have several in common, else Welch's over models, in "
    "which deterministic methods count as fixed. Higher is better, except for Discrimination. The "
    "intervals are not corrected for multiple comparisons."
)
ALL = (
    "Dominated by: any line of this table, also of the same method. These are test metrics of many "
    "lines, so the best of them are partly the luckiest."
)
GRIDS = (
    "The values of its hyperparameter with which each method was trained, of which one rule chose on the "
    "validation set for all methods. Where an end of a grid was chosen, a better value may lie beyond; "
    "0 is no end, since nothing lies beyond it."
)
TOOLKITS = (
    "With AIF360's names and signs, unprivileged minus (disparate impact: divided by) privileged; means "
    "over the models for which they are defined. 0, and 1 for disparate impact, is parity; a "
    "constant classifier has it too."
)
TIMES = (
    "Mean ± standard deviation over models. Wall times on this machine, including other load; for "
    "models trained together, each one's share."
)


@dataclass(frozen=True)
class ComparisonPage(Page):
    """What the sections of a comparison's page read.

    Attributes
    ----------
    models, lines, chosen : pandas.DataFrame
        As `models_of`, `summary` and `at_chosen` of `grad_ext.report.statistics.comparison` return
        them.
    figure : matplotlib.figure.Figure
        The models in the plane of accuracy and Discrimination.
    notes : sequence of str
        What readers should know in addition, a sentence or two per entry.
    """

    models: pd.DataFrame
    lines: pd.DataFrame
    chosen: pd.DataFrame
    figure: Figure
    notes: Sequence[str]

    @property
    def attributes(self) -> list[str]:
        """The columns of single attributes' Discrimination; none if there is a single attribute."""
        names = [name for name in metrics_of(self.models) if name.startswith("discrimination_")]
        return names if len(names) > 1 else []

    @property
    def toolkit(self) -> list[str]:
        """The columns of the other toolkits' metrics."""
        return [name for name in metrics_of(self.models) if name.startswith(tuple(PARITY))]


def _figure(page: ComparisonPage) -> list[str]:
    description = f"Accuracy and balanced accuracy against Discrimination. {page.title}"
    return [inline_figure(page.figure, description), paragraphs([PICTURE])]


def _methods(lines: pd.DataFrame, attributes: Sequence[str], hyperparameters: bool = False) -> str:
    columns, body = method_lines(lines, attributes, hyperparameters=hyperparameters)
    return table(columns, body, words=(0, 1, columns.index(DOMINATED_BY)))


def _all_values(page: ComparisonPage) -> list[str]:
    order = {name: i for i, name in enumerate(page.chosen["name"])}
    lines = page.lines.sort_values("name", key=lambda n: n.map(order), kind="stable")
    frontier = sentences([comparison.hyperparameter_frontier(page.frame)])
    return [paragraphs([ALL, *frontier]), _methods(lines, page.attributes, hyperparameters=True)]


def _pairwise(page: ComparisonPage) -> list[str]:
    """Return a heading and a table for each of GRAD's variants."""
    parts = []
    for name in page.chosen.loc[page.chosen["method"].str.startswith("GRAD"), "name"]:
        moved = differences(page.frame, name)
        if len(moved):
            lines = difference_lines(page.chosen, moved)
            parts += [
                heading(f"{name} against each other method"),
                items(sentences(comparison.pairwise(page.frame, name))),
                paragraphs([DIFFERENCES]),
                table(*lines, words=(0, 1), bold=False),
            ]
    return parts


def _errors(page: ComparisonPage) -> list[str]:
    models = page.models
    failed = models[models["error"] != ""]
    return [
        items(
            [
                f"{name}: {len(group)} of {(models['name'] == name).sum()} models: {error}"
                for (name, error), group in failed.groupby(["name", "error"], sort=False)
            ]
        )
    ]


def _settings(page: ComparisonPage) -> list[str]:
    labels = {
        "dataset": "Data set",
        "protected": "Protected",
        "seed": "Seeds",
        "split_seed": "Divisions of the rows",
        "variant": "Variants",
        "recipe": "Recipes",
    }
    texts = [
        f"{name}: {', '.join(str(v) for v in page.models[column].unique() if v != '')}"
        for column, name in labels.items()
    ]
    return [items([*texts, f"Made with {versions_text(page.sources[0].versions)}"])]


# The sections of the page, in their order; add one to show it.
COMPARISON: tuple[Section[ComparisonPage], ...] = (
    ANSWER,
    TABLES,
    EXPLORER,
    Section("figure", "Accuracy against Discrimination", _figure),
    Section(
        "chosen",
        "At the chosen values of the hyperparameters",
        lambda page: [paragraphs([CHOSEN]), _methods(page.chosen, page.attributes)],
    ),
    Section(
        "intervals",
        "95 % intervals of these means",
        lambda page: [
            paragraphs([INTERVALS]),
            table(*interval_lines(page.chosen), words=(0, 1)),
        ],
    ),
    Section(
        "grids",
        "The settings that each method was given",
        lambda page: [
            paragraphs([GRIDS]),
            table(*grid_lines(page.chosen), words=(0, 2, 3, 5), bold=False),
        ],
    ),
    Section("all", "At all values of the hyperparameters", _all_values),
    Section("pairwise", "", _pairwise),
    Section(
        "toolkits",
        "The toolkits' metrics at the chosen values",
        lambda page: [
            paragraphs([TOOLKITS]),
            table(*toolkit_lines(page.chosen, page.toolkit), words=(0, 1)),
        ],
        lambda page: bool(page.toolkit),
    ),
    Section(
        "costs",
        "Costs at the chosen values",
        lambda page: [
            paragraphs([TIMES]),
            table(*cost_lines(page.chosen), words=(0, 1), bold=False),
        ],
    ),
    Section("errors", "Errors", _errors, lambda page: bool((page.models["error"] != "").any())),
    AUDITS,
    Section("settings", "Settings", _settings),
    Section("notes", "Notes", lambda page: [items(page.notes)], lambda page: bool(page.notes)),
)


def write_comparison(
    folder: Path,
    frame: pd.DataFrame,
    versions: Mapping[str, str],
    about: Mapping[str, Any] | None = None,
    records: Sequence[Record] = (),
    notes: Sequence[str] = (),
    formats: Sequence[str] = WRITTEN,
    sections: Sequence[Section[ComparisonPage]] = COMPARISON,
) -> Path:
    """Write results.csv, comparison.csv, the figure and report.html into a folder.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to write to.
    frame : pandas.DataFrame
        As for `grad_ext.report.statistics.comparison.summary`.
    versions : mapping of str to str
        The versions that made the models, shown at the end of the page.
    about : mapping, optional
        What the study is about, as in study.json.
    records : sequence of Record, optional
        The models in the order of the frame; without them the page has no interactive part.
    notes : sequence of str, optional
        What readers should know in addition, a sentence or two per entry.
    formats : sequence of str, optional
        Formats of the figure: 'png', 'svg', 'pdf'.
    sections : sequence of Section, optional
        The sections of the page, in their order.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        As `grad_ext.report.statistics.comparison.summary` does.
    """
    models, lines = models_of(frame), summary(frame)
    write_atomically(folder / "comparison.csv", to_csv(lines))
    write_atomically(folder / "results.csv", to_csv(frame))
    drawn = comparison_figure(frame)
    draw(drawn, folder / "plane", formats)
    page = ComparisonPage(
        folder=folder,
        title=title(models),
        frame=frame,
        records=records,
        sources=[source(folder, about or {}, versions, known_only=True)],
        studied=sentences(comparison.studied(frame)),
        findings=sentences(comparison.findings(frame)),
        caveats=sentences(comparison.caveats(frame)),
        models=models,
        lines=lines,
        chosen=at_chosen(frame),
        figure=drawn,
        notes=notes,
    )
    return write_page(page, sections)
