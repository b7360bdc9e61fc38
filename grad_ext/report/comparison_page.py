"""The picture and the page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from grad_ext.report.comparison import (
    COMPARED,
    MAJORITY,
    at_chosen,
    differences,
    figures_of,
    majority,
    models_of,
    share,
    summary,
)
from grad_ext.report.comparison_words import doubts, duels, found, over_hyperparameters, studied
from grad_ext.report.figures import CHANCE, _style
from grad_ext.report.html import answer, document, figure, heading, items, paragraphs, table
from grad_ext.report.tables import PARITY, and_joined, cell
from grad_ext.report.words import listed

PANELS = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy"}
# Okabe and Ito's colours but yellow; 6 and 11 have no common divisor, so that each pair of colour
# and shape occurs once in 66. Black is GRAD's.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
DASHES = ("-", "--", "-.", ":")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
# Models further than this many interquartile ranges from the quartiles are not drawn.
FENCE = 3.0
LEAST_RANGE = 0.02
COLUMNS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced acc.",
    "discrimination": "Discrimination",
    "delta": "Delta",
    "balanced_delta": "balanced Delta",
    "consistency": "Consistency",
    "positive_rate": "positive rate",
}
SHOWN_FIRST = ("accuracy", "balanced_accuracy", "discrimination", "delta", "consistency")
SHOWN_LAST = ("balanced_delta", "positive_rate")
WITH_INTERVALS = tuple(COLUMNS)[:-1]
KEY = (
    "Large: at the value of the hyperparameter that was chosen on validation rows. Small: means at the other "
    "values. Faint: single models. †: needs the protected attributes at prediction."
)
COSTS = {"seconds": "fit, s", "predict_seconds": "predict, s", "peak_bytes": "peak memory, MB"}
MEGABYTE = 1e6


def plane(frame: pd.DataFrame) -> Figure:
    """Draw accuracy, and balanced accuracy, against Discrimination.

    Every method has a colour and a shape: faint for single models, small for the means over them,
    joined along the hyperparameter, and large at the chosen values. The majority class is a star; the shaded
    band is the Discrimination that chance alone would show, in the mean over models. Models far
    from the others are left out, and counted below.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.comparison.summary`.
    """
    models, lines, chosen = models_of(frame), summary(frame), at_chosen(frame)
    limits, top = _limits(models), majority(lines)
    looks = _looks(chosen)
    with _style():
        drawn = Figure(figsize=(13, max(5.0, 1.4 + 0.2 * len(looks))), layout="constrained")
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(1, len(PANELS))
        for axes, (metric, label) in zip(panels, PANELS.items(), strict=True):
            floor = models.loc[~models["constant"], "chance_level"].mean()
            if np.isfinite(floor):
                axes.axvspan(0, floor, color=CHANCE, alpha=0.25, linewidth=0, label="chance level")
            axes.plot(
                top["discrimination"],
                top[metric],
                marker="*",
                markersize=15,
                color="#F0E442",
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
        drawn.suptitle(_title(models))
        drawn.supxlabel("\n".join(filter(None, (KEY, _beyond(models, limits)))), fontsize=8)
    return drawn


def _title(models: pd.DataFrame) -> str:
    first = models.iloc[0]
    return f"Methods on {first['dataset']}, protecting {and_joined(first['protected'])}"


def _looks(chosen: pd.DataFrame) -> dict[str, tuple[str, str, str]]:
    """Return the colour, shape and line of each method that can be drawn, by its name."""
    looks: dict[str, tuple[str, str, str]] = {}
    shown = chosen[np.isfinite(chosen["discrimination"]) & (chosen["method"] != MAJORITY)]
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
    """Say which models the axes leave out, and how far they lie; empty if none."""
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


def page(
    frame: pd.DataFrame,
    svg: str,
    versions: Mapping[str, str],
    notes: Sequence[str],
    first: Sequence[str] = (),
    last: Sequence[str] = (),
) -> str:
    """Return the page of a comparison.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.comparison.summary`.
    svg : str
        The picture, that of `plane`.
    versions : mapping of str to str
        The versions that made the models.
    notes : sequence of str
        What a reader should know besides.
    first, last : sequence of str, optional
        Parts of the page, as HTML, after what was found and before the settings.
    """
    models, lines, chosen = models_of(frame), summary(frame), at_chosen(frame)
    names = [f for f in figures_of(models) if f.startswith("discrimination_")]
    attributes = [n for n in names if n != "chance_level"]
    attributes = attributes if len(attributes) > 1 else []
    order = {name: i for i, name in enumerate(chosen["name"])}
    by_method = lines.sort_values("name", key=lambda n: n.map(order), kind="stable")
    parts = [
        answer(studied(frame), found(frame), doubts(frame)),
        *first,
        heading("The methods in one picture"),
        figure(svg, f"Accuracy and balanced accuracy against Discrimination. {_title(models)}"),
        paragraphs([PICTURE]),
        heading("At the chosen values of the hyperparameters"),
        paragraphs([CHOSEN]),
        _line_table(chosen, attributes),
        heading("95 % intervals of these means"),
        paragraphs([INTERVALS]),
        _interval_table(chosen),
        heading("At all values of the hyperparameters"),
        paragraphs([ALL, over_hyperparameters(frame)]),
        _line_table(by_method, attributes, marked=True),
    ]
    for name in chosen.loc[chosen["method"].str.startswith("GRAD"), "name"]:
        apart = differences(frame, name)
        if len(apart):
            parts += [
                heading(f"{name} against each other method"),
                items(duels(frame, name)),
                paragraphs([DIFFERENCES]),
                _difference_table(chosen, apart),
            ]
    toolkit = [f for f in figures_of(models) if f.startswith(tuple(PARITY))]
    if toolkit:
        parts += [
            heading("The toolkits' metrics at the chosen values"),
            paragraphs([TOOLKITS]),
            _toolkit_table(chosen, toolkit),
        ]
    parts += [heading("Costs at the chosen values"), paragraphs([TIMES]), _cost_table(chosen)]
    if (models["error"] != "").any():
        parts += [heading("Errors"), items(_errors(models))]
    parts += [*last, heading("Settings"), items(_settings(models, versions))]
    if notes:
        parts += [heading("Notes"), items(notes)]
    return document(_title(models), parts)


PICTURE = (
    "Up and to the left is better. The star is the majority class: accuracy may flatter it, balanced "
    "accuracy does not. Shaded: the Discrimination that predictions show by chance alone if they "
    "ignore the protected attribute. Every model is a row of results.csv, every value of a hyperparameter one "
    "of comparison.csv."
)
CHOSEN = (
    "Mean ± standard deviation over models (seeds, and divisions of the rows where there are "
    "several), on test rows; sorted by balanced Delta, balanced accuracy less Discrimination, which "
    "no constant prediction wins. Constant: share of models that give every test row the same "
    "label. †: needs the protected attributes at prediction. Dominated by: a method of this table "
    "that is at least as accurate and at least as low in Discrimination, and better in one of them; "
    "clearly: the intervals of one in which it is better do not overlap, and if that is "
    "Discrimination, the dominated one's is above the chance level. The majority class, and methods "
    "with constant models, count as dominating none."
)
INTERVALS = (
    "By Student's t, over divisions of the rows where there are several, else over models, and no "
    "further than the figure can go. They "
    "cover the choice of seeds and divisions, not that of the test rows, which all models of a "
    "division share. A single model has none."
)
DIFFERENCES = (
    "What it has more than the other, both at the chosen values, with the 95 % interval: of the "
    "differences within divisions of the rows where both have several in common, else Welch's over "
    "models. A method that needs no seed counts as fixed there. Higher is better, but for "
    "Discrimination. No interval is corrected for there being many."
)
ALL = (
    "Dominated by: any line of this table, also of the same method. These are test rows and many "
    "lines, so the best of them are best partly by luck."
)
TOOLKITS = (
    "With AIF360's names and signs, unprivileged less (disparate impact: over) privileged; means "
    "over the models for which they are defined. 0, and 1 for disparate impact, is parity, which a "
    "constant prediction has as well."
)
TIMES = (
    "Mean ± standard deviation over models. Wall times of this machine with whatever else it did; "
    "of models that were trained together, each one's share."
)


def _line_table(lines: pd.DataFrame, attributes: Sequence[str], marked: bool = False) -> str:
    """Return a table of lines; what matters most is to the left, where narrow screens show it."""
    names = {n: f"Discr. {n.removeprefix('discrimination_')}" for n in attributes}
    shown = {**_part(SHOWN_FIRST), **names, **_part(SHOWN_LAST)}
    guards, place = ["constant", "dominated by", "chance level", "models"], len(SHOWN_FIRST)
    top = majority(lines)
    cells = [cell(top.get(n, top["discrimination"]), np.nan) for n in shown]
    guarded = ["100%", "", cell(top["discrimination"], np.nan), ""]
    body = [["majority class", "", *cells[:place], *guarded, *cells[place:]]]
    for _, line in lines[lines["method"] != MAJORITY].iterrows():
        cells = [cell(line[n], line[f"{n}_sd"]) for n in shown]
        guarded = [
            share(line["constant"]),
            line["dominated_by"] + (" (clearly)" if line["clearly"] else ""),
            cell(line["chance_level"], np.nan),
            _ran(line),
        ]
        marks = [
            mark for mark in ("chosen", "default") if marked and line["setting"] and line[mark]
        ]
        setting = line["setting"] + (f" ({', '.join(marks)})" if marks else "")
        body.append([_name(line), setting, *cells[:place], *guarded, *cells[place:]])
    words = list(shown.values())
    columns = ["method", "hyperparameter", *words[:place], *guards, *words[place:]]
    return table(columns, body, words=(0, 1, columns.index("dominated by")))


def _part(names: Sequence[str]) -> dict[str, str]:
    return {n: COLUMNS[n] for n in names}


def _name(line: pd.Series) -> str:
    return str(line["name"]) + (" †" if line["needs_attributes"] else "")


def _ran(line: pd.Series) -> str:
    lost = [f"{line[what]} {what}" for what in ("diverged", "failed") if line[what]]
    return ", ".join([str(line["models"]), *lost])


def _interval_table(chosen: pd.DataFrame) -> str:
    top = majority(chosen)
    body = [["majority class", "", *(cell(top[n], np.nan) for n in WITH_INTERVALS)]]
    for _, line in chosen[chosen["method"] != MAJORITY].iterrows():
        ends = [(line[f"{n}_low"], line[f"{n}_high"]) for n in WITH_INTERVALS]
        cells = ["–" if np.isnan(low) else f"{low:.3f} to {high:.3f}" for low, high in ends]
        body.append([_name(line), line["setting"], *cells])
    return table(
        ["method", "hyperparameter", *(COLUMNS[n] for n in WITH_INTERVALS)], body, words=(0, 1)
    )


def _difference_table(chosen: pd.DataFrame, apart: pd.DataFrame) -> str:
    body = []
    for _, line in chosen[chosen["name"].isin(apart.index)].iterrows():
        row = apart.loc[line["name"]]
        cells = []
        for n in COMPARED:
            low, high = row[f"{n}_low"], row[f"{n}_high"]
            ends = "" if np.isnan(low) else f" ({low:+.3f} to {high:+.3f})"
            cells.append(f"{row[n]:+.3f}{ends}")
        body.append([_name(line), line["setting"], *cells])
    columns = ["other method", "its hyperparameter", *(COLUMNS[n] for n in COMPARED)]
    return table(columns, body, words=(0, 1), bold=False)


def _toolkit_table(chosen: pd.DataFrame, figures: Sequence[str]) -> str:
    constant = [next(v for name, v in PARITY.items() if f.startswith(name)) for f in figures]
    if majority(chosen)["positive_rate"] != 1.0:
        constant = [value if value == 0.0 else np.nan for value in constant]
    body = [["majority class", "", *(cell(value, np.nan) for value in constant)]]
    for _, line in chosen[chosen["method"] != MAJORITY].iterrows():
        cells = [cell(line[f], line[f"{f}_sd"]) for f in figures]
        body.append([_name(line), line["setting"], *cells])
    return table(
        ["method", "hyperparameter", *(f.replace("_", " ") for f in figures)], body, words=(0, 1)
    )


def _cost_table(chosen: pd.DataFrame) -> str:
    body = []
    for _, line in chosen.iterrows():
        peak, spread = (line[c] / MEGABYTE for c in ("peak_bytes", "peak_bytes_sd"))
        body.append(
            [
                _name(line),
                line["setting"],
                *(cell(line[c], line[f"{c}_sd"]) for c in ("seconds", "predict_seconds")),
                "–"
                if np.isnan(peak)
                else f"{peak:.0f}" + ("" if np.isnan(spread) else f" ±{spread:.0f}"),
            ]
        )
    return table(["method", "hyperparameter", *COSTS.values()], body, words=(0, 1), bold=False)


def _errors(models: pd.DataFrame) -> list[str]:
    failed = models[models["error"] != ""]
    return [
        f"{name}: {len(group)} of {(models['name'] == name).sum()} models: {error}"
        for (name, error), group in failed.groupby(["name", "error"], sort=False)
    ]


def _settings(models: pd.DataFrame, versions: Mapping[str, str]) -> list[str]:
    words = {
        "dataset": "Data set",
        "protected": "Protected",
        "seed": "Seeds",
        "split_seed": "Divisions of the rows",
        "variant": "Variants",
        "recipe": "Recipes",
    }
    said = [
        f"{word}: {', '.join(str(v) for v in models[column].unique() if v != '')}"
        for column, word in words.items()
    ]
    made = ", ".join(f"{name} {number}" for name, number in versions.items())
    return [*said, f"Made with {made}"]
