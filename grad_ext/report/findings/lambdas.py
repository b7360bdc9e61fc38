"""Findings of a study of λ: which differences are resolved, and what reversal changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from grad_ext.report.findings.base import Finding
from grad_ext.report.findings.models import TIE, constant_models, one_split
from grad_ext.report.statistics.lambdas import (
    METRICS,
    PairedDifferences,
    flat_range,
    least_significant_difference,
    nearest,
    paired_differences,
)
from grad_ext.report.tables import by_curve

# Two means that differ by no more than this are called equal, even if the difference is significant.
TOLERANCE = 0.01
PAPER_LAMBDA = 100.0


@dataclass(frozen=True)
class Curve(Finding):
    """The findings of one of several curves."""

    name: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class FlatRange(Finding):
    """The longest range of λ within which no mean moves by more than a tolerance.

    Within it the study resolves no difference, which does not mean that there is none.

    Attributes
    ----------
    first, last : float
        The ends of the range; equal if the means of all neighbouring λ differ.
    inside, lams : int
        How many values of λ are in the range, and in the study.
    spread, spread_overall : mapping of str to float
        Highest less lowest mean of each metric, in the range and over all λ.
    tolerance : mapping of str to float
        The least significant difference of each metric, at least `TOLERANCE`.
    seeds : int
        The smallest number of models of a λ.
    constant : bool
        Whether most models in the range are constant.
    strengths : (float, float), optional
        The strength of the reversal at the ends of the range, above 0, if it is bounded and all that λ
        changes: then results hardly change with a large λ by construction.
    """

    first: float
    last: float
    inside: int
    lams: int
    spread: Mapping[str, float]
    spread_overall: Mapping[str, float]
    tolerance: Mapping[str, float]
    seeds: int
    constant: bool
    strengths: tuple[float, float] | None = None


@dataclass(frozen=True)
class Best:
    """The λ with the best mean of a metric.

    Attributes
    ----------
    metric : str
        The metric.
    lam, value : float
        The λ and its mean.
    models, constant : int
        How many models it has, and how many of them are constant.
    different : tuple of float or None
        The λ whose means differ significantly; None if every λ has a single model.
    others : int
        How many other λ there are.
    """

    metric: str
    lam: float
    value: float
    models: int
    constant: int
    different: tuple[float, ...] | None
    others: int


@dataclass(frozen=True)
class BestLambdas(Finding):
    """The λ with the highest accuracy, the highest balanced accuracy and the least Discrimination."""

    best: tuple[Best, ...]


@dataclass(frozen=True)
class FirstByBalancedDelta(Finding):
    """The λ with the highest mean balanced Delta.

    Attributes
    ----------
    lam : float
        The λ.
    models, constant : int
        How many models it has, and how many of them are constant.
    reference : float
        The λ nearest to the paper's.
    differences : PairedDifferences or None
        Its differences to the reference; None if they are the same λ.
    """

    lam: float
    models: int
    constant: int
    reference: float
    differences: PairedDifferences | None


@dataclass(frozen=True)
class AgainstMajority(Finding):
    """The mean metrics of a λ against the majority class."""

    lam: float
    accuracy: float
    balanced_accuracy: float
    majority_accuracy: float


@dataclass(frozen=True)
class AgainstChance(Finding):
    """The mean Discrimination of a λ against that of predictions that ignore the attribute."""

    discrimination: float
    chance_level: float
    decision: Literal["above", "below", "no difference"]


@dataclass(frozen=True)
class ReversalEffect(Finding):
    """The differences between a λ and the plain network (λ = 0)."""

    lam: float
    differences: PairedDifferences


@dataclass(frozen=True)
class Diverged(Finding):
    """How many of some models diverged."""

    diverged: int
    models: int


@dataclass(frozen=True)
class SingleModels(Finding):
    """Each λ has a single model."""


@dataclass(frozen=True)
class ChosenOnTest(Finding):
    """A λ chosen by these test rows is partly the luckiest."""


@dataclass(frozen=True)
class NoPlainNetwork(Finding):
    """The study has no model with λ = 0."""


def findings(frame: pd.DataFrame, curves: Sequence[str] = ()) -> list[Finding]:
    """Return the findings of a study of λ.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv; with `grad_ext.report.tables.saturating_strengths` as the column
        ``saturating_strength`` it is found where λ saturates.
    curves : sequence of str, optional
        Columns whose values have a curve each, with a finding each.
    """
    if curves:
        named = [(name, tuple(findings(rows))) for name, rows in by_curve(frame, curves)]
        return [Curve(name, of_curve) for name, of_curve in named if of_curve]
    frame = frame[~frame["diverged"]]
    if not len(frame):
        return []
    found: list[Finding] = []
    if frame["lam"].nunique() > 1:
        found += [_flat_range(frame), _best(frame), *_first(frame)]
    at, models = nearest(frame, PAPER_LAMBDA)
    majority = float(frame["majority_accuracy"].iloc[0])
    means = models[["accuracy", "balanced_accuracy"]].mean()
    against = AgainstMajority(at, means["accuracy"], means["balanced_accuracy"], majority)
    found += [constant_models(frame), against, _against_chance(models)]
    return found + _reversal_effect(frame)


def caveats(frame: pd.DataFrame, curves: Sequence[str] = ()) -> list[Finding]:
    """Return the caveats of a study of λ; parameters as those of `findings`."""
    found: list[Finding] = []
    if diverged := int(frame["diverged"].sum()):
        found.append(Diverged(diverged, len(frame)))
    frame = frame[~frame["diverged"]]
    if not len(frame):
        return found
    if frame.groupby([*curves, "lam"]).size().max() == 1:
        found.append(SingleModels())
    if frame["lam"].nunique() > 1:
        found.append(ChosenOnTest())
        if (frame["lam"] > 0).all():
            found.append(NoPlainNetwork())
    return found + one_split(frame)


def _flat_range(frame: pd.DataFrame) -> FlatRange:
    groups = frame.groupby("lam", sort=True)[list(METRICS)]
    means, lams = groups.mean(), sorted(frame["lam"].unique())
    tolerance = least_significant_difference(frame).clip(lower=TOLERANCE)
    first, last = flat_range([tuple(row) for row in (means / tolerance).to_numpy()], 1.0)
    inside = frame["lam"].between(lams[first], lams[last])
    return FlatRange(
        first=lams[first],
        last=lams[last],
        inside=last - first + 1,
        lams=len(lams),
        spread=_spread(means.iloc[first : last + 1]),
        spread_overall=_spread(means),
        tolerance=dict(tolerance),
        seeds=int(groups.count().min().min()),
        constant=bool(frame.loc[inside, "constant"].mean() > 0.5),
        strengths=_strengths(frame[inside & (frame["lam"] > 0)]),
    )


def _strengths(frame: pd.DataFrame) -> tuple[float, float] | None:
    """Return the least and the largest strength that saturates; None if there are not two."""
    if "saturating_strength" not in frame or frame["lam"].nunique() < 2:
        return None
    strengths = frame["saturating_strength"]
    return None if strengths.isna().any() else (strengths.min(), strengths.max())


def _spread(means: pd.DataFrame) -> dict[str, float]:
    return dict(zip(METRICS, np.ptp(means.to_numpy(), axis=0).tolist(), strict=True))


def _best(frame: pd.DataFrame) -> BestLambdas:
    groups = frame.groupby("lam", sort=True)
    means, least = groups[list(METRICS)].mean(), least_significant_difference(frame)
    lams = sorted(frame["lam"].unique())
    best = []
    for name in METRICS:
        values = means[name]
        at = lams[values.argmin() if name == "discrimination" else values.argmax()]
        models, different = groups.get_group(at), None
        if len(frame) > len(lams):
            limit = least[name] + TIE
            different = tuple(lam for lam in lams if abs(values[lam] - values[at]) > limit)
        constant = int(models["constant"].sum())
        best.append(Best(name, at, values[at], len(models), constant, different, len(lams) - 1))
    return BestLambdas(tuple(best))


def _first(frame: pd.DataFrame) -> list[Finding]:
    means = frame.groupby("lam")[list(METRICS)].mean()
    best = means.index[int((means["balanced_accuracy"] - means["discrimination"]).argmax())]
    (at, reference), models = nearest(frame, PAPER_LAMBDA), frame[frame["lam"] == best]
    differences = None if best == at else paired_differences(models, reference)
    if best != at and differences is None:
        return []
    constant = int(models["constant"].sum())
    return [FirstByBalancedDelta(best, len(models), constant, at, differences)]


def _against_chance(models: pd.DataFrame) -> AgainstChance:
    mean, level = models["discrimination"].mean(), models["chance_level"].mean()
    error = 2.0 * float(np.nan_to_num(models["discrimination"].std())) / len(models) ** 0.5
    if mean > level + error:
        return AgainstChance(mean, level, "above")
    return AgainstChance(mean, level, "below" if mean < level - error else "no difference")


def _reversal_effect(frame: pd.DataFrame) -> list[Finding]:
    reversing, plain = frame[frame["lam"] > 0], frame[frame["lam"] == 0]
    if not len(reversing) or not len(plain):
        return []
    at, models = nearest(reversing, PAPER_LAMBDA)
    differences = paired_differences(models, plain)
    return [] if differences is None else [ReversalEffect(at, differences)]
