"""Text tables of a reproduction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grad_ext.report.statistics.reproduction import AS_PUBLISHED, METRICS
from grad_ext.report.tables import MAJORITY_LABEL, names_text
from grad_ext.report.text_tables.cells import TextTable, number


def paper_lines(lines: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of a table of the paper, the majority class first.

    Parameters
    ----------
    lines : pandas.DataFrame
        What `grad_ext.report.statistics.reproduction.lines` returns, of one data set and its
        attributes.
    """
    extra = [m for m in lines["metric"].unique() if m not in METRICS]
    metrics = [*METRICS, *extra]
    names = [m.replace("discrimination_", "Discr. ").capitalize() for m in metrics]
    columns = ["algorithm", "recipe", *names, "balanced acc.", "chance level", "constant", "models"]
    run = lines[lines["models"] > 0]
    body = []
    if len(run):
        share = run["majority_accuracy"].mean()
        top = {"accuracy": share, "delta": share, "consistency": 1.0}
        cells = [f"{top.get(m, 0.0):.3f}" for m in metrics]
        body.append([MAJORITY_LABEL, "", *cells, "0.500", "0.000", "100%", ""])
    for (algorithm, recipe), group in lines.groupby(["algorithm", "recipe"], sort=False):
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
    ours = number(line["mean"], line["sd"])
    if np.isnan(line["published"]):
        return ours
    return f"{ours} ({line['published']:.3f}; {line['difference']:+.3f})"


def sensitivity_lines(moved: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of the table of open choices."""
    columns = ["data set", "algorithm", "recipe", "choice", *(m.capitalize() for m in METRICS)]
    body = [
        [
            f"{row['dataset']} ({names_text(row['attributes'], ', ')})",
            row["algorithm"],
            row["recipe"],
            row["choice"],
            *(f"{row[m]:+.3f}" for m in METRICS),
        ]
        for _, row in moved.iterrows()
    ]
    return columns, body
