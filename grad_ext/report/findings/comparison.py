"""Findings of a comparison of methods: rank, dominance, frontiers, and caveats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grad_ext.data.lists import listed
from grad_ext.report.findings.base import Finding
from grad_ext.report.findings.models import one_split
from grad_ext.report.findings.pairwise import PairwiseComparison, compared_with_others
from grad_ext.report.statistics.comparison import (
    MAJORITY_METHOD,
    at_chosen,
    compared_lines,
    differences,
    dominance,
    line_label,
    majority,
    summary,
)
from grad_ext.report.statistics.intervals import Interval, t_quantile
from grad_ext.report.statistics.lambdas import METRICS
from grad_ext.report.tables import DIGITS

# A caveat warns of methods with fewer models.
FEW = 5
# The metrics compared together with Discrimination.
AGAINST_DISCRIMINATION = ("accuracy", "balanced_accuracy")


@dataclass(frozen=True)
class Compared(Finding):
    """The models and methods of a comparison, and how many methods have metrics."""

    models: int
    methods: int
    with_metrics: int
    dataset: str
    protected: tuple[str, ...]


@dataclass(frozen=True)
class MethodResult(Finding):
    """The metrics of one of GRAD's variants, and how it compares with the other methods.

    Attributes
    ----------
    method : str
        The method with the value of its hyperparameter.
    metrics : mapping of str to float
        Its mean metrics.
    rank, methods : int
        Its rank by balanced Delta, and the number of methods.
    frontiers : tuple of str
        The metrics on whose frontier with Discrimination it is.
    comparisons : tuple of PairwiseComparison
        One for each metric; none if there is no other method.
    plain : str
        The plain network of the same variant; empty if it is not compared.
    effects : mapping of str to Interval
        The differences to the plain network.
    """

    method: str
    metrics: Mapping[str, float]
    rank: int
    methods: int
    frontiers: tuple[str, ...]
    comparisons: tuple[PairwiseComparison, ...]
    plain: str
    effects: Mapping[str, Interval]


@dataclass(frozen=True)
class ClearlyDefined(Finding):
    """The definition of a clear difference."""


@dataclass(frozen=True)
class FrontierMethod:
    """A method on a frontier."""

    name: str
    needs_attributes: bool
    metric: float
    discrimination: float


@dataclass(frozen=True)
class Frontier(Finding):
    """The methods without constant models that no other dominates, by falling metric."""

    metric: str
    methods: tuple[FrontierMethod, ...]


@dataclass(frozen=True)
class HyperparameterFrontier(Finding):
    """The frontier of accuracy and Discrimination over all values of the hyperparameters.

    Attributes
    ----------
    methods : tuple of (str, str, tuple of float)
        The methods on it with the name (empty if there is none) and the values of the
        hyperparameter.
    """

    methods: tuple[tuple[str, str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class ChanceLevels(Finding):
    """The mean chance level, and the methods (name, needs attributes) with no more Discrimination.

    The level is None if all methods are constant.
    """

    chance_level: float | None
    within: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class NoConstantModels(Finding):
    """No model is constant, or as good as constant."""


@dataclass(frozen=True)
class BelowMajority(Finding):
    """The methods whose metric is below the majority class's."""

    metric: str
    majority: float
    methods: tuple[str, ...]


@dataclass(frozen=True)
class ConstantLine:
    """The constant models of a method at one value of its hyperparameter."""

    method: str
    constant: float
    models: int
    not_chosen: bool


@dataclass(frozen=True)
class ConstantLines(Finding):
    """The methods with constant models."""

    lines: tuple[ConstantLine, ...]


@dataclass(frozen=True)
class NeedsAttributes(Finding):
    """The methods that need the protected attributes for prediction."""

    methods: tuple[str, ...]


@dataclass(frozen=True)
class GridEnds(Finding):
    """The methods whose chosen value is an end of its grid, so that a better one may lie beyond.

    Attributes
    ----------
    methods : tuple of (str, str, int)
        The method with its chosen value, which end it is ('least' or 'greatest'), and the number of
        values that were tried.
    """

    methods: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Failed(Finding):
    """How many models of each method failed with an error."""

    error: str
    models: Mapping[str, int]


