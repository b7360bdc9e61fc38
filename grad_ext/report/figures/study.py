"""The pictures of a study: curves over λ as in the paper's Figure 2, the plane, the spread."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from grad_ext.errors import InputError
from grad_ext.report.figures.style import (
    CHANCE_COLOR,
    CURVE_COLOR,
    MAJORITY_COLOR,
    PLAIN_COLOR,
    STAR_COLOR,
    new_figure,
    style,
)
from grad_ext.report.findings.lambdas import PAPER_LAMBDA
from grad_ext.report.tables import CASE, LABELS, by_curve, names_text

# Percentiles over seeds.
BAND = (10, 90)
# Shares of the same rows can differ by rounding.
DIGITS = 9
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Colours of curves, without that of the majority class.
CURVES = (CURVE_COLOR, "#CC79A7", "#E69F00", "#009E73", "#56B4E9")
SHAPES = ("o", "s", "^", "D", "v")
# Groups that a figure shows at most.
MOST = 40
# Ranges that more numbers are binned into.
RANGES = 8
PANELS = {"accuracy": "Accuracy", "discrimination": "Discrimination", "consistency": "Consistency"}


def lambda_figure(frame: pd.DataFrame, title: str, curves: Sequence[str] = ()) -> Figure:
    """Draw accuracy, Discrimination and Consistency against λ.

    Median and band of the 10th to 90th percentile over seeds; λ = 100 marked, as in the paper; the
    majority class as a line; the chance level of Discrimination as a shaded area.
    Models with λ = 0 (the plain network) have no place on a log axis and are drawn as a line.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    title : str
        Heading of the figure.
    curves : sequence of str, optional
        Columns whose values have a curve each, such as ``recipe``.

    Raises
    ------
    InputError
        If a model has a λ for each attribute.
    """
    if not pd.api.types.is_numeric_dtype(frame["lam"]):
        raise InputError(f"lam: expected one number a model, got {frame['lam'].iloc[0]}")
    named = by_curve(frame, curves)
    with style():
        figure = new_figure(10, 3.4)
        panels = figure.subplots(1, len(PANELS))
        for axes, (metric, label) in zip(panels, PANELS.items(), strict=True):
            for k, (curve, group) in enumerate(named):
                _curve(axes, group, metric, k, curve)
            _panel(axes, frame, metric, label)
        _legend(figure, panels[1])
        figure.suptitle(title)
    return figure


def _legend(figure: Figure, axes: Axes) -> None:
    """Put a panel's legend below the figure, in as few rows as there is room for."""
    handles, labels = axes.get_legend_handles_labels()
    most = len(labels)
    for rows in range(1, most + 1):
        columns = -(-most // rows)
        legend = figure.legend(
            handles, labels, loc="outside lower center", ncols=columns, frameon=False
        )
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def _curve(axes: Axes, frame: pd.DataFrame, metric: str, k: int, name: str) -> None:
    """Draw the k-th curve of a panel, with its name if there are several."""
    colour = CURVES[k % len(CURVES)]
    band = "10th to 90th percentile over seeds"
    reversing = frame[frame["lam"] > 0]
    if len(reversing):
        values = reversing.groupby("lam", sort=True)[metric]
        low, high = (values.quantile(percent / 100) for percent in BAND)
        axes.fill_between(
            low.index,
            low,
            high,
            color=colour,
            alpha=0.25,
            linewidth=0,
            label="" if name else band,
        )
        axes.plot(
            low.index,
            values.median(),
            color=colour,
            marker=SHAPES[k % len(SHAPES)],
            markersize=3,
            label=f"{name}: median, {band}" if name else "median",
        )
        axes.set_xscale("log")
        # The default writes powers of 10 as formulas, which the style does not read.
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False))
    plain = frame.loc[frame["lam"] == 0, metric]
    if len(plain):
        axes.axhline(
            plain.median(),
            color=colour if name else PLAIN_COLOR,
            linestyle="-.",
            label=f"{name}: λ = 0" if name else "plain network (λ = 0)",
        )


