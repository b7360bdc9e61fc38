"""Findings of a reproduction: which of the paper's claims hold, and which lines are constant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from grad_ext.data.lists import listed
from grad_ext.metrics.registry import attribute_column
from grad_ext.report.findings.base import Finding
from grad_ext.report.published import Published
from grad_ext.report.statistics.intervals import Interval, paired_interval
from grad_ext.report.statistics.lambdas import METRICS
from grad_ext.report.statistics.reproduction import LINE, groups

# The paper's claim (section 4): "the GRAD approach always increases the Delta and Consistency
# scores, and reduces the Discrimination".
CLAIMED_SIGN = {"delta": 1.0, "consistency": 1.0, "discrimination": -1.0}
# The paper (section 2): "any value of λ in [50, 2000] would perform equivalently".
EQUIVALENT = (50.0, 2000.0)
# The paper gives four digits.
DIGIT = 1e-4


@dataclass(frozen=True)
class Case:
    """A data set, the attributes that models are evaluated on, and a training recipe."""

    dataset: str
    attributes: tuple[str, ...]
    recipe: str


@dataclass(frozen=True)
class Reproduced(Finding):
    """The models of a reproduction; `cases` are the data sets with their attributes."""

    models: int
    algorithms: tuple[str, ...]
    cases: tuple[tuple[str, tuple[str, ...]], ...]
    recipes: tuple[str, ...]
    seeds: int
    splits: int


@dataclass(frozen=True)
class Effect:
    """The mean difference of a metric between GRAD and its plain network."""

    decision: Literal["improves", "worsens", "no difference"]
    interval: Interval


@dataclass(frozen=True)
class PaperClaim(Finding):
    """GRAD against its plain network, in the metrics of the paper's claim."""

    case: Case
    plain: str
    grad: str
    effects: Mapping[str, Effect]


@dataclass(frozen=True)
class OtherAttribute(Finding):
    """What protecting one attribute does to another's Discrimination (paper, section 4.1)."""

    case: Case
    protected: str
    other: str
    algorithm: str
    plain: str
    decision: Literal["raises", "lowers", "no difference"]
    interval: Interval


@dataclass(frozen=True)
class ClaimTally(Finding):
    """In how many comparisons each metric improves, worsens, or does not differ significantly."""

    comparisons: int
    decisions: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class LambdaEffect(Finding):
    """How much the ends of the paper's range of λ differ, and the range of the means between them."""

    case: Case
    differences: Mapping[str, Interval]
    means: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class SharedSplit(Finding):
    """The data sets whose models all share one train/test split."""

    datasets: tuple[str, ...]


@dataclass(frozen=True)
class ConstantAlgorithm(Finding):
    """How many models of an algorithm are constant."""

    case: Case
    algorithm: str
    constant: int
    models: int


@dataclass(frozen=True)
class NoConstantModel(Finding):
    """No model of the reproduction is constant."""


@dataclass(frozen=True)
class PublishedConstant(Finding):
    """A published line whose metrics are those of the majority class."""

    algorithm: str
    dataset: str
    accuracy: float
    discrimination: float
    majority_accuracy: float


def studied(frame: pd.DataFrame) -> list[Finding]:
    """Return the models of a reproduction.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.statistics.reproduction.lines`.
    """
    return [
        Reproduced(
            models=len(frame),
            algorithms=tuple(frame["algorithm"].unique()),
            cases=tuple((d, tuple(listed(a))) for (d, a), _ in groups(frame, LINE[:2])),
            recipes=tuple(frame["recipe"].unique()),
            seeds=frame["seed"].nunique(),
            splits=frame["split_seed"].nunique(),
        )
    ]


def claims(frame: pd.DataFrame) -> list[Finding]:
    """Return which of the paper's claims about GRAD against NN hold in these models.

    Each is a mean difference of models of one seed and one train/test split, with its 95 %
    interval: over splits if there are several, since models of one split share its rows; else over
    seeds, and then it does not include the error of the test rows, which all models share.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.statistics.reproduction.lines`.
    """
    found: list[Finding] = []
    for case, plain, grad, by in _comparisons(frame):
        found.append(PaperClaim(case, plain, grad, _effects(by, plain, grad)))
        found += _other_attributes(case, plain, grad, by)
    return found


def tally(frame: pd.DataFrame) -> list[Finding]:
    """Return in how many comparisons the paper's claims hold; parameters as those of `claims`."""
    effects = [_effects(by, plain, grad) for _, plain, grad, by in _comparisons(frame)]
    if not effects:
        return []
    decisions = {}
    for metric in CLAIMED_SIGN:
        decided = [one[metric].decision for one in effects]
        decisions[metric] = {d: decided.count(d) for d in ("improves", "worsens", "no difference")}
    return [ClaimTally(len(effects), decisions)]


