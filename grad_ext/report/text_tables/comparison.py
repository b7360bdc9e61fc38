"""Text tables of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from grad_ext.report.sentences.english import marked, signed
from grad_ext.report.statistics.comparison import (
    COMPARED,
    MAJORITY_METHOD,
    at_chosen,
    majority,
)
from grad_ext.report.statistics.intervals import Interval
from grad_ext.report.tables import HEADINGS, MAJORITY_LABEL, PARITY, TABLE_METRICS
from grad_ext.report.text_tables.cells import TextTable, number, share

FIRST = ("accuracy", "balanced_accuracy", "discrimination", "delta", "consistency")
LAST = ("balanced_delta", "positive_rate")
WITH_INTERVALS = tuple(HEADINGS)[:-1]
DOMINATED_BY = "dominated by"
COSTS = {"seconds": "fit, s", "predict_seconds": "predict, s", "peak_bytes": "peak memory, MB"}
MEGABYTE = 1e6


def summary_lines(frame: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of a comparison, the majority class first.

    A line per method, as `at_chosen` has them. The last column: † needs the protected attributes
    for prediction; dominated, or clearly dominated, by another line of this table; the chosen value is
    an end of its grid; how many models diverged or failed, and the error.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.statistics.comparison.summary`.
    """
    chosen = at_chosen(frame)
    shown = [name for name in TABLE_METRICS if name != "positive_rate"]
    names = [HEADINGS[name] for name in shown]
    heading = ["method", "hyperparameter", "models", *names, "constant", "seconds", "marks"]
    top = majority(chosen)
    body = [[MAJORITY_LABEL, "", "", *(number(top[n]) for n in shown), "100%", "", ""]]
    for line in _methods(chosen):
        body.append(
            [
                line["name"],
                line["setting"],
                str(line["models"]),
                *(number(line[n], line[f"{n}_sd"]) for n in shown),
                share(line["constant"]),
                "–" if np.isnan(line["seconds"]) else f"{line['seconds']:.1f}",
                ", ".join(_marks(line)),
            ]
        )
    return heading, body


def _methods(lines: pd.DataFrame) -> Iterator[pd.Series]:
    """Yield the lines without the majority class."""
    return (line for _, line in lines[lines["method"] != MAJORITY_METHOD].iterrows())


def _marks(line: pd.Series) -> list[str]:
    marks = ["†"] if line["needs_attributes"] else []
    if line["dominated"]:
        marks.append("clearly dominated" if line["clearly"] else "dominated")
    if line["grid_end"]:
        marks.append("end of grid")
    return [*marks, *_lost(line), *([line["error"]] if line["error"] else [])]


def _lost(line: pd.Series) -> list[str]:
    return [f"{line[what]} {what}" for what in ("diverged", "failed") if line[what]]


def method_lines(
    lines: pd.DataFrame, attributes: Sequence[str], *, hyperparameters: bool = False
) -> TextTable:
    """Return the heading and the lines of the main table, the majority class first.

    Parameters
    ----------
    lines : pandas.DataFrame
        As `grad_ext.report.statistics.comparison.summary` returns them.
    attributes : sequence of str
        The columns of single attributes' Discrimination to show.
    hyperparameters : bool, default False
        Whether to mark the chosen and the default values of the hyperparameters.
    """
    first = {n: HEADINGS[n] for n in FIRST}
    names = {n: f"Discr. {n.removeprefix('discrimination_')}" for n in attributes}
    last = names | {n: HEADINGS[n] for n in LAST}
    shown, guards = [*first, *last], ["constant", DOMINATED_BY, "chance level", "models"]
    top = majority(lines)

    def cells(metrics: Sequence[str], guarded: Sequence[str]) -> list[str]:
        return [*metrics[: len(first)], *guarded, *metrics[len(first) :]]

    zero = top["discrimination"]
    values = [number(top.get(n, zero)) for n in shown]
    body = [[MAJORITY_LABEL, "", *cells(values, ["100%", "", number(zero), ""])]]
    for line in _methods(lines):
        guarded = [
            share(line["constant"]),
            line["dominated_by"] + (" (clearly)" if line["clearly"] else ""),
            number(line["chance_level"]),
            ", ".join([str(line["models"]), *_lost(line)]),
        ]
        marks = [
            m for m in ("chosen", "default") if hyperparameters and line["setting"] and line[m]
        ]
        setting = line["setting"] + (f" ({', '.join(marks)})" if marks else "")
        values = [number(line[n], line[f"{n}_sd"]) for n in shown]
        body.append([_name(line), setting, *cells(values, guarded)])
    heading = cells([*first.values(), *last.values()], guards)
    return ["method", "hyperparameter", *heading], body


