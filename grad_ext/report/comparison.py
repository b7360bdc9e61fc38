"""Many methods side by side: what each is worth at every value of its hyperparameter, and who beats whom.

A line is a method at one value of its hyperparameter (λ, β, ε, an adversary's weight); it sums up its models
over seeds and divisions of the rows. A constant prediction has Discrimination 0 whatever the data,
so no line with a constant model among its own, and not the majority class, counts as beating one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from grad_ext.errors import InputError
from grad_ext.files import write_atomically
from grad_ext.report.figures import WRITTEN, draw, render
from grad_ext.report.reproduction import LEVEL, interval
from grad_ext.report.tables import SHOWN, cell

MAJORITY = "majority"
# Columns of a comparison's frame that are no figures of a model.
ABOUT = (
    "dataset",
    "method",
    "title",
    "hyperparameter",
    "lam",
    "seed",
    "split_seed",
    "variant",
    "recipe",
)
FLAGS = ("constant", "diverged", "needs_attributes", "seeded", "chosen", "default")
OTHERS = ("protected", "watched", "epoch", "error")
# Figures that every comparison has, if only as nan.
NEEDED = (
    *SHOWN,
    "balanced_delta",
    "chance_level",
    "majority_accuracy",
    "majority_favorable",
    "seconds",
    "predict_seconds",
    "peak_bytes",
)
# Where figures lie, by how their names begin. Student's t knows no bounds, an interval has them.
BOUNDS = {
    "accuracy": (0.0, 1.0),
    "balanced_accuracy": (0.0, 1.0),
    "discrimination": (0.0, 1.0),
    "consistency": (0.0, 1.0),
    "positive_rate": (0.0, 1.0),
    "delta": (-1.0, 1.0),
    "balanced_delta": (-1.0, 1.0),
}
# What two methods are compared in.
COMPARED = ("accuracy", "balanced_accuracy", "discrimination", "delta", "balanced_delta")
# Means of the same models in another order differ by rounding.
DIGITS = 12


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what each method is worth at each value of its hyperparameter.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row a model: columns dataset, method, title, hyperparameter (its name, empty if there is none), lam
        (its value), seed, split_seed, variant, recipe, protected, error (empty if there is none,
        else all figures are nan), the flags constant, diverged, needs_attributes, seeded, chosen
        (its hyperparameter was chosen on validation rows) and default; every other column of numbers is a
        figure.

    Returns
    -------
    pandas.DataFrame
        A row a line, methods in the order of the frame, hyperparameters ascending:

        - name, setting: what the line is called, such as "VFAE" and "beta = 100"; then method,
          hyperparameter, lam, variant and recipe.
        - models: how many did not fail; diverged: how many of them gave scores that are no numbers,
          and have no figures either; failed: how many failed; error: the first error of either.
        - constant: the share of models that give every test row the same label.
        - ``<figure>``, ``<figure>_sd``, ``<figure>_low``, ``<figure>_high``: mean and standard
          deviation over the models for which it is defined, and the 95 % interval of the mean by
          Student's t, as far as the figure goes (`BOUNDS`): over divisions where there are several,
          for models of one division share its rows; else over models. It covers the choice of seeds
          and divisions, but not that of the test rows, which all models of a division share. nan for
          a single one.
        - dominated: there is a line, of this method or another, whose mean accuracy is at least as
          high and whose mean Discrimination is at least as low, one of them strictly; dominated_by
          names one, with its setting where methods have several lines: the clearest, then that of
          the highest Delta. Lines with a constant model, and the majority class, dominate none.
          These are test rows, and many lines: the best of them is best partly by luck.
        - clearly: such a line is told apart from chance: in a figure in which it is better, the two
          intervals do not overlap; and for Discrimination, the dominated line's is above the chance
          level. Never for single models.
        - needs_attributes, seeded, chosen, default: as in the frame.

    Raises
    ------
    InputError
        If there is no model, a column is missing, or there is more than one data set or choice of
        protected attributes.
    """
    models = models_of(frame)
    order = {name: i for i, name in enumerate(models["name"].unique())}
    models["place"] = models["name"].map(order)
    models = models.sort_values(["place", "lam"], kind="stable")
    return _with_dominance(_lines(models, ["name", "lam"]))