def insensitivity(frame: pd.DataFrame) -> list[Finding]:
    """Return how much metrics move over λ from 50 to 2000, which the paper finds equivalent.

    The mean difference of models of one seed and one split at the two ends, with its 95 % interval
    as in `claims`, and the range of the means of all λ between; parameters as those of `claims`.
    """
    found: list[Finding] = []
    for (dataset, attributes, recipe), group in groups(frame, LINE[:3]):
        inside = group[group["lam"].between(*EQUIVALENT)]
        if not set(EQUIVALENT) <= set(inside["lam"]):
            continue
        by = inside.set_index(["lam", "split_seed", "seed"]).sort_index()
        low, high = (by.loc[lam] for lam in EQUIVALENT)
        means = inside.groupby("lam")[list(METRICS)].mean()
        found.append(
            LambdaEffect(
                case=Case(dataset, tuple(listed(attributes)), recipe),
                differences={m: paired_interval(high[m], low[m]) for m in METRICS},
                means={m: (means[m].min(), means[m].max()) for m in METRICS},
            )
        )
    return found


def shared_splits(frame: pd.DataFrame) -> list[Finding]:
    """Return the data sets with a single train/test split; parameters as those of `claims`."""
    splits = frame.groupby("dataset", sort=False)["split_seed"].nunique()
    shared = tuple(map(str, splits.index[splits == 1]))
    return [SharedSplit(shared)] if shared else []


def constant_lines(
    frame: pd.DataFrame,
    published: Mapping[str, Mapping[str, Published]],
    about: Mapping[str, str],
) -> list[Finding]:
    """Return which lines, ours and the paper's, are the majority class.

    Parameters
    ----------
    frame, published, about
        As for `grad_ext.report.statistics.reproduction.lines`.
    """
    found: list[Finding] = []
    for (dataset, attributes, recipe, algorithm), group in groups(frame, LINE):
        if constant := int(group["constant"].sum()):
            case = Case(dataset, tuple(listed(attributes)), recipe)
            found.append(ConstantAlgorithm(case, algorithm, constant, len(group)))
    found = found or [NoConstantModel()]
    for dataset, table in published.items():
        ours = frame[(frame["dataset"] == dataset) & (frame["attributes"] == about[dataset])]
        if not len(ours):
            continue
        shares = ours["majority_accuracy"].unique()
        for algorithm, line in table.items():
            most = max(line.discrimination)
            same = np.abs(shares - line.accuracy).min() < DIGIT
            if same and most < DIGIT and line.consistency in (None, 1.0):
                top = float(shares.max())
                found.append(PublishedConstant(algorithm, dataset, line.accuracy, most, top))
    return found


def _comparisons(frame: pd.DataFrame) -> Iterator[tuple[Case, str, str, pd.DataFrame]]:
    """Yield each case, the names of NN and GRAD, and the models by algorithm, split and seed."""
    keys = ["dataset", "attributes", "recipe", "variant"]
    for (dataset, attributes, recipe, variant), group in groups(frame, keys):
        by = group.set_index(["algorithm", "split_seed", "seed"]).sort_index()
        plain, grad = f"NN-{variant.capitalize()}", f"GRAD-{variant.capitalize()}"
        if {plain, grad} <= set(by.index.get_level_values(0)):
            yield Case(dataset, tuple(listed(attributes)), recipe), plain, grad, by


def _effects(by: pd.DataFrame, plain: str, grad: str) -> dict[str, Effect]:
    effects = {}
    for metric, sign in CLAIMED_SIGN.items():
        moved = paired_interval(by.loc[grad][metric], by.loc[plain][metric])
        decision: Literal["improves", "worsens", "no difference"] = "no difference"
        if moved.low * sign > 0 and moved.high * sign > 0:
            decision = "improves"
        elif moved.low * sign < 0 and moved.high * sign < 0:
            decision = "worsens"
        effects[metric] = Effect(decision, moved)
    return effects


def _other_attributes(case: Case, plain: str, grad: str, by: pd.DataFrame) -> Sequence[Finding]:
    """Return the effect of protecting one attribute alone on each other attribute."""
    found = []
    for protected in case.attributes:
        alone = f"{grad}-{protected[0].upper()}"
        if alone not in by.index.get_level_values(0):
            continue
        for other in (name for name in case.attributes if name != protected):
            column = attribute_column("discrimination", other)
            moved = paired_interval(by.loc[alone][column], by.loc[plain][column])
            decision: Literal["raises", "lowers", "no difference"] = "no difference"
            if moved.low > 0:
                decision = "raises"
            elif moved.high < 0:
                decision = "lowers"
            found.append(OtherAttribute(case, protected, other, alone, plain, decision, moved))
    return found
