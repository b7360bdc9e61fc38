"""Models by their settings: a line for each choice of settings, and which of them nothing beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown
from grad_ext.report.tables import (
    CASE,
    MAJORITY,
    MOST_LINES,
    SHOWN,
    cell,
    majority_row,
    results,
    with_figures,
)
from grad_ext.trial import Record, Trial

# What can be sought: whether more of it is better. All are taken on the validation rows.
OBJECTIVES = {
    "accuracy": True,
    "balanced_accuracy": True,
    "discrimination": False,
    "delta": True,
    "balanced_delta": True,
}
PLANE = ("accuracy", "discrimination")


@dataclass(frozen=True)
class Choices:
    """A study's models by their settings.

    Attributes
    ----------
    kind : str
        The study's kind.
    frame : pandas.DataFrame
        The rows of results.csv, one a model.
    points : pandas.DataFrame
        A row for each choice of settings: see `by_settings`.
    varied : tuple of str
        The settings that vary, columns of both frames.
    objectives : tuple of str
        What decides the frontier among the points.
    over_lambda : bool
        Whether the study is about λ and the seeds.
    frontier_only : bool
        Whether the frontier is the result, and the other points are not.
    """

    kind: str
    frame: pd.DataFrame
    points: pd.DataFrame
    varied: tuple[str, ...]
    objectives: tuple[str, ...]
    over_lambda: bool
    frontier_only: bool

    @property
    def frontier(self) -> pd.DataFrame:
        """The points that no other is better than on the validation rows."""
        return self.points[self.points["frontier"]]

    @property
    def curve(self) -> bool:
        """Whether the study is about λ and the seeds, for one data set and protected set."""
        return self.over_lambda and self.points.groupby(CASE).ngroups == 1

    @property
    def main_points(self) -> pd.DataFrame:
        """The points that a summary shows."""
        return self.frontier if self.frontier_only else self.points

    @property
    def curves(self) -> tuple[str, ...]:
        """The settings beside λ that have a curve for each of their values."""
        return tuple(name for name in self.varied if name != "lam") if self.curve else ()

    @property
    def said(self) -> str:
        """What the frontier is, in a sentence, and what to distrust in it."""
        sought = " and ".join(self.objectives).replace("_", " ")
        return (
            f"{len(self.frontier)} of {len(self.points)} choices of settings are on the frontier (*): no "
            f"other is better in {sought} on the validation rows. A model that gives everybody the "
            "same label is on it for nothing."
        )


def choices(
    records: Sequence[Record],
    about: Mapping[str, Any],
    over_lambda: bool = False,
    frontier_only: bool = False,
) -> Choices:
    """Return a study's models by their settings.

    Parameters
    ----------
    records : sequence of Record
        Its models, at least one.
    about : mapping
        What the study is about, as study.json has it.
    over_lambda, frontier_only : bool, default False
        As in `Choices`.
    """
    # Studies of before there was more than λ to vary do not say so.
    varied = tuple(sorted(about.get("varied", ["lam"]), key=lambda name: (name != "lam", name)))
    objectives = tuple(about.get("search", {}).get("objectives", PLANE))
    frame = results_by(records, varied)
    points = by_settings(frame, varied, objectives)
    kind = str(about.get("kind"))
    return Choices(kind, frame, points, varied, objectives, over_lambda, frontier_only)


def checked_objectives(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of objectives.

    Raises
    ------
    InputError
        If there are none, one comes twice, or there is no such objective.
    """
    for name in names:
        if name not in OBJECTIVES:
            raise unknown("objective", name, OBJECTIVES)
    if not names or len(set(names)) < len(names):
        raise InputError(f"expected one or more objectives, each once, got {list(names)}")
    return tuple(names)


def setting(trial: Trial, name: str) -> Any:
    """Return a trial's value of a setting, as results.csv has it: layers as 40x40."""
    if name in ("lam", "split_seed"):
        return getattr(trial, name)
    if name == "hidden":
        return trial.settings.trunk[0]
    found = getattr(trial.settings, name)
    return "x".join(f"{part:g}" for part in found) if isinstance(found, tuple) else found