@dataclass(frozen=True)
class DivergedModels(Finding):
    """How many models of each method diverged."""

    models: Mapping[str, int]


@dataclass(frozen=True)
class EqualMethods(Finding):
    """Groups of methods whose metrics are equal."""

    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class FewModels(Finding):
    """The smallest number of models of a method, and its interval's reach in standard errors.

    The reach is nan for a single model.
    """

    models: int
    reach: float


@dataclass(frozen=True)
class DeterministicMethods(Finding):
    """Deterministic methods have a single model and no interval."""


@dataclass(frozen=True)
class ManyMethods(Finding):
    """Intervals are not corrected for the number of methods."""


def studied(frame: pd.DataFrame) -> list[Finding]:
    """Return what is compared; parameters as those of `findings`."""
    first, lines = frame.iloc[0], _without_majority(at_chosen(frame))
    protected = tuple(listed(first["protected"]))
    known = len(compared_lines(frame))
    return [Compared(len(frame), len(lines), known, str(first["dataset"]), protected)]


def findings(frame: pd.DataFrame) -> list[Finding]:
    """Return where GRAD ranks among the methods, the frontiers, and the chance levels.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.statistics.comparison.summary`.
    """
    lines = compared_lines(frame)
    if not len(lines):
        return []
    ours = np.flatnonzero(lines["method"].str.startswith("GRAD"))
    results = [_result(frame, lines, int(i)) for i in ours]
    found: list[Finding] = [*results]
    if any(pair.wins or pair.losses for result in results for pair in result.comparisons):
        found.append(ClearlyDefined())
    found += [_frontier(lines, metric) for metric in reversed(AGAINST_DISCRIMINATION)]
    constant = _constant(summary(frame))
    return [*found, _chance(lines), *([] if constant else [NoConstantModels()])]


def caveats(frame: pd.DataFrame) -> list[Finding]:
    """Return the caveats of a comparison; parameters as those of `findings`."""
    lines, compared = summary(frame), compared_lines(frame)
    found = [*_below_majority(compared), *_constant(lines)]
    chosen = _without_majority(at_chosen(frame))
    if len(names := tuple(chosen.loc[chosen["needs_attributes"], "name"])):
        found.append(NeedsAttributes(names))
    found += [*_grid_ends(chosen), *_failed(lines), *_equal(compared), *_few(compared)]
    return found + one_split(frame)


def pairwise(frame: pd.DataFrame, name: str) -> list[PairwiseComparison]:
    """Return a method's comparison with each other, for accuracy and for balanced accuracy.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.statistics.comparison.summary`.
    name : str
        The method, by its name in `summary`; one with metrics, as at least one other has.
    """
    lines = compared_lines(frame)
    (i,) = np.flatnonzero(lines["name"] == name)
    return [compared_with_others(lines, int(i), metric) for metric in AGAINST_DISCRIMINATION]


def hyperparameter_frontier(frame: pd.DataFrame) -> HyperparameterFrontier:
    """Return the values of the hyperparameters on the frontier; parameters as those of `findings`."""
    lines = summary(frame)
    free = lines[
        ~lines["dominated"]
        & (lines["constant"] == 0)
        & (lines["method"] != MAJORITY_METHOD)
        & np.isfinite(lines["discrimination"])
    ]
    return HyperparameterFrontier(
        tuple(
            (str(name), str(group["hyperparameter"].iloc[0]), tuple(group["lam"]))
            for name, group in free.groupby("name", sort=False)
        )
    )


def _without_majority(lines: pd.DataFrame) -> pd.DataFrame:
    return lines[lines["method"] != MAJORITY_METHOD]


def _result(frame: pd.DataFrame, lines: pd.DataFrame, i: int) -> MethodResult:
    line = lines.iloc[i]
    metrics = (*METRICS, "chance_level", "delta")
    several = len(lines) > 1
    on = (m for m in AGAINST_DISCRIMINATION if i in _undominated(lines, m).index)
    plain = str(line["name"]).replace("GRAD-", "NN-", 1)
    effects = {}
    if plain in set(lines["name"]):
        moved = differences(frame, str(line["name"])).loc[plain].to_dict()
        effects = {m: Interval(moved[m], moved[f"{m}_low"], moved[f"{m}_high"]) for m in METRICS}
    return MethodResult(
        method=line_label(line),
        metrics={metric: line[metric] for metric in metrics},
        rank=i + 1,
        methods=len(lines),
        frontiers=tuple(on) if several else (),
        comparisons=tuple(
            compared_with_others(lines, i, m) for m in reversed(AGAINST_DISCRIMINATION) if several
        ),
        plain=plain if effects else "",
        effects=effects,
    )