def _panel(axes: Axes, frame: pd.DataFrame, metric: str, label: str) -> None:
    """Draw what the curves of a panel are to be read beside."""
    constant = {
        "accuracy": float(frame["majority_accuracy"].iloc[0]),
        "discrimination": 0.0,
        "consistency": 1.0,
    }[metric]
    axes.axhline(constant, color=MAJORITY_COLOR, linewidth=1.2, label="majority class")
    reversing = frame[frame["lam"] > 0]
    if metric == "discrimination" and len(reversing):
        level = reversing.groupby("lam", sort=True)["chance_level"].mean()
        axes.fill_between(
            level.index, 0, level, color=CHANCE_COLOR, alpha=0.35, linewidth=0, label="chance level"
        )
    recipes = list(frame["recipe"].unique())
    marked = "λ = 100, the paper's" if recipes == ["paper"] else "λ = 100"
    axes.axvline(PAPER_LAMBDA, color="black", linestyle="--", linewidth=0.8, label=marked)
    # What λ does depends on the recipe; several have a curve each, named in the legend.
    axes.set_xlabel(f"λ (recipe {recipes[0]})" if len(recipes) == 1 else "λ")
    axes.set_ylabel(label)


def plane_figure(frame: pd.DataFrame, title: str, by: str) -> Figure:
    """Draw accuracy, and balanced accuracy, against Discrimination, a point a model.

    The majority class is a star, constant models are hollow, and the
    shaded band ends at the chance level of Discrimination, the mean over models.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    title : str
        Heading of the figure.
    by : str
        The column that decides colour and shape: numbers by a ramp, in eight ranges if there are more
        than 40 of them; words by a list.
    """
    with style():
        figure = new_figure(10, 4.2)
        panels = figure.subplots(1, 2)
        frame = _ranged(frame, by)
        looks = _looks(frame, by)
        for axes, metric in zip(panels, ("accuracy", "balanced_accuracy"), strict=True):
            level = frame.loc[~frame["constant"], "chance_level"].mean()
            if np.isfinite(level):
                axes.axvspan(
                    0, level, color=CHANCE_COLOR, alpha=0.25, linewidth=0, label="chance level"
                )
            for value, (colour, shape) in looks.items():
                for constant in (False, True):
                    rows = frame[(frame[by] == value) & (frame["constant"] == constant)]
                    axes.scatter(
                        rows["discrimination"],
                        rows[metric],
                        s=14,
                        marker=shape,
                        facecolors="none" if constant else colour,
                        edgecolors=colour,
                        linewidths=0.8,
                        label="" if constant else _value_label(by, value),
                    )
            tops = frame["majority_accuracy"].dropna().round(DIGITS).unique()
            for top in tops if metric == "accuracy" else [0.5]:
                axes.plot(
                    0.0, top, marker="*", markersize=14, color=STAR_COLOR, markeredgecolor="black",
                    linestyle="", label="majority class" if top == tops[0] or top == 0.5 else "",
                )  # fmt: skip
            axes.set_xlabel("Discrimination")
            axes.set_ylabel(metric.replace("_", " ").capitalize())
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
        figure.suptitle(title)
    return figure


def _value_label(by: str, value: object) -> str:
    words = f"{value:g}" if isinstance(value, float) else str(value)
    return words if isinstance(value, str) else f"{LABELS.get(by, by)} = {words}"