def results_by(records: Sequence[Record], names: Sequence[str]) -> pd.DataFrame:
    """Return the rows of results.csv with a column for each setting that varies."""
    frame = results(records)
    for name in [name for name in names if name not in frame]:
        column = [setting(record.trial, name) for record in records]
        frame.insert(list(frame).index("epoch"), name, column)
    if any(record.error for record in records):
        frame["error"] = [record.error for record in records]
    return frame


def nondominated(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points no other is better than in one objective and as good in all.

    Parameters
    ----------
    values : array of shape (points, objectives)
        More is better. A point with nan is never among them; equal points are so together.

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext.report.settings import nondominated
    >>> nondominated(np.array([[0.9, -0.2], [0.8, -0.1], [0.8, -0.2]])).tolist()
    [True, True, False]
    """
    known = ~np.isnan(values).any(axis=1)
    there = values[known]
    beaten = np.array(
        [bool(((there >= one).all(axis=1) & (there > one).any(axis=1)).any()) for one in values],
        dtype=bool,
    )
    return known & ~beaten


def by_settings(
    frame: pd.DataFrame, names: Sequence[str], objectives: Sequence[str] = PLANE
) -> pd.DataFrame:
    """Return a row for each data set, protected attributes and choice of settings.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv, one a model.
    names : sequence of str
        The settings that vary, columns of the frame.
    objectives : sequence of str
        What decides the frontier, on the validation rows: see `OBJECTIVES`.

    Returns
    -------
    pandas.DataFrame
        The settings, the number of models and of those without figures, means over models on the
        test rows (and ``..._std``) and on the validation rows (``validation_...``), the share of
        constant models, and ``frontier``: whether no other choice for the same rows is better on
        the validation rows, of which some models must have figures.
    """
    rows = []
    for key, models in with_figures(frame).groupby([*CASE, *names], sort=True):
        row = dict(zip([*CASE, *names], key, strict=True))
        row |= {"models": len(models), "failed": int(models["accuracy"].isna().sum())}
        for name in SHOWN:
            row |= {name: models[name].mean(), f"{name}_std": models[name].std()}
        for name in ("chance_level", "constant", "majority_accuracy", "majority_favorable"):
            row[name] = models[name].mean()
        # A mean over some of the models would leave out what went wrong.
        whole = not row["failed"]
        for name in [name for name in OBJECTIVES if f"validation_{name}" in frame]:
            mean = models[f"validation_{name}"].mean()
            row[f"validation_{name}"] = mean if whole else np.nan
        rows.append(row)
    points = pd.DataFrame(rows)
    points["frontier"] = False
    if not all(f"validation_{name}" in points for name in objectives):
        return points
    for _, same in points.groupby(CASE):
        signed = [
            (1.0 if OBJECTIVES[name] else -1.0) * same[f"validation_{name}"].to_numpy()
            for name in objectives
        ]
        points.loc[same.index, "frontier"] = nondominated(np.column_stack(signed))
    return points


def majorities(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the majority class's figures, a row for each data set and protected set."""
    return [
        dict(zip(CASE, case, strict=True)) | majority_row(rows)
        for case, rows in with_figures(frame).groupby(CASE, sort=True)
    ]


def lines_by(
    points: pd.DataFrame, names: Sequence[str], objectives: Sequence[str] = PLANE
) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of one case's points as text, the majority class on top.

    Of more than 60 points these are the frontier and the first others.
    """
    if len(points) > MOST_LINES:
        points = points.sort_values("frontier", ascending=False, kind="stable")[:MOST_LINES]
    held = [name for name in objectives if f"validation_{name}" in points]
    heading = [
        *("λ" if name == "lam" else name for name in names),
        *("models", "constant"),
        *(f"val. {name}" for name in held),
        *SHOWN.values(),
        *("chance level", "frontier"),
    ]
    majority = majority_row(points)
    top = [
        *[MAJORITY, *[""] * len(names), "100%", *[""] * len(held)],
        *(cell(majority[name], np.nan) for name in SHOWN),
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
                *(cell(point[f"validation_{name}"], np.nan) for name in held),
                *(cell(point[name], point[f"{name}_std"]) for name in SHOWN),
                cell(point["chance_level"], np.nan),
                "*" if point["frontier"] else "",
            ]
        )
    return heading, body


def short(value: object) -> str:
    """Return a setting's value as a table has it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
