"""Text tables of a study: by λ, setting or study, and of the other toolkits' metrics."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pandas as pd

from grad_ext.report.statistics.models import MOST_LINES, Row
from grad_ext.report.statistics.settings import PLANE
from grad_ext.report.tables import (
    CASE,
    HEADINGS,
    LABELS,
    MAJORITY_LABEL,
    PARITY,
    TABLE_METRICS,
    label,
    majority_row,
    value_text,
)
from grad_ext.report.text_tables.cells import TextTable, number, short


def row_lines(rows: Sequence[Row], first: str = LABELS["lam"]) -> TextTable:
    """Return the heading and the lines of a table of rows; `first` is the first column's heading."""
    # Constant models stand before the metrics, since a narrow screen cuts off the last columns.
    names = [HEADINGS[name] for name in TABLE_METRICS]
    body = [
        [
            row.label,
            "" if row.label.startswith(MAJORITY_LABEL) else str(row.models),
            f"{row.constant:.0%}",
            *(number(*row.cells[name]) for name in TABLE_METRICS),
            f"{row.chance_level:.3f}",
        ]
        for row in rows
    ]
    return [first, "models", "constant", *names, "chance level"], body


def settings_lines(
    points: pd.DataFrame, names: Sequence[str], objectives: Sequence[str] = PLANE
) -> TextTable:
    """Return the heading and the lines of a table of settings, the majority class first.

    Parameters
    ----------
    points : pandas.DataFrame
        Rows of `grad_ext.report.statistics.settings.by_settings` of one case. Of more than 60 these
        are the frontier and the first others.
    names : sequence of str
        The settings that vary.
    objectives : sequence of str
        The objectives of the frontier.
    """
    if len(points) > MOST_LINES:
        points = points.sort_values("frontier", ascending=False, kind="stable")[:MOST_LINES]
    validated = [name for name in objectives if f"validation_{name}" in points]
    heading = [
        *("λ" if name == "lam" else name for name in names),
        *("models", "constant"),
        *(f"val. {name}" for name in validated),
        *(HEADINGS[name] for name in TABLE_METRICS),
        *("chance level", "frontier"),
    ]
    majority = majority_row(points)
    top = [
        *[MAJORITY_LABEL, *[""] * len(names), "100%", *[""] * len(validated)],
        *(number(majority[name]) for name in TABLE_METRICS),
        *("0.000", ""),
    ]
    body = [top]
    for _, point in points.iterrows():
        failed = f", {point['failed']} failed" if point["failed"] else ""
        body.append(
            [
                *(short(point[name]) for name in names),
                f"{point['models']}{failed}",
                f"{point['constant']:.0%}",
                *(number(point[f"validation_{name}"]) for name in validated),
                *(number(point[name], point[f"{name}_std"]) for name in TABLE_METRICS),
                number(point["chance_level"]),
                "*" if point["frontier"] else "",
            ]
        )
    return heading, body


def toolkit_lines(frame: pd.DataFrame, by: str) -> TextTable | None:
    """Return the heading and the lines of the other toolkits' metrics; None if there are none.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    by : str
        The column whose values have a line each, the first 60 of each data set and protected set.
    """
    names = [str(c) for c in frame if str(c).startswith(tuple(f"{k}_" for k in PARITY))]
    if not names:
        return None
    body = []
    finite = frame[names].where(np.isfinite(frame[names].astype(float)))
    cases = list(frame.groupby(CASE, sort=False))
    for case, rows in cases:
        which = f", {' '.join(map(str, case))}" if len(cases) > 1 else ""
        top = majority_row(rows)
        body.append([f"{MAJORITY_LABEL}{which}", *(number(top[n]) for n in names)])
        groups = finite.loc[rows.index].groupby(rows[by], sort=by == "lam")
        for value, group in islice(groups, MOST_LINES):
            cells = [number(float(group[n].mean()), float(group[n].std())) for n in names]
            body.append([f"{value_text(value)}{which if by not in CASE else ''}", *cells])
    return [label(by), *(n.replace("_", " ") for n in names)], body
