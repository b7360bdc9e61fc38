"""Means and intervals of many methods at each value of their hyperparameters, and dominance.

A line is a method at one value of its hyperparameter (λ, β, ε, an adversary's weight): the mean over
its models, that is over seeds and train/test splits. A constant prediction has Discrimination 0
whatever the data, so lines with a constant model, and the majority class, dominate no other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from grad_ext.errors import InputError
from grad_ext.metrics.bootstrap import LEVEL
from grad_ext.report.statistics.intervals import Interval, interval
from grad_ext.report.tables import CASE, DIGITS, HEADINGS, TABLE_METRICS, majority_row

# The name of the method that predicts the majority class.
MAJORITY_METHOD = "majority"
# Columns of a comparison's frame that are no metrics.
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
OTHERS = ("protected", "also_evaluated", "epoch", "error")
# Metrics that every comparison has, if only as nan.
NEEDED = (
    *TABLE_METRICS,
    "balanced_delta",
    "chance_level",
    "majority_accuracy",
    "majority_favorable",
    "seconds",
    "predict_seconds",
    "peak_bytes",
)
# Bounds of metrics, by the beginning of their names, at which intervals by Student's t end.
BOUNDS = {
    "accuracy": (0.0, 1.0),
    "balanced_accuracy": (0.0, 1.0),
    "discrimination": (0.0, 1.0),
    "quintile_difference": (0.0, 1.0),
    "correlation": (-1.0, 1.0),
    "ks_distance": (0.0, 1.0),
    "wasserstein_distance": (0.0, 1.0),
    "equalized_odds": (0.0, 1.0),
    "equal_opportunity_ks_distance": (0.0, 1.0),
    "equal_opportunity_wasserstein_distance": (0.0, 1.0),
    "consistency": (0.0, 1.0),
    "positive_rate": (0.0, 1.0),
    "delta": (-1.0, 1.0),
    "balanced_delta": (-1.0, 1.0),
}
# The metrics of pairwise comparisons.
COMPARED = ("accuracy", "balanced_accuracy", "discrimination", "delta", "balanced_delta")


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Return means, intervals and dominance of each method at each value of its hyperparameter.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row per model: columns dataset, method, title, hyperparameter (its name, empty if there is
        none), lam (its value), seed, split_seed, variant, recipe, protected, error (empty if there
        is none, else all metrics are nan), the flags constant, diverged, needs_attributes, seeded,
        chosen (its hyperparameter was chosen on the validation set) and default; every other column
        of numbers is a metric.

    Returns
    -------
    pandas.DataFrame
        A row per line, methods in the order of the frame, hyperparameters ascending:

        - name, setting: the line's label in two parts, such as "VFAE" and "beta = 100"; then
          method, hyperparameter, lam, variant and recipe.
        - models: how many did not fail; diverged: how many of them have scores that are nan, and so
          no metrics; failed: how many failed; error: the first error of either.
        - constant: the share of models that are constant on the test rows, or as good as constant.
        - ``<metric>``, ``<metric>_sd``, ``<metric>_low``, ``<metric>_high``: mean and standard
          deviation over the models for which it is defined, and the 95 % interval of the mean by
          Student's t, clipped to the metric's range (`BOUNDS`): over train/test splits if there are
          several, since models of one split share its rows; else over models. It covers the choice
          of seeds and splits, but not of the test rows, which all models of a split share. nan for
          a single model.
        - dominated: a line, of this method or another, has a mean accuracy that is at least as high
          and a mean Discrimination that is at least as low, one of them strictly; dominated_by
          names one, with its setting where methods have several lines: the clearest, then that of
          the highest Delta. Lines with a constant model, and the majority class, dominate none.
          These are test rows and many lines, so the best line is partly the luckiest.
        - clearly: for a metric in which the dominating line is better, the two intervals do not
          overlap; and for Discrimination, the dominated line's is above the chance level. Never for
          single models.
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
    """Return a row per method, at the values of its hyperparameter chosen on the validation set.

    If none was chosen, at the default, or over all values. Methods are compared as they would be
    used: no hyperparameter is chosen on the test set.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `summary`.

    Returns
    -------
    pandas.DataFrame
        Columns as those of `summary`, and two of the method's grid; lam is nan where different
        models have different ones. Sorted by balanced Delta, which no constant prediction wins;
        methods without metrics last.

        - grid: the values of the hyperparameter that have models, ascending; empty without one.
        - grid_end: which end of them was chosen: see `grid_end`.
    """
    lines = _with_dominance(_lines(chosen_models(frame), ["name"]))
    models = models_of(frame)
    models = models[models["hyperparameter"] != ""]
    values = {
        name: tuple(sorted(map(float, group["lam"].unique())))
        for name, group in models.groupby("name")
    }
    lines["grid"] = [values.get(name, ()) for name in lines["name"]]
    lines["grid_end"] = [
        grid_end(lam, grid) if chosen else ""
        for lam, grid, chosen in zip(lines["lam"], lines["grid"], lines["chosen"], strict=True)
    ]
    return lines.sort_values("balanced_delta", ascending=False, kind="stable", ignore_index=True)


def grid_end(value: float, grid: Sequence[float]) -> str:
    """Return which end of its grid a chosen value is, beyond which a better one may lie.

    Parameters
    ----------
    value : float
        The chosen value.
    grid : sequence of float
        All values that were tried.

    Returns
    -------
    {'least', 'greatest', ''}
        Empty if it is neither, or the only value. 0 is no least value: nothing lies beyond it, since
        no hyperparameter is negative.

    Examples
    --------
    >>> from grad_ext.report.statistics.comparison import grid_end
    >>> grid_end(300.0, [0.0, 30.0, 100.0, 300.0])
    'greatest'
    >>> grid_end(0.0, [0.0, 30.0, 100.0, 300.0])
    ''
    """
    if len(set(grid)) < 2:
        return ""
    if value == max(grid):
        return "greatest"
    return "least" if value == min(grid) and value != 0.0 else ""


def majority(lines: pd.DataFrame) -> dict[str, float]:
    """Return the metrics of the majority class by name; nan where no model has them."""
    metrics = majority_row(lines)
    return {name: metrics[name] for name in HEADINGS}


def compared_lines(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of `at_chosen` that have metrics, without the majority class."""
    lines = at_chosen(frame)
    known = lines["discrimination"].map(np.isfinite) & (lines["method"] != MAJORITY_METHOD)
    return lines[known].reset_index(drop=True)