def _ranged(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the frame with a column of too many numbers in ranges of about as many models each."""
    if not pd.api.types.is_numeric_dtype(frame[by]) or frame[by].nunique() <= MOST:
        return frame
    ranges = pd.qcut(frame[by], RANGES, duplicates="drop")
    words = [f"{each.left:.3g} to {each.right:.3g}" for each in ranges.cat.categories]
    named = ranges.cat.rename_categories([f"{LABELS.get(by, by)} {each}" for each in words])
    return frame.assign(**{by: named})


def _looks(frame: pd.DataFrame, by: str) -> dict[object, tuple[str, str]]:
    """Return colour and shape for each value of a column, the first `MOST` of them."""
    values = list(frame[by].dropna().unique())[:MOST]
    if pd.api.types.is_numeric_dtype(frame[by]) or frame[by].dtype == "category":
        values = list(frame[by].dropna().sort_values().unique())
        ramp = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.92, len(values)))
        colours = [matplotlib.colors.to_hex(colour) for colour in ramp]
    else:
        colours = [COLOURS[k % len(COLOURS)] for k in range(len(values))]
    return {v: (colours[k], SHAPES[k % len(SHAPES)]) for k, v in enumerate(values)}


def spread_figure(frame: pd.DataFrame, title: str, by: Sequence[str]) -> Figure:
    """Draw accuracy and Discrimination of single models, a line for each setting.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    title : str
        Heading of the figure.
    by : sequence of str
        The columns of the settings that differ; models that share them differ by chance. The first 40
        settings are drawn.
    """
    groups: list[tuple[tuple[object, ...], pd.DataFrame]] = [((), frame)]
    if by:
        groups = list(islice(frame.groupby(list(by), sort=True, dropna=False), MOST))
    with style():
        figure = new_figure(10, 1.4 + 0.22 * len(groups))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, metric in zip(panels, ("accuracy", "discrimination"), strict=True):
            for k, (_, rows) in enumerate(groups):
                values = rows[metric].dropna()
                axes.plot(
                    values, np.full(len(values), k), "o", color=CURVE_COLOR, alpha=0.5, markersize=4
                )
                axes.plot(
                    values.median(), k, "|", color="black", markersize=11, markeredgewidth=1.5
                )
            constant = frame["majority_accuracy"].mean() if metric == "accuracy" else 0.0
            axes.axvline(constant, color=MAJORITY_COLOR, linewidth=1.2, label="majority class")
            axes.set_xlabel(PANELS[metric])
        names = [
            ", ".join(_value_label(c, v) for c, v in zip(by, key, strict=True)) for key, _ in groups
        ]
        panels[0].set_yticks(range(len(groups)), names)
        panels[0].legend(frameon=False, fontsize=8)
        figure.suptitle(title)
    return figure


def frontier_figure(points: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy against Discrimination on the test rows, a panel for each case.

    A dot for each choice of settings, with the standard deviation over its models; those on the
    Pareto frontier of the validation set are filled and joined. The majority class and the chance
    level of Discrimination are marked.

    Parameters
    ----------
    points : pandas.DataFrame
        As `grad_ext.report.statistics.settings.by_settings` has them.
    title : str
        Heading of the figure.
    """
    cases = list(points.groupby(CASE, sort=True))
    with style():
        figure = new_figure(max(9.2, 4.6 * len(cases)), 4.0)
        panels = figure.subplots(1, len(cases), squeeze=False)[0]
        for axes, ((dataset, protected), same) in zip(panels, cases, strict=True):
            same = same.dropna(subset=["accuracy", "discrimination"])
            axes.errorbar(
                same["discrimination"],
                same["accuracy"],
                xerr=same["discrimination_std"].fillna(0.0),
                yerr=same["accuracy_std"].fillna(0.0),
                fmt="o",
                color=CURVE_COLOR,
                markerfacecolor="white",
                elinewidth=0.6,
                label="settings, mean ± standard deviation",
            )
            best = same[same["frontier"]].sort_values("discrimination")
            axes.plot(
                best["discrimination"],
                best["accuracy"],
                color=CURVE_COLOR,
                marker="o",
                linewidth=0.8,
                label="Pareto frontier (validation set)",
            )
            axes.axvspan(
                0,
                same["chance_level"].mean() if len(same) else 0.0,
                color=CHANCE_COLOR,
                alpha=0.35,
                linewidth=0,
                label="chance level",
            )
            axes.plot(
                [0],
                [same["majority_accuracy"].max()],
                "s",
                color=MAJORITY_COLOR,
                label="majority class",
            )
            axes.set_title(f"{dataset}, protecting {names_text(protected)}")
            axes.set_xlabel("Discrimination")
            axes.set_ylabel("Accuracy")
        _legend(figure, panels[0])
        figure.suptitle(title)
    return figure
