"""Records as tables: one row a model, and one row a λ. Here pandas begins again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from grad_ext.data.options import joined, listed
from grad_ext.errors import InputError
from grad_ext.trial import Record, Trial

# What columns are called where they are read; others by their names, with spaces.
LABELS = {
    "lam": "λ",
    "balanced_accuracy": "balanced accuracy",
    "discrimination": "Discrimination",
    "chance_level": "chance level",
    "delta": "Delta",
    "balanced_delta": "balanced Delta",
    "consistency": "Consistency",
    "split_seed": "division",
    "peak_bytes": "peak memory (bytes)",
    "seconds": "fit (s)",
    "predict_seconds": "predict (s)",
    "epoch": "epoch kept",
}
# What no model is to be read without.
MAIN = (
    "accuracy",
    "balanced_accuracy",
    "discrimination",
    "chance_level",
    "delta",
    "consistency",
    "positive_rate",
)
# What figures are about: others are not to be set beside each other.
CASE = ["dataset", "protected"]
# What chance decides: models that differ in these alone are repetitions.
CHANCE = ("seed", "split_seed")
# Lines that a page has room for; the table of all models has the others.
MOST_LINES = 60
DIGITS = 12
MAJORITY = "majority class"
# What everybody's being favored has in the toolkits' metrics.
PARITY = {
    "statistical_parity_difference": 0.0,
    "disparate_impact": 1.0,
    "equal_opportunity_difference": 0.0,
    "average_odds_difference": 0.0,
}
# The columns of a λ table, and what they are called there.
SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced acc.",
    "discrimination": "Discrimination",
    "delta": "Delta",
    "consistency": "Consistency",
    "positive_rate": "positive rate",
}


def and_joined(text: object) -> str:
    """Return the names in a column's text, such as 'age,sex', joined by "and"."""
    return " and ".join(listed(str(text)))


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
                "constraint": trial.settings.constraint,
                "protected": joined(trial.protected),
                "watched": joined(trial.watched),
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
    frame = pd.DataFrame(rows)
    if any(record.device != "cpu" for record in records):
        frame["device"] = [record.device for record in records]
    return frame


def flattened(trial: Trial) -> dict[str, Any]:
    """Return everything that makes a trial, by dotted names as in `Trial.to_json`."""
    own = {part.name: getattr(trial, part.name) for part in fields(trial)}
    settings = own.pop("settings")
    own["options"] = dict(trial.options)
    return own | {f"settings.{name}": value for name, value in vars(settings).items()}


