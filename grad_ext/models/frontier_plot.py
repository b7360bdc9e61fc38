"""The figure of a path of λ: what a smaller gap costs."""

from __future__ import annotations

from typing import Any

import pandas as pd

# The column of `path_` that is drawn for each objective, and its name.
QUALITIES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "roc_auc": "ROC AUC",
    "r2": "R²",
}


def plot_frontier(path: pd.DataFrame, bound: float | None, objective: str, ax: Any = None) -> Any:
    """Draw the quality and the gap of the best model of each λ.

    Parameters
    ----------
    path : pandas.DataFrame
        The attribute ``path_`` of an estimator that was fitted with a bound.
    bound : float, optional
        Drawn as a line.
    objective : str
        A name in `QUALITIES`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(6.0, 4.0), layout="constrained").subplots()
    quality = "accuracy" if objective == "r2" else objective
    gap = path["gap"]
    error = [gap - path["gap_low"], path["gap_high"] - gap]
    ax.errorbar(
        gap, path[quality], xerr=error, color="#888888", linestyle="", elinewidth=1.0, zorder=1
    )
    for within, marker, label in ((True, "o", "within the bound"), (False, "x", "not within it")):
        part = path[path["within"] == within]
        if len(part):
            ax.scatter(part["gap"], part[quality], marker=marker, label=label, zorder=2)
    for row in path.itertuples():
        ax.annotate(
            f"λ {row.lam:g}", (row.gap, getattr(row, quality)), fontsize=8,
            xytext=(4, 4), textcoords="offset points",
        )  # fmt: skip
    chosen = path[path["chosen"]]
    ax.scatter(
        chosen["gap"], chosen[quality], s=160, facecolors="none", edgecolors="black",
        label="chosen", zorder=3,
    )  # fmt: skip
    if bound is not None:
        ax.axvline(bound, color="black", linestyle="--", linewidth=1.0, label=f"bound {bound:g}")
    ax.set_xlabel("gap between the groups, with a 95 % interval")
    ax.set_ylabel(QUALITIES[objective])
    ax.legend()
    return ax
