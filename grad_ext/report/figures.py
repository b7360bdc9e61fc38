"""The picture of a λ study, in the manner of the paper's Figure 2."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PAPER_LAMBDA = 100.0
BAND = (10, 90)
# Okabe and Ito's colours, which colour-blind readers can tell apart; plain has dashes besides.
CURVE, MAJORITY, CHANCE, PLAIN = "#0072B2", "#D55E00", "#999999", "#009E73"
PANELS = {"accuracy": "Accuracy", "discrimination": "Discrimination", "consistency": "Consistency"}


def _style() -> AbstractContextManager[None]:
    """Text stays text in the SVG, and equal input gives equal bytes."""
    return matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "grad-ext", "font.size": 9}
    )


def lambda_figure(frame: pd.DataFrame, title: str) -> Figure:
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
    """
    with _style():
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(PANELS))
        for axes, (metric, label) in zip(panels, PANELS.items(), strict=True):
            _panel(axes, frame, metric, label)
        handles, labels = panels[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        figure.suptitle(title)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, metric: str, label: str) -> None:
    reversing = frame[frame["lam"] > 0].groupby("lam", sort=True)
    lams = np.sort(frame.loc[frame["lam"] > 0, "lam"].unique())
    values = reversing[metric]
    if len(lams):
        axes.fill_between(
            lams,
            values.quantile(BAND[0] / 100),
            values.quantile(BAND[1] / 100),
            color=CURVE,
            alpha=0.25,
            linewidth=0,
            label="10th to 90th percentile over seeds",
        )
        axes.plot(lams, values.median(), color=CURVE, marker="o", markersize=3, label="median")
        axes.set_xscale("log")
    constant = {
        "accuracy": float(frame["majority_accuracy"].iloc[0]),
        "discrimination": 0.0,
        "consistency": 1.0,
    }[metric]
    axes.axhline(constant, color=MAJORITY, linewidth=1.2, label="majority class")
    plain = frame.loc[frame["lam"] == 0, metric]
    if len(plain):
        axes.axhline(plain.median(), color=PLAIN, linestyle="-.", label="plain network (λ = 0)")
    if metric == "discrimination" and len(lams):
        floor = reversing["discrimination_floor"].mean()
        axes.fill_between(
            lams, 0, floor, color=CHANCE, alpha=0.35, linewidth=0, label="chance level"
        )
    axes.axvline(
        PAPER_LAMBDA, color="black", linestyle="--", linewidth=0.8, label="λ = 100, the paper's"
    )
    axes.set_xlabel("λ")
    axes.set_ylabel(label)


def render(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file of the given kind, 'png' or 'svg'."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {}
    with _style():
        figure.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    return buffer.getvalue()
