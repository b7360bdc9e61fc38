"""The comparison of a method with each other."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from grad_ext.report.findings.base import Finding
from grad_ext.report.statistics.comparison import dominance
from grad_ext.report.tables import DIGITS


@dataclass(frozen=True)
class Opponent:
    """A method compared with another.

    Attributes
    ----------
    name : str
        The method.
    needs_attributes : bool
        Whether it needs the protected attributes for prediction.
    clearly : bool
        Whether intervals show that one dominates the other.
    metric, discrimination : float
        How much higher its metric and its Discrimination are than the other method's.
    """

    name: str
    needs_attributes: bool
    clearly: bool
    metric: float
    discrimination: float


@dataclass(frozen=True)
class PairwiseComparison(Finding):
    """A method against each other method, in a metric and Discrimination together.

    Attributes
    ----------
    method, metric : str
        The method and the metric.
    wins, losses : tuple of Opponent
        The methods that it dominates, and those that dominate it.
    higher, lower : int
        How many others are higher, or lower, in both the metric and Discrimination.
    rest : int
        How many others are equal, or have constant models.
    """

    method: str
    metric: str
    wins: tuple[Opponent, ...]
    losses: tuple[Opponent, ...]
    higher: int
    lower: int
    rest: int


def compared_with_others(lines: pd.DataFrame, i: int, metric: str) -> PairwiseComparison:
    """Return the comparison of a line with each other.

    Parameters
    ----------
    lines : pandas.DataFrame
        As `grad_ext.report.statistics.comparison.compared_lines` returns them.
    i : int
        The line's position.
    metric : str
        The metric beside Discrimination.
    """
    pairs, line = dominance(lines, metric), lines.iloc[i]
    higher = lines[[metric, "discrimination"]] - line[[metric, "discrimination"]].astype(float)
    higher = higher.round(DIGITS)
    wins = pairs[pairs["winner"] == i].set_index("loser")["clearly"]
    losses = pairs[pairs["loser"] == i].set_index("winner")["clearly"]

    def opponents(clearly: pd.Series) -> tuple[Opponent, ...]:
        return tuple(
            Opponent(
                name=str(lines["name"][j]),
                needs_attributes=bool(lines["needs_attributes"][j]),
                clearly=bool(clearly[j]),
                metric=higher[metric][j],
                discrimination=higher["discrimination"][j],
            )
            for j in clearly.index
        )

    rest = higher.drop(index=[i, *wins.index, *losses.index])
    both, neither = int((rest > 0).all(axis=1).sum()), int((rest < 0).all(axis=1).sum())
    return PairwiseComparison(
        method=str(line["name"]),
        metric=metric,
        wins=opponents(wins),
        losses=opponents(losses),
        higher=both,
        lower=neither,
        rest=len(rest) - both - neither,
    )
