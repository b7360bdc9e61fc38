"""The pictures of a study: curves over λ as in the paper's Figure 2, the plane, the spread."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from grad_ext.errors import unknown
from grad_ext.files import write_atomically
from grad_ext.report.tables import CASE, LABELS, and_joined, by_curve

PAPER_LAMBDA = 100.0
BAND = (10, 90)
# Okabe and Ito's colours, which colour-blind readers can tell apart; plain has dashes besides.
CURVE, MAJORITY, CHANCE, PLAIN = "#0072B2", "#D55E00", "#999999", "#009E73"
STAR = "#F0E442"
# Shares of the same rows differ by rounding.
DIGITS = 9
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Of curves, beside which the majority class has its own.
CURVES = (CURVE, "#CC79A7", "#E69F00", "#009E73", "#56B4E9")
SHAPES = ("o", "s", "^", "D", "v")
FORMATS = ("png", "svg", "pdf")
WRITTEN = ("png", "svg")
# Groups that a picture has room for.
MOST = 40
# Ranges that more numbers are put into.
RANGES = 8
PANELS = {"accuracy": "Accuracy", "discrimination": "Discrimination", "consistency": "Consistency"}


def _style() -> AbstractContextManager[None]:
    """Equal input gives equal bytes, and fonts are part of the file: outlines in SVG, TrueType in PDF."""
    return matplotlib.rc_context(
        {"svg.fonttype": "path", "pdf.fonttype": 42, "svg.hashsalt": "grad-ext", "font.size": 9}
    )


def lambda_figure(frame: pd.DataFrame, title: str, curves: Sequence[str] = ()) -> Figure:
    """Draw accuracy, Discrimination and Consistency against λ.

    Median and band of the 10th to 90th percentile over seeds; λ = 100 marked, as in the paper; the
    majority class as a line; the Discrimination that chance alone would show as a shaded floor.
    Models with λ = 0 (the plain network) have no place on a log axis and are drawn as a line.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    title : str
        Heading of the figure.
    curves : sequence of str, optional
        Columns whose values have a curve each, such as ``recipe``.
    """
    named = by_curve(frame, curves)
    with _style():
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        FigureCanvasAgg(figure)
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


def _curve(axes: Axes, frame: pd.DataFrame, metric: str, k: int, called: str) -> None:
    """Draw the k-th curve of a panel, called something where there are several."""
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
            label="" if called else band,
        )
        axes.plot(
            low.index,
            values.median(),
            color=colour,
            marker=SHAPES[k % len(SHAPES)],
            markersize=3,
            label=f"{called}: median, {band}" if called else "median",
        )
        axes.set_xscale("log")
    plain = frame.loc[frame["lam"] == 0, metric]
    if len(plain):
        axes.axhline(
            plain.median(),
            color=colour if called else PLAIN,
            linestyle="-.",
            label=f"{called}: λ = 0" if called else "plain network (λ = 0)",
        )


def _panel(axes: Axes, frame: pd.DataFrame, metric: str, label: str) -> None:
    """Draw what the curves of a panel are to be read beside."""
    constant = {
        "accuracy": float(frame["majority_accuracy"].iloc[0]),
        "discrimination": 0.0,
        "consistency": 1.0,
    }[metric]
    axes.axhline(constant, color=MAJORITY, linewidth=1.2, label="majority class")
    reversing = frame[frame["lam"] > 0]
    if metric == "discrimination" and len(reversing):
        floor = reversing.groupby("lam", sort=True)["chance_level"].mean()
        axes.fill_between(
            floor.index, 0, floor, color=CHANCE, alpha=0.35, linewidth=0, label="chance level"
        )
    axes.axvline(
        PAPER_LAMBDA, color="black", linestyle="--", linewidth=0.8, label="λ = 100, the paper's"
    )
    axes.set_xlabel("λ")
    axes.set_ylabel(label)


def plane_figure(frame: pd.DataFrame, title: str, by: str) -> Figure:
    """Draw accuracy, and balanced accuracy, against Discrimination, a point a model.

    The majority class is a star, models that give everybody the same label are hollow, and the
    shaded band is the Discrimination that chance alone would show, in the mean over models.

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
    with _style():
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, 2)
        frame = _ranged(frame, by)
        looks = _looks(frame, by)
        for axes, metric in zip(panels, ("accuracy", "balanced_accuracy"), strict=True):
            floor = frame.loc[~frame["constant"], "chance_level"].mean()
            if np.isfinite(floor):
                axes.axvspan(0, floor, color=CHANCE, alpha=0.25, linewidth=0, label="chance level")
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
                        label="" if constant else _called(by, value),
                    )
            tops = frame["majority_accuracy"].dropna().round(DIGITS).unique()
            for top in tops if metric == "accuracy" else [0.5]:
                axes.plot(
                    0.0, top, marker="*", markersize=14, color=STAR, markeredgecolor="black",
                    linestyle="", label="majority class" if top == tops[0] or top == 0.5 else "",
                )  # fmt: skip
            axes.set_xlabel("Discrimination")
            axes.set_ylabel(metric.replace("_", " ").capitalize())
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
        figure.suptitle(title)
    return figure


