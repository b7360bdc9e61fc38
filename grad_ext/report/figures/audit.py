"""The figure of an audit."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grad_ext.report.figures.style import (
    CHANCE_COLOR,
    CURVE_COLOR,
    MAJORITY_COLOR,
    new_figure,
    style,
)
from grad_ext.report.findings.audit import CHANCE_AUC
from grad_ext.report.text_tables.audit import MEASURES

# Of each probe.
COLORS, MARKERS = (CURVE_COLOR, MAJORITY_COLOR), ("o", "s")


def audit_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw AUC and balanced accuracy of every attribute, source and probe, with intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `grad_ext.auditing.audit.Audit`.
    title : str
        Heading of the figure.
    """
    parts = list(table.groupby("attribute", sort=False))
    sources = table["source"].nunique()
    with style():
        width = max(5.0 / len(parts), 1.0 + 0.45 * sources)
        drawn = new_figure(width * len(parts), 5.6)
        panels = drawn.subplots(
            len(MEASURES), len(parts), sharex="col", sharey="row", squeeze=False
        )
        for column, (name, part) in enumerate(parts):
            panels[0, column].set_title(fill(str(name), int(11 * width)), fontsize=9)
            for row, measure in enumerate(MEASURES):
                _panel(panels[row, column], part, measure)
        for row, name in enumerate(MEASURES.values()):
            panels[row, 0].set_ylabel(name)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        drawn.suptitle(title)
    return drawn


def _panel(axes: Axes, part: pd.DataFrame, measure: str) -> None:
    sources = list(dict.fromkeys(part["source"]))
    chance = CHANCE_AUC if measure == "auc" else part["majority_balanced_accuracy"].iloc[0]
    axes.axhline(chance, color=CHANCE_COLOR, linestyle="--", linewidth=1.0, label="majority class")
    for k, probe in enumerate(dict.fromkeys(part["probe"])):
        rows = part[part["probe"] == probe]
        at = np.array([sources.index(source) for source in rows["source"]]) + 0.24 * k - 0.12
        value = rows[measure].to_numpy()
        reach = [value - rows[f"{measure}_low"], rows[f"{measure}_high"] - value]
        axes.errorbar(
            at,
            value,
            yerr=np.array(reach),
            color=COLORS[k],
            marker=MARKERS[k],
            markersize=4,
            linestyle="none",
            capsize=2,
            label=probe,
        )
    axes.set_xticks(range(len(sources)), sources, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(sources) - 0.5)