def _name(line: pd.Series) -> str:
    return marked(str(line["name"]), bool(line["needs_attributes"]))


def grid_lines(chosen: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of the hyperparameters' grids, GRAD's first.

    Parameters
    ----------
    chosen : pandas.DataFrame
        As `grad_ext.report.statistics.comparison.at_chosen` returns it.
    """
    lines = chosen[chosen["method"] != MAJORITY_METHOD]
    ours = ~lines["method"].str.startswith("GRAD")
    body = []
    for _, line in lines.loc[ours.sort_values(kind="stable").index].iterrows():
        grid = ", ".join(f"{value:g}" for value in line["grid"])
        picked = line["setting"].partition(" = ")[2] if line["chosen"] else ""
        cells = [str(max(len(line["grid"]), 1)), line["hyperparameter"], grid, picked]
        body.append([_name(line), *cells, line["grid_end"]])
    return ["method", "settings", "hyperparameter", "values", "chosen", "end of its grid"], body


def interval_lines(chosen: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of the intervals of the methods at the chosen values."""
    top = majority(chosen)
    body = [[MAJORITY_LABEL, "", *(number(top[n]) for n in WITH_INTERVALS)]]
    for line in _methods(chosen):
        ends = [(line[f"{n}_low"], line[f"{n}_high"]) for n in WITH_INTERVALS]
        cells = ["–" if np.isnan(low) else f"{low:.3f} to {high:.3f}" for low, high in ends]
        body.append([_name(line), line["setting"], *cells])
    return ["method", "hyperparameter", *(HEADINGS[n] for n in WITH_INTERVALS)], body


def difference_lines(chosen: pd.DataFrame, differences: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of a method's differences to the others.

    Parameters
    ----------
    chosen : pandas.DataFrame
        As `grad_ext.report.statistics.comparison.at_chosen` returns it.
    differences : pandas.DataFrame
        As `grad_ext.report.statistics.comparison.differences` returns it.
    """
    body = []
    for _, line in chosen[chosen["name"].isin(differences.index)].iterrows():
        row = differences.loc[line["name"]]
        moved = (Interval(row[n], row[f"{n}_low"], row[f"{n}_high"]) for n in COMPARED)
        body.append([_name(line), line["setting"], *map(signed, moved)])
    return ["other method", "its hyperparameter", *(HEADINGS[n] for n in COMPARED)], body


def toolkit_lines(chosen: pd.DataFrame, metrics: Sequence[str]) -> TextTable:
    """Return the heading and the lines of the other toolkits' metrics at the chosen values."""
    constant = [next(v for name, v in PARITY.items() if m.startswith(name)) for m in metrics]
    if majority(chosen)["positive_rate"] != 1.0:
        constant = [value if value == 0.0 else np.nan for value in constant]
    body = [[MAJORITY_LABEL, "", *map(number, constant)]]
    for line in _methods(chosen):
        cells = [number(line[m], line[f"{m}_sd"]) for m in metrics]
        body.append([_name(line), line["setting"], *cells])
    return ["method", "hyperparameter", *(m.replace("_", " ") for m in metrics)], body


def cost_lines(chosen: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of seconds and memory at the chosen values."""
    body = []
    for _, line in chosen.iterrows():
        peak, spread = (line[c] / MEGABYTE for c in ("peak_bytes", "peak_bytes_sd"))
        memory = f"{peak:.0f}" + ("" if np.isnan(spread) else f" ±{spread:.0f}")
        seconds = [number(line[c], line[f"{c}_sd"]) for c in ("seconds", "predict_seconds")]
        body.append([_name(line), line["setting"], *seconds, "–" if np.isnan(peak) else memory])
    return ["method", "hyperparameter", *COSTS.values()], body