def _undominated(lines: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the lines without constant models that no other dominates."""
    dominated = dominance(lines, metric)["loser"]
    return lines[~lines.index.isin(dominated) & (lines["constant"] == 0)]


def _frontier(lines: pd.DataFrame, metric: str) -> Frontier:
    rows = _undominated(lines, metric).sort_values(metric, ascending=False, kind="stable")
    return Frontier(
        metric,
        tuple(
            FrontierMethod(
                row["name"], bool(row["needs_attributes"]), row[metric], row["discrimination"]
            )
            for _, row in rows.iterrows()
        ),
    )


def _chance(lines: pd.DataFrame) -> ChanceLevels:
    varied = lines[lines["constant"] < 1]
    if not len(varied):
        return ChanceLevels(None, ())
    within = varied[varied["discrimination"] <= varied["chance_level"]]
    marked = zip(within["name"], within["needs_attributes"], strict=True)
    return ChanceLevels(varied["chance_level"].mean(), tuple((str(n), bool(f)) for n, f in marked))


def _below_majority(lines: pd.DataFrame) -> list[Finding]:
    top, found = majority(lines), []
    for metric in ("accuracy", "balanced_delta"):
        below = lines[(lines[metric] - top[metric]).round(DIGITS) < 0]
        if len(below):
            names = tuple(line_label(line) for _, line in below.iterrows())
            found.append(BelowMajority(metric, top[metric], names))
    return [*found]


def _constant(lines: pd.DataFrame) -> list[Finding]:
    rows = _without_majority(lines[lines["constant"] > 0])
    decided = set(lines.loc[lines["chosen"], "name"])
    constant = tuple(
        ConstantLine(
            method=line_label(row),
            constant=row["constant"] * row["models"],
            models=row["models"],
            not_chosen=row["name"] in decided and not row["chosen"],
        )
        for _, row in rows.iterrows()
    )
    return [ConstantLines(constant)] if constant else []


def _grid_ends(chosen: pd.DataFrame) -> list[Finding]:
    ends = chosen[chosen["grid_end"] != ""]
    methods = tuple(
        (line_label(line), str(line["grid_end"]), len(line["grid"])) for _, line in ends.iterrows()
    )
    return [GridEnds(methods)] if methods else []


def _failed(lines: pd.DataFrame) -> list[Finding]:
    failed, diverged = lines[lines["failed"] > 0], lines[lines["diverged"] > 0]
    found: list[Finding] = [
        Failed(error, _counted(failed[failed["error"] == error], "failed"))
        for error in failed["error"].unique()
    ]
    return [*found, *([DivergedModels(_counted(diverged, "diverged"))] if len(diverged) else [])]


def _counted(lines: pd.DataFrame, column: str) -> dict[str, int]:
    counts = lines.groupby("name", sort=False)[column].sum()
    return {str(name): int(count) for name, count in counts.items()}


def _equal(lines: pd.DataFrame) -> list[Finding]:
    """Return the methods that have the same metrics, and so most likely the same predictions."""
    same = lines[[*METRICS, "consistency"]].round(DIGITS)
    groups = lines.groupby([same[c] for c in same], sort=False)["name"].agg(tuple)
    several = tuple(names for names in groups if len(names) > 1)
    return [EqualMethods(several)] if several else []


def _few(lines: pd.DataFrame) -> list[Finding]:
    found: list[Finding] = []
    seeded = lines.loc[lines["seeded"], "models"]
    if len(seeded) and (least := int(seeded.min())) < FEW:
        found.append(FewModels(least, t_quantile(least) if least > 1 else np.nan))
    if (lines["models"] == 1).any() and not lines["seeded"].all():
        found.append(DeterministicMethods())
    return [*found, *([ManyMethods()] if len(lines) > 2 else [])]
