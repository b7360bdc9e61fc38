"""Models by their settings: a line for each choice of settings, and which of them nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown
from grad_ext.report.figures import CHANCE, CURVE, MAJORITY
from grad_ext.report.tables import SHOWN, cell, results
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
# Points are told apart by these and by their settings.
CASE = ["dataset", "protected"]


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
        the validation rows.
    """
    rows = []
    for key, models in frame.groupby([*CASE, *names], sort=True):
        row = dict(zip([*CASE, *names], key, strict=True))
        row |= {"models": len(models), "failed": int(models["accuracy"].isna().sum())}
        for name in SHOWN:
            row |= {name: models[name].mean(), f"{name}_std": models[name].std()}
        for name in ("discrimination_floor", "constant", "majority_accuracy"):
            row[name] = models[name].mean()
        # A mean over some of the models would leave out what went wrong.
        whole = not row["failed"]
        for name in [name for name in OBJECTIVES if f"validation_{name}" in frame]:
            mean = models[f"validation_{name}"].mean()
            row[f"validation_{name}"] = mean if whole else np.nan
        rows.append(row)
    points = pd.DataFrame(rows)
    if not all(f"validation_{name}" in points for name in objectives):
        return points
    points["frontier"] = False
    for _, same in points.groupby(CASE):
        signed = [
            (1.0 if OBJECTIVES[name] else -1.0) * same[f"validation_{name}"].to_numpy()
            for name in objectives
        ]
        points.loc[same.index, "frontier"] = nondominated(np.column_stack(signed))
    return points


def lines_by(
    points: pd.DataFrame, names: Sequence[str], objectives: Sequence[str] = PLANE
) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of one case's points as text, the majority class on top."""
    marked = "frontier" in points
    held = [name for name in objectives if f"validation_{name}" in points]
    heading = [
        *("λ" if name == "lam" else name for name in names),
        "models",
        *(f"val. {name}" for name in held),
        *SHOWN.values(),
        *("chance level", "constant"),
        *(["frontier"] if marked else []),
    ]
    majority = points["majority_accuracy"].max()
    top = [
        *["majority class", *[""] * (len(names) + len(held))][: len(names) + 1 + len(held)],
        *(f"{value:.3f}" for value in (majority, 0.5, 0.0, majority, 1.0)),
        *("–", "0.000", "100%"),
        *([""] if marked else []),
    ]
    body = [top]
    for _, point in points.iterrows():
        failed = f", {point['failed']} failed" if point["failed"] else ""
        body.append(
            [
                *(short(point[name]) for name in names),
                f"{point['models']}{failed}",
                *(cell(point[f"validation_{name}"], np.nan) for name in held),
                *(cell(point[name], point[f"{name}_std"]) for name in SHOWN),
                cell(point["discrimination_floor"], np.nan),
                f"{point['constant']:.0%}",
                *(["*" if point["frontier"] else ""] if marked else []),
            ]
        )
    return heading, body


def short(value: object) -> str:
    """Return a setting's value as a table has it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plane_figure(points: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy against Discrimination on the test rows, a panel for each case.

    A dot for each choice of settings, with the standard deviation over its models; those that
    nothing beats on the validation rows are filled and joined. The majority class and the
    Discrimination that chance alone would show are marked.

    Parameters
    ----------
    points : pandas.DataFrame
        As `by_settings` has them.
    title : str
        Heading of the figure.
    """
    cases = list(points.groupby(CASE, sort=True))
    figure = Figure(figsize=(4.6 * len(cases), 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(cases), squeeze=False)[0]
    for axes, ((dataset, protected), same) in zip(panels, cases, strict=True):
        same = same.dropna(subset=list(PLANE))
        axes.errorbar(
            same["discrimination"],
            same["accuracy"],
            xerr=same["discrimination_std"].fillna(0.0),
            yerr=same["accuracy_std"].fillna(0.0),
            fmt="o",
            color=CURVE,
            markerfacecolor="white",
            elinewidth=0.6,
            label="settings, mean ± standard deviation",
        )
        if "frontier" in same:
            best = same[same["frontier"]].sort_values("discrimination")
            axes.plot(
                best["discrimination"],
                best["accuracy"],
                color=CURVE,
                marker="o",
                linewidth=0.8,
                label="not beaten on the validation rows",
            )
        axes.axvspan(
            0,
            same["discrimination_floor"].mean() if len(same) else 0.0,
            color=CHANCE,
            alpha=0.35,
            linewidth=0,
            label="chance level",
        )
        axes.plot(
            [0], [same["majority_accuracy"].max()], "s", color=MAJORITY, label="majority class"
        )
        axes.set_title(f"{dataset}, protecting {str(protected).replace(',', ' and ')}")
        axes.set_xlabel("Discrimination")
        axes.set_ylabel("Accuracy")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return figure
