"""Curves over λ: where they are flat, and which differences are significant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from grad_ext.report.statistics.intervals import SIGNIFICANCE, Interval, independent, interval

# The metrics whose curves are compared.
METRICS = ("accuracy", "balanced_accuracy", "discrimination")


@dataclass(frozen=True)
class PairedDifferences:
    """Mean differences between models that share the seed and the train/test split.

    Attributes
    ----------
    metrics : mapping of str to Interval
        The difference of each metric.
    n : int
        How many differences each mean is over.
    over_splits : bool
        Whether they are means within train/test splits, and not single pairs.
    """

    metrics: Mapping[str, Interval]
    n: int
    over_splits: bool


def flat_range(means: Sequence[tuple[float, ...]], tolerance: float) -> tuple[int, int]:
    """Return the longest run of points within which no coordinate moves by more than a tolerance.

    Parameters
    ----------
    means : sequence of tuples
        The values of the curves at each point.
    tolerance : float
        Largest difference between the highest and the lowest value of a run, for each curve.

    Returns
    -------
    first, last : int
        Positions of the run's ends, both inside; the first such run if several are as long.
    """
    values = np.asarray(means, dtype=float)
    best = (0, 0)
    for first in range(len(values)):
        for last in range(first, len(values)):
            if np.ptp(values[first : last + 1], axis=0).max() > tolerance:
                break
            if last - first > best[1] - best[0]:
                best = (first, last)
    return best


def least_significant_difference(frame: pd.DataFrame) -> pd.Series[float]:
    """Return the least significant difference of two means over seeds, for each of `METRICS`.

    Student's t times the standard error of a difference, averaged over λ; at 5 % for all pairs of λ
    and all metrics together (Bonferroni), since all of them are compared in a plot of the curves.
    0 where no λ has several models.
    """
    groups = frame.groupby("lam", sort=True)[list(METRICS)]
    lams = frame["lam"].nunique()
    free = len(frame) - lams
    if lams < 2 or free < 1:
        return pd.Series(0.0, index=list(METRICS))
    compared = len(METRICS) * lams * (lams - 1) / 2
    quantile = float(special.stdtrit(free, 1.0 - SIGNIFICANCE / compared / 2.0))
    errors = np.sqrt(2.0 * groups.var() / groups.count()).mean().fillna(0.0)
    least: pd.Series[float] = (quantile * errors).round(3)
    return least


def paired_differences(models: pd.DataFrame, others: pd.DataFrame) -> PairedDifferences | None:
    """Return how much models differ from others of the same seed and split; None without a pair.

    With 95 % intervals by Student's t: over train/test splits if there are several, else over seeds.
    """
    pairs = ["split_seed", "seed"]
    one, other = (each.set_index(pairs)[list(METRICS)] for each in (models, others))
    differences = (one - other).dropna()
    if not len(differences):
        return None
    units = independent(differences)
    metrics = {name: interval(units[name]) for name in METRICS}
    return PairedDifferences(metrics, len(units), units is not differences)


def nearest(frame: pd.DataFrame, lam: float) -> tuple[float, pd.DataFrame]:
    """Return the λ nearest to a value on a logarithmic scale, and its models."""
    lams = frame["lam"].unique()
    closest = float(lams[np.argmin(np.abs(np.log1p(lams) - np.log1p(lam)))])
    return closest, frame[frame["lam"] == closest]
