"""The figure of a comparison."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grad_ext.report.figures.style import CHANCE_COLOR, STAR_COLOR, new_figure, style
from grad_ext.report.sentences.english import listed
from grad_ext.report.statistics.comparison import (
    MAJORITY_METHOD,
    at_chosen,
    majority,
    models_of,
    summary,
)
from grad_ext.report.tables import names_text

PANELS = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy"}
# Okabe and Ito's colours but yellow; 6 and 11 have no common divisor, so that each pair of colour
# and shape occurs once in 66. Black is GRAD's.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
DASHES = ("-", "--", "-.", ":")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
# Models further than this many interquartile ranges from the quartiles are not drawn.
FENCE = 3.0
LEAST_RANGE = 0.02
KEY = (
    "Large: at the value of the hyperparameter that was chosen on the validation set. Small: means at the other "
    "values. Faint: single models. †: needs the protected attributes at prediction."
)


def comparison_figure(frame: pd.DataFrame) -> Figure:
    """Draw accuracy, and balanced accuracy, against Discrimination.

    Every method has a colour and a shape: faint for single models, small for the means over them,
    joined along the hyperparameter, and large at the chosen values. The majority class is a star; the shaded
    band ends at the chance level of Discrimination, the mean over models. Models far
    from the others are left out, and counted below.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.statistics.comparison.summary`.
    """
    models, lines, chosen = models_of(frame), summary(frame), at_chosen(frame)
    limits, top = _limits(models), majority(lines)
    looks = _looks(chosen)
    with style():
        drawn = new_figure(13, max(5.0, 1.4 + 0.2 * len(looks)))
        panels = drawn.subplots(1, len(PANELS))
        for axes, (metric, label) in zip(panels, PANELS.items(), strict=True):
            level = models.loc[~models["constant"], "chance_level"].mean()
            if np.isfinite(level):
                axes.axvspan(
                    0, level, color=CHANCE_COLOR, alpha=0.25, linewidth=0, label="chance level"
                )
            axes.plot(
                top["discrimination"],
                top[metric],
                marker="*",
                markersize=15,
                color=STAR_COLOR,
                markeredgecolor="black",
                linestyle="",
                label="majority class",
                zorder=6,
            )
            if np.isfinite(top[metric]):
                axes.annotate(
                    "majority class",
                    (top["discrimination"], top[metric]),
                    xytext=(9, -3),
                    textcoords="offset points",
                    zorder=7,
                )
            for name, look in looks.items():
                single, means, at = (p[p["name"] == name] for p in (models, lines, chosen))
                _draw(axes, single, means, at, metric, look)
            axes.set_xlim(*limits["discrimination"])
            axes.set_ylim(*limits[metric])
            axes.set_xlabel("Discrimination")
            axes.set_ylabel(label)
        handles, labels = panels[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
        drawn.suptitle(title(models))
        drawn.supxlabel("\n".join(filter(None, (KEY, _beyond(models, limits)))), fontsize=8)
    return drawn


def title(models: pd.DataFrame) -> str:
    """Return the title of a comparison."""
    first = models.iloc[0]
    return f"Methods on {first['dataset']}, protecting {names_text(first['protected'])}"


def _looks(chosen: pd.DataFrame) -> dict[str, tuple[str, str, str]]:
    """Return the colour, shape and line of each method that can be drawn, by its name."""
    looks: dict[str, tuple[str, str, str]] = {}
    shown = chosen[np.isfinite(chosen["discrimination"]) & (chosen["method"] != MAJORITY_METHOD)]
    ours = shown["method"].str.startswith("GRAD")
    for i, name in enumerate(shown.loc[ours, "name"]):
        looks[name] = ("black", SHAPES[i % len(SHAPES)], DASHES[i % len(DASHES)])
    for i, name in enumerate(shown.loc[~ours, "name"]):
        dashes = DASHES[i // len(COLOURS) % len(DASHES)]
        looks[name] = (COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)], dashes)
    return looks


def _draw(
    axes: Axes,
    models: pd.DataFrame,
    lines: pd.DataFrame,
    chosen: pd.DataFrame,
    metric: str,
    look: tuple[str, str, str],
) -> None:
    """Draw a method: its models, the means along its hyperparameter, and the chosen point."""
    colour, shape, dashes = look
    axes.scatter(
        models["discrimination"],
        models[metric],
        s=9,
        color=colour,
        marker=shape,
        alpha=0.25,
        linewidths=0,
        zorder=2,
    )
    axes.plot(
        lines["discrimination"],
        lines[metric],
        color=colour,
        marker=shape,
        markersize=4,
        linewidth=1.2,
        linestyle=dashes,
        alpha=0.8,
        zorder=3,
    )
    row = chosen.iloc[0]
    axes.plot(
        row["discrimination"],
        row[metric],
        color=colour,
        marker=shape,
        markersize=9,
        markeredgecolor="white" if colour == "black" else "black",
        linestyle=dashes if len(lines) > 1 else "",
        label=row["name"] + (" †" if row["needs_attributes"] else ""),
        zorder=5,
    )


def _limits(models: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return the ends of the axes: those of all models that are not far from the others."""
    limits = {}
    anchors = {
        "discrimination": 0.0,
        "accuracy": models["majority_accuracy"].mean(),
        "balanced_accuracy": 0.5,
    }
    for metric, anchor in anchors.items():
        values = models[metric].dropna().to_numpy(float)
        if len(values):
            first, third = np.quantile(values, (0.25, 0.75))
            reach = FENCE * max(third - first, LEAST_RANGE)
            values = values[(values >= first - reach) & (values <= third + reach)]
        values = np.append(values, anchor)
        low, high = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (0, 1)
        margin = 0.05 * max(high - low, LEAST_RANGE)
        limits[metric] = (low - margin, high + margin)
    return limits


def _beyond(models: pd.DataFrame, limits: Mapping[str, tuple[float, float]]) -> str:
    """Return which models lie beyond the axes, and their ranges; empty if none."""
    outside = pd.Series(False, index=models.index)
    for metric, (low, high) in limits.items():
        outside |= (models[metric] < low) | (models[metric] > high)
    if not outside.any():
        return ""
    left = models[outside]
    names = listed(f"{n} of {name}" for name, n in left["name"].value_counts(sort=False).items())
    ranges = ", ".join(
        f"{metric.replace('_', ' ').replace('discrimination', 'Discrimination')} "
        f"{left[metric].min():.3f} to {left[metric].max():.3f}"
        for metric in limits
    )
    return f"Models beyond the axes: {names} ({ranges})."