def _called(by: str, value: object) -> str:
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
        The columns that tell settings apart; models that share them differ by chance. The first 40
        settings are drawn.
    """
    groups: list[tuple[tuple[object, ...], pd.DataFrame]] = [((), frame)]
    if by:
        found = frame.groupby(list(by), sort=True, dropna=False)
        groups = list(islice(found, MOST))
    with _style():
        figure = Figure(figsize=(10, 1.4 + 0.22 * len(groups)), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, metric in zip(panels, ("accuracy", "discrimination"), strict=True):
            for k, (_, rows) in enumerate(groups):
                values = rows[metric].dropna()
                axes.plot(
                    values, np.full(len(values), k), "o", color=CURVE, alpha=0.5, markersize=4
                )
                axes.plot(
                    values.median(), k, "|", color="black", markersize=11, markeredgewidth=1.5
                )
            constant = frame["majority_accuracy"].mean() if metric == "accuracy" else 0.0
            axes.axvline(constant, color=MAJORITY, linewidth=1.2, label="majority class")
            axes.set_xlabel(PANELS[metric])
        names = [
            ", ".join(_called(c, v) for c, v in zip(by, key, strict=True)) for key, _ in groups
        ]
        panels[0].set_yticks(range(len(groups)), names)
        panels[0].legend(frameon=False, fontsize=8)
        figure.suptitle(title)
    return figure


def frontier_figure(points: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy against Discrimination on the test rows, a panel for each case.

    A dot for each choice of settings, with the standard deviation over its models; those that
    nothing beats on the validation rows are filled and joined. The majority class and the
    Discrimination that chance alone would show are marked.

    Parameters
    ----------
    points : pandas.DataFrame
        As `grad_ext.report.settings.by_settings` has them.
    title : str
        Heading of the figure.
    """
    cases = list(points.groupby(CASE, sort=True))
    with _style():
        figure = Figure(figsize=(max(9.2, 4.6 * len(cases)), 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(cases), squeeze=False)[0]
        for axes, ((dataset, protected), same) in zip(panels, cases, strict=True):
            same = same.dropna(subset=["accuracy", "discrimination"])
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
                same["chance_level"].mean() if len(same) else 0.0,
                color=CHANCE,
                alpha=0.35,
                linewidth=0,
                label="chance level",
            )
            axes.plot(
                [0], [same["majority_accuracy"].max()], "s", color=MAJORITY, label="majority class"
            )
            axes.set_title(f"{dataset}, protecting {and_joined(protected)}")
            axes.set_xlabel("Discrimination")
            axes.set_ylabel("Accuracy")
        _legend(figure, panels[0])
        figure.suptitle(title)
    return figure


def checked_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Return the formats of pictures, each once.

    Raises
    ------
    InputError
        If there is none of a name.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    return tuple(dict.fromkeys(formats))


def draw(figure: Figure, path: Path, formats: Sequence[str]) -> None:
    """Write a figure in some formats; the path is without an ending."""
    for kind in formats:
        write_atomically(path.with_name(f"{path.name}.{kind}"), render(figure, kind))


def render(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file: 'png', 'svg', 'pdf', or 'inline', an SVG for a page.

    In the latter text stays text, which a page's reader can search and have read out.
    """
    buffer = io.BytesIO()
    inline = kind == "inline"
    kind = "svg" if inline else kind
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with _style(), matplotlib.rc_context({"svg.fonttype": "none"} if inline else {}):
        figure.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    return buffer.getvalue()
