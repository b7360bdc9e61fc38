"""The page, the CSV and the pictures of a reproduced table or figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from grad_ext.data.options import listed
from grad_ext.files import write_atomically
from grad_ext.report.figures import WRITTEN, draw, lambda_figure, render
from grad_ext.report.html import answer, document, figure, heading, items, paragraphs, table
from grad_ext.report.published import Published
from grad_ext.report.reproduction import (
    AS_PUBLISHED,
    METRICS,
    claims,
    disguised,
    extent,
    insensitivity,
    lines,
    sensitivity,
    shared_rows,
    tally,
)
from grad_ext.report.tables import and_joined, by_lambda
from grad_ext.report.tables import lines as lambda_lines
from grad_ext.report.verdict import doubts, found

# What the paper does not say, the choice made here, and why.
CHOICES = (
    "ŷ is the label: “only the predicted label ŷ is used” (section 3.1). Zemel et al. use scores.",
    (
        "k = 5 neighbours, AIF360's default; the paper does not say. A row is not its own neighbour; "
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
        "accuracies are multiples of 1/200), a fifth of the rest for validation, several divisions "
        "pooled. Diabetes: by patient."
    ),
    "Batch size 64, Adam at 0.001, no protected column among the features.",
    "Diabetes: the label is any readmission; race is Caucasian or not.",
)
CHOSEN = (
    "What the paper does not say had to be chosen; the choices, and how far some of them move the "
    "figures, stand at the end."
)
DIFFERENCES = (
    "Mean difference of models of one seed and one division of the rows, with its 95 % interval: over "
    "divisions where there are several, else over seeds, and then the error of the test rows, which "
    "all models share, is not in it."
)
QUESTION = "The paper says that any λ in [50, 2000] is as good as another. Here:"


def write_reproduction(
    folder: Path,
    name: str,
    frame: pd.DataFrame,
    published: Mapping[str, Mapping[str, Published]],
    about: Mapping[str, str],
    versions: Mapping[str, str],
    missing: Sequence[str] = (),
    interactive: str = "",
) -> Path:
    """Write results.csv, the table as CSV, and report.html into a study's folder.

    Parameters
    ----------
    folder : pathlib.Path
        The study's folder.
    name : {'table1', 'table2'}
        Which table; also the name of its CSV.
    frame : pandas.DataFrame
        The models, as for `grad_ext.report.reproduction.lines`.
    published, about
        As for `grad_ext.report.reproduction.lines`.
    versions : mapping of str to str
        The versions that made the models.
    missing : sequence of str
        Why data sets of the table could not be run.
    interactive : str, optional
        The page's interactive part, as `grad_ext.report.explorer.explorer` returns it.

    Returns
    -------
    pathlib.Path
        The page.
    """
    made = lines(frame, published, about)
    write_atomically(folder / "results.csv", frame.to_csv(index=False))
    write_atomically(folder / f"{name}.csv", made.to_csv(index=False))
    moved = sensitivity(frame)
    write_atomically(folder / "sensitivity.csv", moved.to_csv(index=False))
    title = f"Table {name[-1]} of the GRAD paper, and the same models here"
    parts = [
        answer(
            [extent(frame), *missing],
            tally(frame),
            [*disguised(frame, published, about), *shared_rows(frame), CHOSEN],
        ),
        interactive,
        heading("The table, and what the same models do here"),
        paragraphs(
            [
                (
                    "Each cell: mean ± standard deviation over models (seeds, and divisions of the rows "
                    "where there are several), on test rows; the paper's figure in brackets, and how far "
                    "ours lies from it. Read no line without its balanced accuracy (0.5 is a constant), "
                    "the share of constant models, and the majority class on top."
                ),
            ]
        ),
    ]
    for dataset, attributes in dict.fromkeys(zip(made["dataset"], made["attributes"], strict=True)):
        chosen = made[(made["dataset"] == dataset) & (made["attributes"] == attributes)]
        parts += [
            heading(f"{dataset}, judged by {and_joined(attributes)}"),
            table(*text_lines(chosen)),
        ]
    if compared := claims(frame):
        parts += [
            heading("Each comparison of GRAD with its plain network"),
            paragraphs([DIFFERENCES]),
            items(compared),
        ]
    parts += [
        heading("What we could not know, and chose"),
        items(CHOICES),
        heading("How much the open choices move each figure"),
        paragraphs(
            [
                (
                    "What a choice adds to a line's mean: scores in the place of labels, another k, each "
                    "row among its own neighbours (AIF360's way), the protected columns in the "
                    "distance, ties to the first rows. The same models, judged again."
                )
            ]
        ),
        table(*sensitivity_lines(moved)),
        paragraphs(["Made with " + ", ".join(f"{n} {v}" for n, v in versions.items()) + "."]),
    ]
    page = folder / "report.html"
    write_atomically(page, document(title, parts))
    return page


def write_figure2(
    folder: Path,
    frame: pd.DataFrame,
    versions: Mapping[str, str],
    missing: Sequence[str] = (),
    interactive: str = "",
    formats: Sequence[str] = WRITTEN,
) -> Path:
    """Write results.csv, the figure for each data set and recipe, and report.html.

    Parameters
    ----------
    folder, frame, versions, missing, interactive
        As for `write_reproduction`.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Returns
    -------
    pathlib.Path
        The page.
    """
    write_atomically(folder / "results.csv", frame.to_csv(index=False))
    groups = list(frame.groupby(["dataset", "attributes", "recipe"], sort=False))
    parts = [
        answer(
            [extent(frame), *missing],
            [QUESTION, *insensitivity(frame)],
            list(dict.fromkeys(d for _, g in groups for d in doubts(g))),
        ),
        interactive,
    ]
    for (dataset, attributes, recipe), group in groups:
        title = f"GRAD-Pred on {dataset}, protecting {attributes}, {recipe} recipe"
        drawn = lambda_figure(group, title)
        draw(drawn, folder / f"figure2-{dataset}-{recipe}", formats)
        svg = render(drawn, "inline")
        parts += [
            heading(title),
            paragraphs(found(group)),
            figure(svg.decode(), "Accuracy, Discrimination and Consistency against λ"),
            table(*lambda_lines(by_lambda(group))),
        ]
    parts.append(paragraphs(["Made with " + ", ".join(f"{n} {v}" for n, v in versions.items())]))
    page = folder / "report.html"
    write_atomically(page, document("Figure 2 of the GRAD paper, drawn anew", parts))
    return page


def text_lines(made: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of a table for one data set, the majority class on top.

    Parameters
    ----------
    made : pandas.DataFrame
        What `grad_ext.report.reproduction.lines` gave for one data set and its attributes.
    """
    extra = [m for m in made["metric"].unique() if m not in METRICS]
    metrics = [*METRICS, *extra]
    names = [m.replace("discrimination_", "Discr. ").capitalize() for m in metrics]
    columns = ["algorithm", "recipe", *names, "balanced acc.", "chance level", "constant", "models"]
    run = made[made["models"] > 0]
    body = []
    if len(run):
        share = run["majority_accuracy"].mean()
        top = {"accuracy": share, "delta": share, "consistency": 1.0}
        cells = [f"{top.get(m, 0.0):.3f}" for m in metrics]
        body.append(["majority class", "", *cells, "0.500", "0.000", "100%", ""])
    for (algorithm, recipe), group in made.groupby(["algorithm", "recipe"], sort=False):
        by = group.set_index("metric")
        first = group.iloc[0]
        ours = recipe != AS_PUBLISHED
        body.append(
            [
                str(algorithm),
                str(recipe) if ours else "as published, not run",
                *(_cell(by.loc[m]) if m in by.index else "–" for m in metrics),
                f"{first['balanced_accuracy']:.3f}" if ours else "",
                f"{first['chance_level']:.3f}" if ours else "",
                f"{first['constant']:.0%}" if ours else "",
                str(first["models"]) if ours else "",
            ]
        )
    return columns, body


def _cell(line: pd.Series) -> str:
    if np.isnan(line["mean"]):
        return f"({line['published']:.3f})"
    ours = f"{line['mean']:.3f}"
    if not np.isnan(line["sd"]):
        ours += f" ±{line['sd']:.3f}"
    if np.isnan(line["published"]):
        return ours
    return f"{ours} ({line['published']:.3f}; {line['difference']:+.3f})"


def sensitivity_lines(moved: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of the table of open choices."""
    columns = ["data set", "algorithm", "recipe", "choice", *(m.capitalize() for m in METRICS)]
    body = [
        [
            f"{row['dataset']} ({', '.join(listed(row['attributes']))})",
            row["algorithm"],
            row["recipe"],
            row["choice"],
            *(f"{row[m]:+.3f}" for m in METRICS),
        ]
        for _, row in moved.iterrows()
    ]
    return columns, body
