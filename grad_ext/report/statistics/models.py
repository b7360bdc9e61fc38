"""Means and spreads over the models of each λ, setting or study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from grad_ext.report.tables import (
    MAJORITY_LABEL,
    REPEATS,
    TABLE_METRICS,
    determines,
    independently_varying,
    label,
    majority_row,
    value_text,
    with_metrics,
)
from grad_ext.trial import Record

# Rows of a table on the page; results.csv has the others.
MOST_LINES = 60


@dataclass(frozen=True)
class Row:
    """Models that share a λ, setting or study.

    Attributes
    ----------
    label : str
        The λ, setting or study; or `MAJORITY_LABEL`.
    models : int
        The number of models.
    cells : dict of str to (float, float)
        Mean and standard deviation over seeds, by metric; the deviation is nan for a single model.
    constant : float
        Share of models that are constant on the test rows, or as good as constant.
    chance_level : float
        The Discrimination of predictions that ignore the protected attribute, at these positive
        rates.
    """

    label: str
    models: int
    cells: dict[str, tuple[float, float]]
    constant: float
    chance_level: float


def by_lambda(frame: pd.DataFrame) -> list[Row]:
    """Return the majority class, then a row for each λ in ascending order."""
    frame = with_metrics(frame)
    rows = [_row(value_text(lam), group) for lam, group in frame.groupby("lam", sort=True)]
    return [_majority(frame), *rows]


def by_setting(frame: pd.DataFrame, records: Sequence[Record]) -> list[Row]:
    """Return the majority class of each data set, then a row for each setting.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv, in the order of the records.
    records : sequence of Record
        The models; the first 60 settings have a row.
    """
    frame = with_metrics(frame)
    differing = {n: v for n, v in independently_varying(records).items() if n not in REPEATS}
    methods = frame["method"].tolist()
    if len(set(methods)) > 1 and not determines(frame["lam"].tolist(), methods):
        differing = {"method": methods, **differing}
    named = [
        ", ".join(f"{label(n)} {value_text(v)}" for n, v in zip(differing, values, strict=True))
        for values in zip(*differing.values(), strict=True)
    ] or ["all"] * len(frame)
    several = frame["dataset"].nunique() > 1
    rows = [
        _majority(group, f", {dataset}" if several else "")
        for dataset, group in frame.groupby("dataset", sort=False)
    ]
    # A search can have as many settings as models: summarise only the groups that are shown.
    groups = islice(frame.groupby(pd.Series(named, index=frame.index), sort=False), MOST_LINES)
    return [*rows, *(_row(str(name), group) for name, group in groups)]


def by_study(frame: pd.DataFrame) -> list[Row]:
    """Return a row for each value of the column ``study``, each below its majority class."""
    rows = []
    for study, group in with_metrics(frame).groupby("study", sort=False):
        rows += [_majority(group, f", {study}"), _row(str(study), group)]
    return rows


def _majority(frame: pd.DataFrame, suffix: str = "") -> Row:
    values = majority_row(frame)
    cells = {name: (values[name], np.nan) for name in TABLE_METRICS}
    return Row(f"{MAJORITY_LABEL}{suffix}", 1, cells, 1.0, 0.0)


def _row(name: str, group: pd.DataFrame) -> Row:
    return Row(
        label=name,
        models=len(group),
        cells={n: (float(group[n].mean()), float(group[n].std())) for n in TABLE_METRICS},
        constant=float(group["constant"].mean()),
        chance_level=float(group["chance_level"].mean()),
    )