def chosen_models(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the models that `at_chosen` averages, with the name of their method."""
    models = models_of(frame)
    by_name = models.groupby("name", sort=False)
    any_chosen, any_default = (by_name[flag].transform("any") for flag in ("chosen", "default"))
    kept = models["chosen"].where(any_chosen, models["default"] | ~any_default)
    return models[kept]


def models_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with every column that is read, and the name of each model's method.

    The name is the title, with the variant or recipe where a title stands for several.

    Parameters, errors as `summary`.
    """
    if not len(frame):
        raise InputError("expected at least one model, got none")
    missing = [c for c in (*ABOUT, *FLAGS, "protected", "error") if c not in frame]
    if missing:
        raise InputError(f"expected a column {missing[0]!r}, got {', '.join(map(str, frame))}")
    for column in CASE:
        if frame[column].nunique() > 1:
            values = ", ".join(map(repr, frame[column].unique()))
            raise InputError(f"{column}: expected the same for all models, got {values}")
    models = frame.copy()
    models["error"] = models["error"].fillna("").astype(str)
    for flag in FLAGS:
        models[flag] = models[flag].eq(True)
    for metric in NEEDED:
        if metric not in models:
            models[metric] = np.nan
    models["name"] = models["title"]
    for column, words in (("variant", "{}"), ("recipe", "{} recipe")):
        several = models.groupby("title")[column].transform("nunique") > 1
        added = ", " + models[column].astype(str).map(words.format)
        models["name"] = models["name"].where(~several, models["name"] + added)
    return models


def metrics_of(models: pd.DataFrame) -> list[str]:
    """Return the columns that are metrics of a model, in the order of the frame."""
    known = {*ABOUT, *FLAGS, *OTHERS, "place", "line"}
    return [str(c) for c in models.select_dtypes("number").columns if c not in known]


def _lines(models: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return means over the models that share the values of some columns, in order of appearance."""
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
    sums = _sums(ran, metrics_of(models)).reindex(lines.index)
    return lines.join(sums).join(groups[list(FLAGS[2:])].any())


def _sums(ran: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Return mean, standard deviation and interval of each metric for each line."""
    values = ran[metrics].astype(float)
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
    for metric in metrics:
        bounds = next((BOUNDS[n] for n in BOUNDS if metric.startswith(n)), None)
        if bounds is not None:
            for end in ("_low", "_high"):
                parts[end][metric] = parts[end][metric].clip(*bounds)
    return pd.DataFrame(
        {f"{m}{end}": part[m] for m in metrics for end, part in parts.items()}, index=half.index
    )


def _setting(hyperparameter: str, least: float, most: float) -> str:
    if not hyperparameter:
        return ""
    return (
        f"{hyperparameter} = {least:g}"
        if least == most
        else f"{hyperparameter} = {least:g} to {most:g}"
    )


def line_label(line: pd.Series) -> str:
    """Return a line's name and setting, such as "VFAE, beta = 100"."""
    return f"{line['name']}, {line['setting']}" if line["setting"] else str(line["name"])


def dominance(lines: pd.DataFrame, by: str = "accuracy") -> pd.DataFrame:
    """Return the pairs of lines of which one dominates the other.

    Parameters
    ----------
    lines : pandas.DataFrame
        Rows as those of `summary`.
    by : str
        The metric beside Discrimination.

    Returns
    -------
    pandas.DataFrame
        Columns winner and loser, row numbers of `lines`, and clearly, as `summary` has it.
    """
    good, gap = (lines[c].to_numpy(float).round(DIGITS) for c in (by, "discrimination"))
    ends = {
        f"{metric}_{end}": lines[f"{metric}_{end}"].to_numpy(float)
        for metric in (by, "discrimination")
        for end in ("low", "high")
    }
    able = ((lines["constant"] == 0) & (lines["method"] != MAJORITY_METHOD)).to_numpy()
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
    pairs = dominance(lines)
    pairs["delta"] = lines["delta"].to_numpy()[pairs["winner"]]
    best = pairs.sort_values(["clearly", "delta"], ascending=False, kind="stable")
    best = best.drop_duplicates("loser").set_index("loser")
    with_dominance = lines.copy()
    with_dominance["dominated"] = lines.index.isin(best.index)
    with_dominance["clearly"] = best["clearly"].reindex(lines.index).eq(True)
    names = (
        list(lines["name"])
        if lines["name"].is_unique
        else [line_label(line) for _, line in lines.iterrows()]
    )
    with_dominance["dominated_by"] = [
        names[best.loc[i, "winner"]] if i in best.index else "" for i in lines.index
    ]
    return with_dominance


def differences(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the differences of a method to each other method, at their chosen hyperparameters.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `summary`.
    name : str
        The method, by its name there.

    Returns
    -------
    pandas.DataFrame
        A row for each other method with metrics, indexed by its name; for each of `COMPARED` the
        mean difference (`name` less the other), ``<metric>_low`` and ``<metric>_high``, its 95 %
        interval by Student's t: of the differences within train/test splits if both have several
        in common; else Welch's, over models, where a deterministic method, which has a single
        model, counts as fixed. nan where nothing varies.
    """
    models = chosen_models(frame)
    models = models[np.isfinite(models["discrimination"]) & (models["method"] != MAJORITY_METHOD)]
    mine = models[models["name"] == name]
    rows: dict[str, dict[str, float]] = {}
    for other, theirs in models[models["name"] != name].groupby("name", sort=False):
        row = rows[str(other)] = {}
        for metric in COMPARED:
            most = BOUNDS[metric][1] - BOUNDS[metric][0]
            ends = np.clip(_difference(mine, theirs, metric), -most, most)
            row |= dict(zip((metric, f"{metric}_low", f"{metric}_high"), ends, strict=True))
    return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="name"))


def _difference(mine: pd.DataFrame, theirs: pd.DataFrame, metric: str) -> Interval:
    paired = (
        mine.groupby("split_seed")[metric].mean() - theirs.groupby("split_seed")[metric].mean()
    ).dropna()
    if len(paired) > 1:
        return interval(paired)
    mean = mine[metric].mean() - theirs[metric].mean()
    errors, freedom = [], []
    for group in (mine, theirs):
        n = len(group)
        if n == 1 and group["seeded"].iloc[0]:
            return Interval(mean, np.nan, np.nan)
        errors.append(group[metric].var() / n if group[metric].nunique() > 1 else 0.0)
        freedom.append(max(n - 1, 1))
    total = sum(errors)
    if total == 0:
        return Interval(mean, np.nan, np.nan)
    parts = sum(error**2 / f for error, f in zip(errors, freedom, strict=True))
    half = special.stdtrit(total**2 / parts, (1.0 + LEVEL) / 2.0) * total**0.5
    return Interval(mean, mean - half, mean + half)
