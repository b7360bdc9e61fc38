"""An audit's table in words, as lines of text, and as one picture."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from grad_ext.auditing.probes import PROBES
from grad_ext.auditing.sources import FEATURES
from grad_ext.report.figures import CHANCE, CURVE, MAJORITY, _style

MEASURES = {"auc": "AUC", "balanced_accuracy": "balanced acc."}
COLORS, MARKERS = (CURVE, MAJORITY), ("o", "s")


def words(table: pd.DataFrame) -> list[str]:
    """Return a sentence for every attribute: what can be read off what.

    The probe with the higher AUC counts. A source gives an attribute away if the whole interval
    of that AUC lies above 0.5.
    """
    return [_sentence(name, part) for name, part in table.groupby("attribute", sort=False)]


def _sentence(name: object, part: pd.DataFrame) -> str:
    best = part.loc[part.groupby("source", sort=False)["auc"].idxmax()]
    told = {str(s): bool(low > 0.5) for s, low in zip(best["source"], best["auc_low"], strict=True)}
    figures = joined(
        [
            f"{row.auc:.2f} ({row.auc_low:.2f} to {row.auc_high:.2f}) from the {row.source}"
            for row in best.itertuples()
        ]
    )
    first = part.iloc[0]
    return (
        f"{name} ({first['groups']} groups, the largest {first['majority']:.0%} of "
        f"{first['rows']} rows): AUC {figures}; {_verdict(told)}."
    )


def _verdict(told: dict[str, bool]) -> str:
    features = told.pop(FEATURES, None)
    yes = [f"the {source}" for source, gives in told.items() if gives]
    no = [f"the {source}" for source, gives in told.items() if not gives]
    said = []
    if features is False:
        said.append("even off the features these probes read it no better than chance")
    elif features and not yes:
        said.append("it can be read off the features")
    if yes:
        said.append(f"it can {'still ' if features else ''}be read off {joined(yes)}")
    if no and features is not False:
        said.append(f"off {joined(no)} these probes read it no better than chance")
    return ", but ".join(said)


def joined(parts: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def lines(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of the table as text, a line an attribute and source."""
    heading = ["attribute", "source"]
    heading += [f"{label}, {probe}" for probe in PROBES for label in MEASURES.values()]
    body = []
    for name, part in table.groupby("attribute", sort=False):
        chance = {"auc": 0.5, "balanced_accuracy": part["majority_balanced_accuracy"].iloc[0]}
        majority = f"majority class ({part['majority'].iloc[0]:.0%})"
        body.append([str(name), majority, *[f"{chance[m]:.3f}" for _ in PROBES for m in MEASURES]])
        for source, rows in part.groupby("source", sort=False):
            of = {row["probe"]: row for row in rows.to_dict("records")}
            cells = [_cell(of[probe], measure) for probe in PROBES for measure in MEASURES]
            body.append(["", str(source), *cells])
    return heading, body


def _cell(row: Mapping[Hashable, Any], measure: str) -> str:
    return f"{row[measure]:.3f} ({row[f'{measure}_low']:.3f} to {row[f'{measure}_high']:.3f})"


def figure(table: pd.DataFrame, title: str) -> Figure:
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
    with _style():
        width = max(5.0 / len(parts), 1.0 + 0.45 * sources)
        drawn = Figure(figsize=(width * len(parts), 5.6), layout="constrained")
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(
            len(MEASURES), len(parts), sharex="col", sharey="row", squeeze=False
        )
        for column, (name, part) in enumerate(parts):
            panels[0, column].set_title(fill(str(name), int(11 * width)), fontsize=9)
            for row, measure in enumerate(MEASURES):
                _panel(panels[row, column], part, measure)
        for row, label in enumerate(MEASURES.values()):
            panels[row, 0].set_ylabel(label)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        drawn.suptitle(title)
    return drawn


def _panel(axes: Axes, part: pd.DataFrame, measure: str) -> None:
    sources = list(dict.fromkeys(part["source"]))
    chance = 0.5 if measure == "auc" else part["majority_balanced_accuracy"].iloc[0]
    axes.axhline(chance, color=CHANCE, linestyle="--", linewidth=1.0, label="majority class")
    for k, probe in enumerate(PROBES):
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
