"""The pages of a reproduced table and of the reproduced figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from grad_ext.files import write_atomically
from grad_ext.report.explorer import Source
from grad_ext.report.figures.study import lambda_figure
from grad_ext.report.figures.style import WRITTEN, draw
from grad_ext.report.findings import lambdas, reproduction
from grad_ext.report.html import heading, items, paragraphs, table
from grad_ext.report.pages.section import Page, Section, write_page
from grad_ext.report.pages.shared import ANSWER, EXPLORER, LAMBDA_FIGURE, VERSIONS, inline_figure
from grad_ext.report.published import Published
from grad_ext.report.sentences import sentences
from grad_ext.report.statistics.models import by_lambda
from grad_ext.report.statistics.reproduction import LINE, groups, lines, sensitivity
from grad_ext.report.tables import names_text, saturating_strength
from grad_ext.report.text_tables.models import row_lines
from grad_ext.report.text_tables.reproduction import paper_lines, sensitivity_lines
from grad_ext.sinks import to_csv
from grad_ext.training.settings import Settings
from grad_ext.trial import Record

# What the paper leaves open, the choice made here, and why.
CHOICES = (
    "ŷ is the label: “only the predicted label ŷ is used” (section 3.1). Zemel et al. use scores.",
    (
        "k = 5 neighbours, AIF360's default; the paper gives none. A row is not its own neighbour; "
        "the protected columns do not count in the distance; tied neighbours share the weight."
    ),
    (
        "Protected in Table 1: age above 25 on German, sex on Adult. The paper does not name them, and "
        "the baselines' lines that it quotes mix definitions (VFAE protects gender on German and age on "
        "Adult)."
    ),
    (
        "Splits: those of Zemel et al. are not public. Adult: UCI's own test part, incomplete rows "
        "dropped, a fifth of the rest for validation. German: a fifth for the test (the paper's "
        "accuracies are multiples of 1/200), a fifth of the rest for validation, several splits "
        "pooled. Diabetes: by patient."
    ),
    "Batch size 64, Adam at 0.001, no protected column among the features.",
    "Diabetes: the label is any readmission; race is Caucasian or not.",
)
CHOSEN = (
    "What the paper leaves open had to be chosen; the choices, and the effect of some of them on the "
    "metrics, are at the end."
)
DIFFERENCES = (
    "Mean difference between models of the same seed and train/test split, with its 95 % interval: over "
    "splits if there are several, else over seeds, in which case it does not include the variance over "
    "test rows."
)
QUESTION = "The paper states that results do not depend on λ in [50, 2000]. Here:"
CELLS = (
    "Each cell: mean ± standard deviation over models (seeds, and train/test splits if there are "
    "several), on the test set; in brackets the paper's value, and the difference from it. Read each "
    "line together with its balanced accuracy (0.5 for a constant classifier), the share of constant "
    "models, and the majority class in the first line."
)
SENSITIVITY = (
    "Change of a line's mean by each choice: scores instead of labels, another k, each row among its "
    "own neighbours (as in AIF360), the protected columns in the distance, ties to the first rows. The "
    "models are the same."
)


@dataclass(frozen=True)
class TablePage(Page):
    """What the sections of a reproduced table's page read.

    Attributes
    ----------
    lines, sensitivity : pandas.DataFrame
        As the functions of these names of `grad_ext.report.statistics.reproduction` return them.
    claims : sequence of str
        The sentences on the paper's claims, one per comparison.
    """

    lines: pd.DataFrame
    sensitivity: pd.DataFrame
    claims: Sequence[str]


@dataclass(frozen=True)
class Panel:
    """The models of a data set, attributes and recipe, and their curves over λ."""

    title: str
    frame: pd.DataFrame
    figure: Figure


@dataclass(frozen=True)
class FigurePage(Page):
    """What the sections of the reproduced figure's page read."""

    panels: Sequence[Panel]


def _tables(page: TablePage) -> list[str]:
    parts = []
    for (dataset, attributes), rows in groups(page.lines, LINE[:2]):
        parts.append(heading(f"{dataset}, evaluated by {names_text(attributes)}"))
        parts.append(table(*paper_lines(rows)))
    return parts


def _panels(page: FigurePage) -> list[str]:
    parts = []
    for panel in page.panels:
        parts += [
            heading(panel.title),
            paragraphs(sentences(lambdas.findings(panel.frame))),
            inline_figure(panel.figure, LAMBDA_FIGURE),
            table(*row_lines(by_lambda(panel.frame))),
        ]
    return parts


