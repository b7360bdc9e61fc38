"""Models by their settings, and the settings on the Pareto frontier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown
from grad_ext.metrics.registry import METRICS
from grad_ext.report.tables import CASE, TABLE_METRICS, results_by, with_metrics
from grad_ext.trial import Record

# Objectives, all computed on the validation rows, and whether higher is better.
OBJECTIVES = {
    name: METRICS[name].higher_is_better
    for name in ("accuracy", "balanced_accuracy", "discrimination", "delta", "balanced_delta")
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
        """Whether the study is about λ and the seeds, for one data set and protected set.

        Not if λ differs between attributes, since a curve needs one number.
        """
        one = pd.api.types.is_numeric_dtype(self.frame["lam"])
        return self.over_lambda and one and self.points.groupby(CASE).ngroups == 1

    @property
    def main_points(self) -> pd.DataFrame:
        """The points that a summary shows."""
        return self.frontier if self.frontier_only else self.points

    @property
    def curves(self) -> tuple[str, ...]:
        """The settings beside λ that have a curve for each of their values."""
        return tuple(name for name in self.varied if name != "lam") if self.curve else ()


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
    # Older studies vary λ only, and have no such entry.
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


def nondominated(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points no other is better than in one objective and as good in all.

    Parameters
    ----------
    values : array of shape (points, objectives)
        More is better. A point with nan is never among them; equal points are so together.

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext.report.statistics.settings import nondominated
    >>> nondominated(np.array([[0.9, -0.2], [0.8, -0.1], [0.8, -0.2]])).tolist()
    [True, True, False]
    """
    known = ~np.isnan(values).any(axis=1)
    others = values[known]
    dominated = np.array(
        [bool(((others >= one).all(axis=1) & (others > one).any(axis=1)).any()) for one in values],
        dtype=bool,
    )
    return known & ~dominated


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
        The settings, the number of models and of those without metrics, means over models on the
        test rows (and ``..._std``) and on the validation rows (``validation_...``), the share of
        constant models, and ``frontier``: whether no other choice for the same rows is better on
        the validation rows, of which some models must have figures.
    """
    rows = []
    for key, models in with_metrics(frame).groupby([*CASE, *names], sort=True):
        row = dict(zip([*CASE, *names], key, strict=True))
        row |= {"models": len(models), "failed": int(models["accuracy"].isna().sum())}
        for name in TABLE_METRICS:
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