def varying(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Return the settings in which models differ, by dotted names, a value a model."""
    every = [flattened(record.trial) for record in records]
    found = {}
    for name in every[0]:
        values = [one[name] for one in every]
        if any(value != values[0] for value in values):
            found[name] = values
    return found


def with_figures(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with every figure that pages look at, nan where no model has it."""
    needed = (*MAIN, "balanced_delta", "majority_accuracy", "majority_favorable")
    lacking = {name: np.nan for name in needed if name not in frame}
    return frame.assign(**lacking) if lacking else frame


def telling(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Return what `varying` does, without what the recipe or the method decides."""
    found = varying(records)
    methods = [record.trial.method for record in records]
    left = {}
    for name, values in found.items():
        owners = [methods, [record.trial.settings.recipe for record in records]]
        own = name in ("lam", "dataset", "protected", "settings.recipe", *CHANCE)
        if own or not any(decides(owner, values) for owner in owners):
            left[name] = values
    return left


def decides(owner: Sequence[Any], values: Sequence[Any]) -> bool:
    """Return whether a setting that varies has one value for each of another's."""
    words = list(map(words_of, values))
    return len(set(owner)) > 1 and len(set(zip(owner, words, strict=True))) == len(set(owner))


def words_of(value: Any) -> str:
    """Return a setting's value in words."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(words_of, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{n} {words_of(v)}" for n, v in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


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


def majority_row(frame: pd.DataFrame) -> dict[str, float]:
    """Return the figures of the majority class, in the mean over the rows; nan where undefined.

    That is the constant favorable or unfavorable prediction, whichever is right more often.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of results.csv about one data set.
    """
    # The mean of equal shares differs from them by rounding.
    right, favors = (
        round(float(frame[f"majority_{c}"].mean()), DIGITS) for c in ("accuracy", "favorable")
    )
    values = {
        "accuracy": right,
        "balanced_accuracy": 0.5,
        "discrimination": 0.0,
        "chance_level": 0.0,
        "delta": right,
        "balanced_delta": 0.5,
        "consistency": 1.0,
        "positive_rate": favors,
    }
    for name in frame.columns:
        kind = next((k for k in PARITY if str(name).startswith(f"{k}_")), None)
        if kind is not None:
            # Where nobody is favored, the ratio of the groups' rates is 0 / 0.
            values[name] = np.nan if kind == "disparate_impact" and favors < 1.0 else PARITY[kind]
        elif str(name).startswith(("discrimination_", "equalized_odds_difference_")):
            values[name] = 0.0
    return values if np.isfinite(right) else dict.fromkeys(values, np.nan)


def by_lambda(frame: pd.DataFrame) -> list[Row]:
    """Return the λ table: the majority class on top, then a row for each λ in ascending order."""
    values = majority_row(frame)
    top = Row(MAJORITY, 1, {n: (values[n], np.nan) for n in SHOWN}, 1.0, 0.0)
    return [top, *(_row(f"{lam:g}", group) for lam, group in frame.groupby("lam", sort=True))]


def by_curve(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return what each curve over λ is called, and its models.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    names : sequence of str
        The columns whose values have a curve each; all models are one curve, without a name, if there
        are none.
    """
    if not names:
        return [("", frame)]
    return [
        (", ".join(f"{called(n)} {words_of(v)}" for n, v in zip(names, key, strict=True)), group)
        for key, group in frame.groupby(list(names), sort=True)
    ]


def _row(label: str, group: pd.DataFrame) -> Row:
    return Row(
        label=label,
        models=len(group),
        cells={n: (float(group[n].mean()), float(group[n].std())) for n in SHOWN},
        constant=float(group["constant"].mean()),
        floor=float(group["chance_level"].mean()),
    )


def setting_lines(
    frame: pd.DataFrame, records: Sequence[Record]
) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of a table with a line for each setting, as text.

    Models that differ by chance alone share a line; the majority class of each data set is on top.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv, in the order of the records.
    records : sequence of Record
        The models; the first 60 settings are shown.
    """
    differing = {n: v for n, v in telling(records).items() if n not in CHANCE}
    methods = frame["method"].tolist()
    if len(set(methods)) > 1 and not decides(frame["lam"].tolist(), methods):
        differing = {"method": methods, **differing}
    named = [
        ", ".join(f"{called(n)} {words_of(v)}" for n, v in zip(differing, values, strict=True))
        for values in zip(*differing.values(), strict=True)
    ] or ["all"] * len(frame)
    rows = []
    for dataset, group in frame.groupby("dataset", sort=False):
        top = majority_row(group)
        several = frame["dataset"].nunique() > 1
        label = f"{MAJORITY}, {dataset}" if several else MAJORITY
        rows.append(Row(label, 1, {n: (top[n], np.nan) for n in SHOWN}, 1.0, 0.0))
    # A search has as many settings as models, and only the first groups are looked at.
    groups = islice(frame.groupby(pd.Series(named, index=frame.index), sort=False), MOST_LINES)
    rows += [_row(str(label), group) for label, group in groups]
    heading, body = lines(rows)
    return ["setting", *heading[1:]], body


def study_lines(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of a table with a line for each study, as text.

    Each below the majority class of its rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv, with a column ``study``.
    """
    rows = []
    for study, group in frame.groupby("study", sort=False):
        top = majority_row(group)
        label = f"{MAJORITY}, {study}"
        rows.append(Row(label, 1, {n: (top[n], np.nan) for n in SHOWN}, 1.0, 0.0))
        rows.append(_row(str(study), group))
    heading, body = lines(rows)
    return ["study", *heading[1:]], body


def called(name: str) -> str:
    """Return what a setting's dotted name is called."""
    short = name.removeprefix("settings.")
    return LABELS.get(short, short.replace("_", " "))


def toolkit_lines(frame: pd.DataFrame, by: str) -> tuple[list[str], list[list[str]]] | None:
    """Return the heading and the lines of the toolkits' metrics, or None if there are none.

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
        body.append([f"{MAJORITY}{which}", *(cell(top[n], np.nan) for n in names)])
        groups = finite.loc[rows.index].groupby(rows[by], sort=by == "lam")
        for value, group in islice(groups, MOST_LINES):
            cells = [cell(float(group[n].mean()), float(group[n].std())) for n in names]
            body.append([f"{words_of(value)}{which if by not in CASE else ''}", *cells])
    return [called(by), *(n.replace("_", " ") for n in names)], body


def cell(mean: float, deviation: float) -> str:
    """Return "mean ±standard deviation" to three decimals."""
    if np.isnan(mean):
        return "–"
    # One space only, so that a narrow terminal puts the deviation below the mean.
    return f"{mean:.3f}" if np.isnan(deviation) else f"{mean:.3f} ±{deviation:.3f}"


def lines(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of a λ table as text."""
    # Whether a model is one at all stands before its figures: a narrow screen cuts off the last.
    heading = ["λ", "models", "constant", *SHOWN.values(), "chance level"]
    body = [
        [
            row.label,
            str(row.models) if not row.label.startswith(MAJORITY) else "",
            f"{row.constant:.0%}",
            *(cell(*row.cells[name]) for name in SHOWN),
            f"{row.floor:.3f}",
        ]
        for row in rows
    ]
    return heading, body