# The sections of each page, in their order; add one to show it.
TABLE: tuple[Section[TablePage], ...] = (
    ANSWER,
    EXPLORER,
    Section(
        "table",
        "The paper's table, and the same models here",
        lambda page: [paragraphs([CELLS]), *_tables(page)],
    ),
    Section(
        "claims",
        "Each comparison of GRAD with its plain network",
        lambda page: [paragraphs([DIFFERENCES]), items(page.claims)],
        lambda page: bool(page.claims),
    ),
    Section("choices", "Choices that the paper leaves open", lambda page: [items(CHOICES)]),
    Section(
        "sensitivity",
        "Sensitivity of each metric to these choices",
        lambda page: [paragraphs([SENSITIVITY]), table(*sensitivity_lines(page.sensitivity))],
    ),
    VERSIONS,
)
FIGURE: tuple[Section[FigurePage], ...] = (
    ANSWER,
    EXPLORER,
    Section("panels", "", _panels),
    VERSIONS,
)


def write_reproduction(
    folder: Path,
    name: str,
    frame: pd.DataFrame,
    published: Mapping[str, Mapping[str, Published]],
    attributes: Mapping[str, str],
    versions: Mapping[str, str],
    about: Mapping[str, Any] | None = None,
    records: Sequence[Record] = (),
    missing: Sequence[str] = (),
) -> Path:
    """Write results.csv, the table as CSV, and report.html into a study's folder.

    Parameters
    ----------
    folder : pathlib.Path
        The study's folder.
    name : {'table1', 'table2'}
        Which table; also the name of its CSV.
    frame, published, attributes
        As `frame`, `published` and `about` of `grad_ext.report.statistics.reproduction.lines`.
    versions : mapping of str to str
        The versions that made the models.
    about : mapping, optional
        What the study is about, as in study.json.
    records : sequence of Record, optional
        The models in the order of the frame; without them the page has no interactive part.
    missing : sequence of str, optional
        Why data sets of the table could not be run.

    Returns
    -------
    pathlib.Path
        The page.
    """
    table_lines, moved = lines(frame, published, attributes), sensitivity(frame)
    write_atomically(folder / "results.csv", to_csv(frame))
    write_atomically(folder / f"{name}.csv", to_csv(table_lines))
    write_atomically(folder / "sensitivity.csv", to_csv(moved))
    constant = reproduction.constant_lines(frame, published, attributes)
    page = TablePage(
        folder=folder,
        title=f"Table {name[-1]} of the GRAD paper, and the same models here",
        frame=frame,
        records=records,
        sources=[Source(folder.name, folder.name, about or {}, versions, known_only=True)],
        studied=[*sentences(reproduction.studied(frame)), *missing],
        findings=sentences(reproduction.tally(frame)),
        caveats=[*sentences([*constant, *reproduction.shared_splits(frame)]), CHOSEN],
        lines=table_lines,
        sensitivity=moved,
        claims=sentences(reproduction.claims(frame)),
    )
    return write_page(page, TABLE)


def write_figure2(
    folder: Path,
    frame: pd.DataFrame,
    versions: Mapping[str, str],
    about: Mapping[str, Any] | None = None,
    records: Sequence[Record] = (),
    missing: Sequence[str] = (),
    formats: Sequence[str] = WRITTEN,
) -> Path:
    """Write results.csv, the figure for each data set and recipe, and report.html.

    Parameters
    ----------
    folder, frame, versions, about, records, missing
        As for `write_reproduction`.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Returns
    -------
    pathlib.Path
        The page.
    """
    write_atomically(folder / "results.csv", to_csv(frame))
    panels = []
    for (dataset, attributes, recipe), group in groups(frame, LINE[:3]):
        name = f"GRAD-Pred on {dataset}, protecting {names_text(attributes, ', ')}, {recipe} recipe"
        drawn = lambda_figure(group, name)
        draw(drawn, folder / f"figure2-{dataset}-{recipe}", formats)
        settings = Settings(recipe=recipe)
        strengths = [saturating_strength(settings, lam) for lam in group["lam"]]
        panels.append(Panel(name, group.assign(saturating_strength=strengths), drawn))
    caveats = [caveat for panel in panels for caveat in lambdas.caveats(panel.frame)]
    page = FigurePage(
        folder=folder,
        title="Figure 2 of the GRAD paper, reproduced",
        frame=frame,
        records=records,
        sources=[Source(folder.name, folder.name, about or {}, versions, known_only=True)],
        studied=[*sentences(reproduction.studied(frame)), *missing],
        findings=[QUESTION, *sentences(reproduction.insensitivity(frame))],
        caveats=list(dict.fromkeys(sentences(caveats))),
        panels=panels,
    )
    return write_page(page, FIGURE)
