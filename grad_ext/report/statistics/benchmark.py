"""Choices of many methods at bounds on the gap, and their ranks over data sets.

At each bound a method is taken at the value of its hyperparameter that the validation rows choose; test
rows choose nothing. The data sets are the units of ranks and tests: splits of one data set share rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from grad_ext.errors import InputError
from grad_ext.metrics.bootstrap import LEVEL
from grad_ext.report.statistics.comparison import grid_end

MEASURED = ("accuracy", "balanced_accuracy", "discrimination", "chance_level", "majority_accuracy")
# Decimals of what is ranked.
DECIMALS = 3


def choices(frame: pd.DataFrame, bounds: Sequence[float]) -> pd.DataFrame:
    """Choose each method's hyperparameter at each bound, on the validation rows of each split.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row per model: columns dataset, split_seed, method, title, lam, error, validation_accuracy,
        validation_discrimination and `MEASURED`.
    bounds : sequence of float
        The largest gaps allowed.

    Returns
    -------
    pandas.DataFrame
        A row per data set, split, method and bound:

        - lam: the most accurate value whose validation gap is within the bound, of equal ones that
          of the smaller gap; the value of the smallest gap if none is within. nan if all failed.
        - settings, grid_end: the number of values, and which end was chosen
          (`grad_ext.report.statistics.comparison.grid_end`).
        - within: whether the chosen value's validation gap is within the bound.
        - kept: whether the test gap is at most the bound plus the chance level.
        - `MEASURED`, of the test rows.
    """
    rows = []
    for (dataset, split, method), models in frame.groupby(
        ["dataset", "split_seed", "method"], sort=False
    ):
        grid = [float(value) for value in models["lam"].unique()]
        gaps = models[["validation_accuracy", "validation_discrimination", "discrimination"]]
        sound = models[gaps.notna().all(axis=1) & (models["error"] == "")]
        for bound in bounds:
            row = {"dataset": dataset, "split_seed": split, "method": method, "bound": bound}
            row |= {"title": models["title"].iloc[0], "settings": len(grid)}
            if len(sound):
                chosen, within = _chosen(sound, bound)
                end = grid_end(chosen["lam"], grid)
                kept = chosen["discrimination"] <= bound + chosen["chance_level"]
                row |= {"lam": chosen["lam"], "grid_end": end, "within": within, "kept": bool(kept)}
                row |= {name: chosen[name] for name in MEASURED}
            else:
                row |= {"lam": np.nan, "grid_end": "", "within": False, "kept": False}
                row |= dict.fromkeys(MEASURED, np.nan)
            rows.append(row)
    return pd.DataFrame(rows)


def _chosen(models: pd.DataFrame, bound: float) -> tuple[pd.Series, bool]:
    gap = models["validation_discrimination"]
    within = models[gap <= bound]
    if len(within):
        order = within.sort_values(
            ["validation_accuracy", "validation_discrimination"], ascending=[False, True]
        )
        return order.iloc[0], True
    order = models.sort_values(
        ["validation_discrimination", "validation_accuracy"], ascending=[True, False]
    )
    return order.iloc[0], False


def means(chosen: pd.DataFrame) -> pd.DataFrame:
    """Return a row per data set, method and bound: means over splits, and the method's rank.

    Parameters
    ----------
    chosen : pandas.DataFrame
        As `choices` returns it.

    Returns
    -------
    pandas.DataFrame
        - `MEASURED`, and ``<metric>_sd``, their standard deviations over splits.
        - splits; within, kept and grid_end: shares of the splits (grid_end: at an end of the grid).
        - rank: 1 is best. Methods whose mean gap is at most the bound plus the mean chance level come
          first, by accuracy; then the others, by their gap; then those that failed. What is equal to
          three decimals shares its mean rank.
    """
    keys = ["dataset", "bound", "method"]
    flagged = chosen.assign(grid_end=chosen["grid_end"] != "")
    groups = flagged.groupby(keys, sort=False)
    table = groups[[*MEASURED, "within", "kept", "grid_end"]].mean()
    table = table.join(groups[list(MEASURED)].std().add_suffix("_sd"))
    table["splits"] = groups.size()
    table = table.join(groups[["title", "settings"]].first()).reset_index()
    fair = table["discrimination"] <= table["bound"] + table["chance_level"]
    score = (
        table["accuracy"]
        .round(DECIMALS)
        .where(fair, -1.0 - table["discrimination"].round(DECIMALS))
    )
    score = score.fillna(-np.inf)
    table["rank"] = score.groupby([table["dataset"], table["bound"]]).rank(ascending=False)
    return table


@dataclass(frozen=True)
class Ranks:
    """Mean ranks at a bound, and whether they differ.

    Attributes
    ----------
    bound : float
        The bound.
    datasets : int
        The number of data sets.
    ranks : dict of str to float
        Each method's mean rank over the data sets, the best first.
    p_value : float
        Friedman's test that all methods rank alike; nan for fewer than three methods or two data sets.
    critical_difference : float
        Nemenyi's: mean ranks that differ by less are not told apart at 5 %. nan for one data set or
        method.
    """

    bound: float
    datasets: int
    ranks: dict[str, float]
    p_value: float
    critical_difference: float


def ranks(table: pd.DataFrame) -> list[Ranks]:
    """Return the mean ranks at each bound; `table` is what `means` returns.

    Demšar (2006), "Statistical Comparisons of Classifiers over Multiple Data Sets".

    Raises
    ------
    InputError
        If a method has no row for a data set.
    """
    found = []
    for bound in sorted(map(float, table["bound"].unique())):
        rows = table[table["bound"] == bound]
        by_method = rows.pivot(index="dataset", columns="method", values="rank")
        if by_method.isna().any(axis=None):
            raise InputError("expected every method on every data set")
        n, k = by_method.shape
        ordered = by_method.mean().sort_values(kind="stable")
        p_value = difference = float("nan")
        if n > 1 and k > 2:
            # Ranks that are all equal have no variance, and nothing differs.
            varied = by_method.nunique(axis=1).gt(1).any()
            p_value = float(stats.friedmanchisquare(*by_method.to_numpy().T)[1]) if varied else 1.0
        if n > 1 and k > 1:
            q = stats.studentized_range.ppf(LEVEL, k, np.inf) / np.sqrt(2.0)
            difference = float(q * np.sqrt(k * (k + 1) / (6.0 * n)))
        means_of = {str(name): float(rank) for name, rank in ordered.items()}
        found.append(Ranks(bound, n, means_of, p_value, difference))
    return found


def tallies(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Count the data sets on which a method ranks before, with and behind each other one.

    Parameters
    ----------
    table : pandas.DataFrame
        As `means` returns it.
    method : str
        The method.

    Returns
    -------
    pandas.DataFrame
        Columns bound, other, wins, ties and losses.
    """
    rows = []
    for bound, group in table.groupby("bound", sort=True):
        by_method = group.pivot(index="dataset", columns="method", values="rank")
        for other in by_method.columns.drop(method):
            less = by_method[method] - by_method[other]
            counted = {"wins": less < 0, "ties": less == 0, "losses": less > 0}
            counts = {name: int(those.sum()) for name, those in counted.items()}
            rows.append({"bound": bound, "other": other, **counts})
    return pd.DataFrame(rows, columns=["bound", "other", "wins", "ties", "losses"])
