"""Records as tables: one row a model, and one row a λ. Here pandas begins again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grad_ext.errors import InputError
from grad_ext.trial import Record

# The columns of a λ table, and what they are called there.
SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced acc.",
    "discrimination": "Discrimination",
    "delta": "Delta",
    "consistency": "Consistency",
    "positive_rate": "positive rate",
}


def results(records: Sequence[Record]) -> pd.DataFrame:
    """Return the rows of results.csv, one a model, in the order given.

    Raises
    ------
    InputError
        If there is no record.
    """
    if not records:
        raise InputError("expected at least one record, got none")
    rows = []
    for record in records:
        trial = record.trial
        rows.append(
            {
                "dataset": trial.dataset,
                "method": trial.method,
                "variant": trial.settings.variant,
                "recipe": trial.settings.recipe,
                "criterion": trial.settings.criterion,
                "protected": ",".join(trial.protected),
                "watched": ",".join(trial.watched),
                "lam": trial.lam,
                "seed": trial.seed,
                "split_seed": trial.split_seed,
                "epoch": record.epoch,
                **record.metrics,
                "constant": record.constant,
                "diverged": record.diverged,
                "seconds": record.seconds,
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Row:
    """One line of a λ table.

    Attributes
    ----------
    label : str
        What the line is about.
    models : int
        How many models it sums up.
    cells : dict of str to (float, float)
        Mean and standard deviation over seeds, by metric; the deviation is nan for a single model.
    constant : float
        Share of models that give every test row the same label.
    floor : float
        The Discrimination that chance alone would show at these positive rates.
    """

    label: str
    models: int
    cells: dict[str, tuple[float, float]]
    constant: float
    floor: float


def by_lambda(frame: pd.DataFrame) -> list[Row]:
    """Return the λ table: the majority class on top, then a row for each λ in ascending order."""
    majority = float(frame["majority_accuracy"].iloc[0])
    # The constant favorable or unfavorable prediction, whichever is right more often.
    values = {
        "accuracy": majority,
        "balanced_accuracy": 0.5,
        "discrimination": 0.0,
        "delta": majority,
        "consistency": 1.0,
        "positive_rate": float(_favors(frame)),
    }
    top = Row("majority class", 1, {n: (v, np.nan) for n, v in values.items()}, 1.0, 0.0)
    rows = [top]
    for lam, group in frame.groupby("lam", sort=True):
        rows.append(
            Row(
                label=f"{lam:g}",
                models=len(group),
                cells={n: (float(group[n].mean()), float(group[n].std())) for n in SHOWN},
                constant=float(group["constant"].mean()),
                floor=float(group["discrimination_floor"].mean()),
            )
        )
    return rows


def _favors(frame: pd.DataFrame) -> bool:
    return bool(frame["majority_favorable"].iloc[0])


def cell(mean: float, deviation: float) -> str:
    """Return "mean ±standard deviation" to three decimals."""
    if np.isnan(mean):
        return "–"
    # One space only, so that a narrow terminal puts the deviation below the mean.
    return f"{mean:.3f}" if np.isnan(deviation) else f"{mean:.3f} ±{deviation:.3f}"


def lines(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of a λ table as text."""
    heading = ["λ", "models", *SHOWN.values(), "chance level", "constant"]
    body = [
        [
            row.label,
            str(row.models) if row.label != "majority class" else "",
            *(cell(*row.cells[name]) for name in SHOWN),
            f"{row.floor:.3f}",
            f"{row.constant:.0%}",
        ]
        for row in rows
    ]
    return heading, body
