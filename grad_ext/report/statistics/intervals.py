"""Intervals of means over models, by Student's t."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from grad_ext.metrics.bootstrap import LEVEL

# The rate of false positives that tests of many differences together keep.
SIGNIFICANCE = round(1.0 - LEVEL, 12)

Differences = TypeVar("Differences", pd.Series, pd.DataFrame)


class Interval(NamedTuple):
    """An estimate with the ends of its interval, which are nan where nothing varies."""

    estimate: float
    low: float
    high: float


def t_quantile(n: float) -> float:
    """Return how many standard errors an interval of the mean of n values reaches to each side."""
    return float(special.stdtrit(n - 1, (1.0 + LEVEL) / 2.0))


def interval(values: ArrayLike) -> Interval:
    """Return the mean of values and its 95 % interval by Student's t; nan for fewer than two."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Interval(mean, np.nan, np.nan)
    half = float(t_quantile(len(array)) * array.std(ddof=1) / len(array) ** 0.5)
    return Interval(mean, mean - half, mean + half)


def independent(differences: Differences) -> Differences:
    """Return the differences of paired models, averaged within train/test splits if there are several.

    Models of one split share its rows, so only different splits are independent.

    Parameters
    ----------
    differences : pandas.Series or pandas.DataFrame
        One row per pair, with an index level ``split_seed``.
    """
    by_split = differences.groupby(level="split_seed").mean()
    return by_split if len(by_split) > 1 else differences


def paired_interval(one: pd.Series, other: pd.Series) -> Interval:
    """Return the mean difference of models paired by split and seed, with its interval."""
    return interval(independent(one - other))
