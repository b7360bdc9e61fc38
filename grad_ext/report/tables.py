"""Records as frames, the names of their columns, and what differs between models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from grad_ext.data.lists import joined, listed
from grad_ext.errors import InputError
from grad_ext.metrics.registry import METRICS, attribute_metric
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

# Labels of columns whose label is not their name with spaces.
LABELS = {
    "lam": "λ",
    "split_seed": "split seed",
    "peak_bytes": "peak memory (bytes)",
    "seconds": "fit (s)",
    "predict_seconds": "predict (s)",
    "epoch": "epoch kept",
    **{name: metric.label for name, metric in METRICS.items()},
}
# The metrics that every page shows first.
MAIN = (
    "accuracy",
    "balanced_accuracy",
    "discrimination",
    "chance_level",
    "ks_distance",
    "ks_chance_level",
    "wasserstein_distance",
    "delta",
    "consistency",
    "positive_rate",
)
# Headings of metrics in tables.
HEADINGS = {
    name: METRICS[name].label
    for name in (
        *("accuracy", "balanced_accuracy", "discrimination", "delta", "balanced_delta"),
        *("ks_distance", "consistency", "positive_rate"),
    )
} | {"balanced_accuracy": "balanced acc.", "ks_distance": "KS distance"}
# The metrics in the tables of a study.
TABLE_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "discrimination",
    "ks_distance",
    "delta",
    "consistency",
    "positive_rate",
)
# Models are compared only if these are equal.
CASE = ["dataset", "protected"]
# Models that differ in these columns alone are repetitions of one setting.
REPEATS = ("seed", "split_seed")
# Metrics of the other toolkits, which have a sign, and their value if all groups are treated alike.
PARITY = {
    name: metric.constant
    for name, metric in METRICS.items()
    if metric.attributes == ("binary",)
    and metric.higher_is_better is None
    and metric.constant is not None
}
MAJORITY_LABEL = "majority class"
# Means of equal values can differ by rounding in the digits beyond these.
DIGITS = 12


def names_text(cell: object, separator: str = " and ") -> str:
    """Return the names in a cell of results.csv, such as 'age,sex', as text."""
    return separator.join(listed(str(cell)))


def results(records: Sequence[Record]) -> pd.DataFrame:
    """Return the rows of results.csv, one per model, in the order given.

    λ is a number; if a model has one for each attribute, it is a tuple for all of them.

    Raises
    ------
    InputError
        If there is no record.
    """
    if not records:
        raise InputError("expected at least one record, got none")
    # Numbers and tuples in one column could not be sorted.
    by_attribute = any(isinstance(record.trial.lam, tuple) for record in records)
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
                "also_evaluated": joined(trial.also_evaluated),
                "lam": trial.lams if by_attribute else trial.lam,
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


def saturating_strength(settings: Settings, lam: float) -> float:
    """Return the strength of the reversal; nan if it is not bounded, or not all that λ changes."""
    saturates = settings.saturation and not settings.score_penalty
    return settings.strength(lam) if saturates else math.nan


def saturating_strengths(records: Sequence[Record]) -> list[float]:
    """Return what `saturating_strength` does for models with one λ each, nan for others."""
    return [
        saturating_strength(record.trial.settings, record.trial.lam)
        if isinstance(record.trial.lam, float) and not record.trial.baseline
        else math.nan
        for record in records
    ]


def results_by(records: Sequence[Record], names: Sequence[str]) -> pd.DataFrame:
    """Return the rows of results.csv with a column for each setting that varies."""
    frame = results(records)
    for name in [name for name in names if name not in frame]:
        column = [setting(record.trial, name) for record in records]
        frame.insert(list(frame).index("epoch"), name, column)
    if any(record.error for record in records):
        frame["error"] = [record.error for record in records]
    return frame


def setting(trial: Trial, name: str) -> Any:
    """Return a trial's value of a setting as in results.csv; layers such as 40x40."""
    if name in ("lam", "split_seed"):
        return getattr(trial, name)
    if name == "hidden":
        return trial.settings.trunk[0]
    value = getattr(trial.settings, name)
    return "x".join(f"{part:g}" for part in value) if isinstance(value, tuple) else value