def at_chosen(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method, at the values of its hyperparameter that were chosen on validation rows.

    Where none was chosen, at its default, or at all. Methods are compared as they would be used, so
    only with each other's rows here: no hyperparameter is picked on the test rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `summary`.

    Returns
    -------
    pandas.DataFrame
        Columns as those of `summary`; lam is nan where different models have different ones.
        Sorted by balanced Delta, which no constant prediction wins; without figures last.
    """
    lines = _with_dominance(_lines(chosen_models(frame), ["name"]))
    return lines.sort_values("balanced_delta", ascending=False, kind="stable", ignore_index=True)


def chosen_models(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the models that `at_chosen` sums up, with their method's name."""
    models = models_of(frame)
    by_name = models.groupby("name", sort=False)
    any_chosen, any_default = (by_name[flag].transform("any") for flag in ("chosen", "default"))
    kept = models["chosen"].where(any_chosen, models["default"] | ~any_default)
    return models[kept]


def models_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with every column that is looked at, and each model's method's name.

    That is the title, with the variant or recipe where a title stands for several.

    Parameters, errors as `summary`.
    """
    if not len(frame):
        raise InputError("expected at least one model, got none")
    missing = [c for c in (*ABOUT, *FLAGS, "protected", "error") if c not in frame]
    if missing:
        raise InputError(f"expected a column {missing[0]!r}, got {', '.join(map(str, frame))}")
    for column in ("dataset", "protected"):
        if frame[column].nunique() > 1:
            values = ", ".join(map(repr, frame[column].unique()))
            raise InputError(f"{column}: expected the same for all models, got {values}")
    models = frame.copy()
    models["error"] = models["error"].fillna("").astype(str)
    for flag in FLAGS:
        models[flag] = models[flag].eq(True)
    for figure in NEEDED:
        if figure not in models:
            models[figure] = np.nan
    models["name"] = models["title"]
    for column, words in (("variant", "{}"), ("recipe", "{} recipe")):
        several = models.groupby("title")[column].transform("nunique") > 1
        added = ", " + models[column].astype(str).map(words.format)
        models["name"] = models["name"].where(~several, models["name"] + added)
    return models


def figures_of(models: pd.DataFrame) -> list[str]:
    """Return the columns that are figures of a model, in the order of the frame."""
    known = {*ABOUT, *FLAGS, *OTHERS, "place", "line"}
    return [str(c) for c in models.select_dtypes("number").columns if c not in known]


def _lines(models: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the sums over models that are alike in some columns, in the order they come."""
    models = models.assign(line=models.groupby(by, sort=False, dropna=False).ngroup())
    failed = (models["error"] != "") & ~models["diverged"]
    ran, ended = models[~failed], models[failed]
    groups = models.groupby("line")
    lines = groups[["name", "method", "hyperparameter", "variant", "recipe"]].first()
    lams = groups["lam"].agg(["min", "max"])
    settings = zip(lines["hyperparameter"], lams["min"], lams["max"], strict=True)
    lines.insert(1, "setting", [_setting(*setting) for setting in settings])
    lines.insert(4, "lam", lams["min"].where(lams["min"] == lams["max"]))
    lines["models"] = ran.groupby("line").size()
    lines["failed"] = ended.groupby("line").size()
    lines["error"] = models[models["error"] != ""].groupby("line")["error"].first()
    lines["diverged"] = ran.groupby("line")["diverged"].sum()
    lines = lines.fillna({"models": 0, "failed": 0, "error": "", "diverged": 0})
    lines = lines.astype({"models": int, "failed": int, "diverged": int})
    lines["constant"] = ran.groupby("line")["constant"].mean()
    sums = _sums(ran, figures_of(models)).reindex(lines.index)
    return lines.join(sums).join(groups[list(FLAGS[2:])].any())


def _sums(ran: pd.DataFrame, figures: list[str]) -> pd.DataFrame:
    """Return mean, deviation and interval of each figure for each line."""
    values = ran[figures].astype(float)
    values = values.where(np.isfinite(values))
    of_line = values.groupby(ran["line"])
    divided = values.groupby([ran["line"], ran["split_seed"]]).mean().groupby(level="line")
    several = divided.count() > 1
    middle, n, sd = (
        getattr(divided, sum_)().where(several, getattr(of_line, sum_)())
        for sum_ in ("mean", "count", "std")
    )
    # Of 1 or no model the deviation is nan.
    half = special.stdtrit(n.clip(lower=2) - 1, (1.0 + LEVEL) / 2.0) * sd / np.sqrt(n.clip(lower=1))
    parts = {
        "": of_line.mean(),
        "_sd": of_line.std(),
        "_low": middle - half,
        "_high": middle + half,
    }
    for figure in figures:
        bounds = next((BOUNDS[n] for n in BOUNDS if figure.startswith(n)), None)
        if bounds is not None:
            for end in ("_low", "_high"):
                parts[end][figure] = parts[end][figure].clip(*bounds)
    return pd.DataFrame(
        {f"{f}{end}": part[f] for f in figures for end, part in parts.items()}, index=half.index
    )


def _setting(hyperparameter: str, least: float, most: float) -> str:
    if not hyperparameter:
        return ""
    return (
        f"{hyperparameter} = {least:g}"
        if least == most
        else f"{hyperparameter} = {least:g} to {most:g}"
    )


def called(line: pd.Series) -> str:
    """Return a line's name and setting, such as "VFAE, beta = 100"."""
    return f"{line['name']}, {line['setting']}" if line["setting"] else str(line["name"])


def dominance(lines: pd.DataFrame, by: str = "accuracy") -> pd.DataFrame:
    """Return who dominates whom among lines.

    Parameters
    ----------
    lines : pandas.DataFrame
        Rows as those of `summary`.
    by : str
        The figure beside Discrimination.

    Returns
    -------
    pandas.DataFrame
        Columns winner and loser, row numbers of `lines`, and clearly, as `summary` has it.
    """
    good, gap = (lines[c].to_numpy(float).round(DIGITS) for c in (by, "discrimination"))
    ends = {
        f"{figure}_{end}": lines[f"{figure}_{end}"].to_numpy(float)
        for figure in (by, "discrimination")
        for end in ("low", "high")
    }
    able = ((lines["constant"] == 0) & (lines["method"] != MAJORITY)).to_numpy()
    better, fairer = np.greater.outer(good, good), np.less.outer(gap, gap)
    not_worse = np.greater_equal.outer(good, good) & np.less_equal.outer(gap, gap)
    wins = able[:, None] & not_worse & (better | fairer)
    clear = better & np.greater.outer(ends[f"{by}_low"], ends[f"{by}_high"])
    above_chance = gap > lines["chance_level"].to_numpy(float)
    clear |= (
        fairer
        & np.less.outer(ends["discrimination_high"], ends["discrimination_low"])
        & above_chance
    )
    winner, loser = np.nonzero(wins)
    return pd.DataFrame({"winner": winner, "loser": loser, "clearly": clear[winner, loser]})


def _with_dominance(lines: pd.DataFrame) -> pd.DataFrame:
    found = dominance(lines)
    found["delta"] = lines["delta"].to_numpy()[found["winner"]]
    best = found.sort_values(["clearly", "delta"], ascending=False, kind="stable")
    best = best.drop_duplicates("loser").set_index("loser")
    made = lines.copy()
    made["dominated"] = made.index.isin(best.index)
    made["clearly"] = best["clearly"].reindex(made.index).eq(True)
    names = (
        list(lines["name"])
        if lines["name"].is_unique
        else [called(line) for _, line in lines.iterrows()]
    )
    made["dominated_by"] = [
        names[best.loc[i, "winner"]] if i in best.index else "" for i in made.index
    ]
    return made


def differences(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return how far a method lies from each other, all at the chosen values of their hyperparameters.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `summary`.
    name : str
        The method, by its name there.

    Returns
    -------
    pandas.DataFrame
        A row for each other method with figures, indexed by its name; for each of `COMPARED` the
        mean difference (`name` less the other), ``<figure>_low`` and ``<figure>_high``, its 95 %
        interval by Student's t: of the differences within divisions of the rows where both have
        several in common; else Welch's, over models, where a method without a seed, of which there
        is only the one model, is taken as fixed. nan where nothing varies.
    """
    models = chosen_models(frame)
    models = models[np.isfinite(models["discrimination"]) & (models["method"] != MAJORITY)]
    mine = models[models["name"] == name]
    rows: dict[str, dict[str, float]] = {}
    for other, theirs in models[models["name"] != name].groupby("name", sort=False):
        row = rows[str(other)] = {}
        for figure in COMPARED:
            most = BOUNDS[figure][1] - BOUNDS[figure][0]
            ends = np.clip(_difference(mine, theirs, figure), -most, most)
            row |= dict(zip((figure, f"{figure}_low", f"{figure}_high"), ends, strict=True))
    return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="name"))


def _difference(
    mine: pd.DataFrame, theirs: pd.DataFrame, figure: str
) -> tuple[float, float, float]:
    paired = (
        mine.groupby("split_seed")[figure].mean() - theirs.groupby("split_seed")[figure].mean()
    ).dropna()
    if len(paired) > 1:
        return interval(paired)
    mean = mine[figure].mean() - theirs[figure].mean()
    errors, freedom = [], []
    for group in (mine, theirs):
        n = len(group)
        if n == 1 and group["seeded"].iloc[0]:
            return mean, np.nan, np.nan
        errors.append(group[figure].var() / n if group[figure].nunique() > 1 else 0.0)
        freedom.append(max(n - 1, 1))
    total = sum(errors)
    if total == 0:
        return mean, np.nan, np.nan
    parts = sum(error**2 / f for error, f in zip(errors, freedom, strict=True))
    half = special.stdtrit(total**2 / parts, (1.0 + LEVEL) / 2.0) * total**0.5
    return mean, mean - half, mean + half


def summary_lines(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of a comparison as text, the majority class on top.

    A line a method, as `at_chosen` has them. The last column holds what to know: † needs the
    protected attributes at prediction; dominated, or clearly dominated, by another line of this
    table; how many models diverged or failed, and the error.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `summary`.
    """
    chosen = at_chosen(frame)
    shown = [figure for figure in SHOWN if figure != "positive_rate"]
    figures = [SHOWN[figure] for figure in shown]
    heading = ["method", "hyperparameter", "models", *figures, "constant", "seconds", "marks"]
    top = majority(chosen)
    body = [["majority class", "", "", *(cell(top[f], np.nan) for f in shown), "100%", "", ""]]
    for _, line in chosen[chosen["method"] != MAJORITY].iterrows():
        body.append(
            [
                line["name"],
                line["setting"],
                str(line["models"]),
                *(cell(line[f], line[f"{f}_sd"]) for f in shown),
                share(line["constant"]),
                "–" if np.isnan(line["seconds"]) else f"{line['seconds']:.1f}",
                ", ".join(_marks(line)),
            ]
        )
    return heading, body


def share(value: float) -> str:
    """Return a share in percent."""
    return "–" if np.isnan(value) else f"{value:.0%}"


def majority(lines: pd.DataFrame) -> dict[str, float]:
    """Return the figures of the majority class by name; nan where no model knows it."""
    right, favors = (lines[f"majority_{c}"].mean() for c in ("accuracy", "favorable"))
    values = {
        "accuracy": right,
        "balanced_accuracy": 0.5,
        "discrimination": 0.0,
        "delta": right,
        "consistency": 1.0,
        "positive_rate": favors,
        "balanced_delta": 0.5,
    }
    return values if np.isfinite(right) else dict.fromkeys(values, float("nan"))


def _marks(line: pd.Series) -> list[str]:
    marks = ["†"] if line["needs_attributes"] else []
    if line["dominated"]:
        marks.append("clearly dominated" if line["clearly"] else "dominated")
    marks += [f"{line[what]} {what}" for what in ("diverged", "failed") if line[what]]
    if line["error"]:
        marks.append(line["error"])
    return marks


def write_comparison(
    folder: Path,
    frame: pd.DataFrame,
    versions: Mapping[str, str],
    notes: Sequence[str] = (),
    interactive: str = "",
    formats: Sequence[str] = WRITTEN,
) -> Path:
    """Write results.csv, comparison.csv, the plane and report.html into a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write.
    frame : pandas.DataFrame
        As for `summary`.
    versions : mapping of str to str
        The versions that made the models, shown at the end of the page.
    notes : sequence of str
        What a reader should know besides, a sentence or two an entry.
    interactive : str, optional
        The page's interactive part, as `grad_ext.report.explorer.explorer` returns it.
    formats : sequence of str, optional
        Formats of the figure: 'png', 'svg', 'pdf'.

    Returns
    -------
    pathlib.Path
        The page.
    """
    # The page looks at this module's sums.
    from grad_ext.report.comparison_page import page, plane
    from grad_ext.report.page import audits

    write_atomically(folder / "comparison.csv", summary(frame).to_csv(index=False))
    write_atomically(folder / "results.csv", frame.to_csv(index=False))
    drawn = plane(frame)
    draw(drawn, folder / "plane", formats)
    svg = render(drawn, "inline").decode()
    made = folder / "report.html"
    parts = [interactive] if interactive else []
    write_atomically(made, page(frame, svg, versions, notes, parts, audits(folder)))
    return made
