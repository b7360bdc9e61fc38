"""Text tables of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from grad_ext.report.statistics.benchmark import Ranks
from grad_ext.report.text_tables.cells import TextTable, number, share

SHOWN = {"accuracy": "accuracy", "balanced_accuracy": "balanced", "discrimination": "Discr."}


def rank_lines(ranked: Sequence[Ranks]) -> TextTable:
    """Return the heading and the lines of mean ranks: a line per method, a column per bound."""
    best = sorted(ranked[0].ranks, key=lambda name: np.mean([each.ranks[name] for each in ranked]))
    body = [[name, *(f"{each.ranks[name]:.2f}" for each in ranked)] for name in best]
    body.append(["critical difference", *(_number(each.critical_difference) for each in ranked)])
    body.append(["p (Friedman)", *(_number(each.p_value) for each in ranked)])
    body.append(["data sets", *(str(each.datasets) for each in ranked)])
    return ["method", *(f"at {each.bound:g}" for each in ranked)], body


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2g}"


def tally_lines(tallied: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of wins, ties and losses against each other method."""
    columns = ["bound", "other", "wins", "ties", "losses"]
    body = [
        [f"{row['bound']:g}", str(row["other"]), *(str(row[c]) for c in columns[2:])]
        for _, row in tallied.iterrows()
    ]
    return columns, body


def mean_lines(table: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of `means`, by data set, bound and rank."""
    heading = ["data set", "bound", "method", "rank", *SHOWN.values(), "chance", "majority"]
    body = []
    ordered = table.sort_values(["dataset", "bound", "rank"], kind="stable")
    for _, row in ordered.iterrows():
        metrics = [number(row[name], row[f"{name}_sd"]) for name in SHOWN]
        guards = [number(row["chance_level"]), number(row["majority_accuracy"])]
        shares = [share(row["kept"]), str(row["settings"]), share(row["grid_end"])]
        lead = [str(row["dataset"]), f"{row['bound']:g}", str(row["title"]), f"{row['rank']:g}"]
        body.append([*lead, *metrics, *guards, *shares])
    return [*heading, "kept", "settings", "end of grid"], body