def flattened(trial: Trial) -> dict[str, Any]:
    """Return all values of a trial by dotted names as in `Trial.to_json`."""
    own = {part.name: getattr(trial, part.name) for part in fields(trial)}
    settings = own.pop("settings")
    own["options"] = dict(trial.options)
    return own | {f"settings.{name}": value for name, value in vars(settings).items()}


def varying(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Return the settings that differ between models, by dotted names, with a value per model."""
    every = [flattened(record.trial) for record in records]
    differing = {}
    for name in every[0]:
        values = [one[name] for one in every]
        if any(value != values[0] for value in values):
            differing[name] = values
    return differing


def independently_varying(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Return what `varying` does, without the settings that the recipe or the method determines."""
    methods = [record.trial.method for record in records]
    owners = [methods, [record.trial.settings.recipe for record in records]]
    always = ("lam", *CASE, "settings.recipe", *REPEATS)
    return {
        name: values
        for name, values in varying(records).items()
        if name in always or not any(determines(owner, values) for owner in owners)
    }


def determines(owner: Sequence[Any], values: Sequence[Any]) -> bool:
    """Return whether a setting that varies has a single value for each value of another."""
    texts = list(map(value_text, values))
    return len(set(owner)) > 1 and len(set(zip(owner, texts, strict=True))) == len(set(owner))


def value_text(value: Any) -> str:
    """Return a setting's value as text."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(value_text, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{n} {value_text(v)}" for n, v in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def label(name: str) -> str:
    """Return the label of a column or of a setting's dotted name."""
    last = name.removeprefix("settings.")
    return LABELS.get(last, last.replace("_", " "))


def with_metrics(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with every metric that pages read, nan where no model has it."""
    needed = (*MAIN, "balanced_delta", "majority_accuracy", "majority_favorable")
    lacking = {name: np.nan for name in needed if name not in frame}
    return frame.assign(**lacking) if lacking else frame


def majority_row(frame: pd.DataFrame) -> dict[str, float]:
    """Return the metrics of the majority class, averaged over the rows; nan where undefined.

    The majority class is the constant prediction, favorable or unfavorable, with the higher
    accuracy.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of results.csv of one data set.
    """
    accuracy, favorable = (
        round(float(frame[f"majority_{c}"].mean()), DIGITS) for c in ("accuracy", "favorable")
    )
    constants = {name: m.constant for name, m in METRICS.items() if m.constant is not None}
    constants |= {"accuracy": accuracy, "delta": accuracy, "positive_rate": favorable}
    values = {name: constants[name] for name in (*MAIN, "balanced_delta")}
    for column in map(str, frame.columns):
        metric = attribute_metric(column)
        if metric is not None and metric.constant is not None:
            # If no row is predicted favorable, the ratio of the groups' rates is 0 / 0.
            undefined = metric.name == "disparate_impact" and favorable < 1.0
            values[column] = np.nan if undefined else metric.constant
    return values if np.isfinite(accuracy) else dict.fromkeys(values, np.nan)


def majorities(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the metrics of the majority class, a row for each data set and protected set."""
    return [
        dict(zip(CASE, case, strict=True)) | majority_row(rows)
        for case, rows in with_metrics(frame).groupby(CASE, sort=True)
    ]


def by_curve(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return the name and the models of each curve over λ.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    names : sequence of str
        The columns whose values have a curve each; if there are none, all models are one curve
        without a name.
    """
    if not names:
        return [("", frame)]
    return [
        (", ".join(f"{label(n)} {value_text(v)}" for n, v in zip(names, key, strict=True)), group)
        for key, group in frame.groupby(list(names), sort=True)
    ]
