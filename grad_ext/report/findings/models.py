"""Findings about any set of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from grad_ext.data.catalog import known_data_set
from grad_ext.report.findings.base import Finding
from grad_ext.report.statistics.settings import Choices
from grad_ext.report.tables import REPEATS, independently_varying, label
from grad_ext.trial import Record

# Shares of the same rows can differ by rounding.
TIE = 1e-9


@dataclass(frozen=True)
class Studied(Finding):
    """The models of a study, and the settings that vary.

    Attributes
    ----------
    models, seeds, splits : int
        The number of models, of seeds and of train/test splits.
    methods, datasets : tuple of str
        Their names.
    protected : tuple of tuple of str
        The sets of protected attributes.
    varying : mapping of str to sequence
        The values of each setting that varies, one per model, by its label.
    """

    models: int
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    protected: tuple[tuple[str, ...], ...]
    varying: Mapping[str, Sequence[object]]
    seeds: int
    splits: int


@dataclass(frozen=True)
class DataSetKnown(Finding):
    """A data set of the catalog; `rows` is None where it is not known before loading."""

    name: str
    title: str
    rows: int | None


@dataclass(frozen=True)
class ConstantModels(Finding):
    """How many of some models are constant, and how many are more accurate than the majority class."""

    constant: int
    models: int
    more_accurate: int


@dataclass(frozen=True)
class References(Finding):
    """The models of a data set against the majority class and against the chance level.

    Attributes
    ----------
    dataset : str
        The data set.
    models, more_accurate, above_chance : int
        The number of models, of those more accurate than the majority class, and of those with more
        Discrimination than predictions that ignore the protected attribute.
    majority_accuracy, chance_level : float
        Means over the models.
    """

    dataset: str
    models: int
    majority_accuracy: float
    more_accurate: int
    chance_level: float
    above_chance: int


@dataclass(frozen=True)
class FrontierSize(Finding):
    """How many choices of settings are on the Pareto frontier of some objectives."""

    on_frontier: int
    settings: int
    objectives: tuple[str, ...]


@dataclass(frozen=True)
class WithoutMetrics(Finding):
    """How many of some models failed or diverged."""

    without: int
    models: int


@dataclass(frozen=True)
class BestOfMany(Finding):
    """The best of many models on the test set is partly the luckiest."""


@dataclass(frozen=True)
class OneSplit(Finding):
    """All models share one train/test split."""


@dataclass(frozen=True)
class DifferentCases(Finding):
    """The studies of a page differ in their data or protected attributes."""


def studied(records: Sequence[Record]) -> Studied:
    """Return the models of a study, and the settings that vary."""
    differing = independently_varying(records)
    return Studied(
        models=len(records),
        methods=tuple(dict.fromkeys(record.trial.method for record in records)),
        datasets=tuple(dict.fromkeys(record.trial.dataset for record in records)),
        protected=tuple(dict.fromkeys(record.trial.protected for record in records)),
        varying={
            label(name): values
            for name, values in differing.items()
            if name not in ("dataset", "protected", "also_evaluated", *REPEATS)
        },
        seeds=len(set(differing.get("seed", [0]))),
        splits=len(set(differing.get("split_seed", [0]))),
    )


def data_sets(records: Sequence[Record]) -> list[Finding]:
    """Return the data sets of the models that are in the catalog."""
    names = dict.fromkeys(record.trial.dataset for record in records)
    known = [found for name in names if (found := known_data_set(name)) is not None]
    return [DataSetKnown(each.name, each.title, each.rows) for each in known]


def findings(frame: pd.DataFrame) -> list[Finding]:
    """Return findings that hold for any set of models.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    """
    evaluated = _evaluated(frame)
    constants: list[Finding] = [constant_models(evaluated)] if len(evaluated) else []
    return constants + [
        References(
            dataset=str(dataset),
            models=len(group),
            majority_accuracy=float(group["majority_accuracy"].mean()),
            more_accurate=_more_accurate(group),
            chance_level=float(group["chance_level"].mean()),
            above_chance=int((group["discrimination"] > group["chance_level"]).sum()),
        )
        for dataset, group in evaluated.groupby("dataset", sort=False)
    ]


def caveats(frame: pd.DataFrame) -> list[Finding]:
    """Return caveats that hold for any set of models.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    """
    evaluated = _evaluated(frame)
    found: list[Finding] = []
    if len(frame) > len(evaluated):
        found.append(WithoutMetrics(len(frame) - len(evaluated), len(frame)))
    if len(evaluated) > 1:
        found.append(BestOfMany())
    return found + one_split(evaluated)


def different_cases(frame: pd.DataFrame) -> list[Finding]:
    """Return the caveat that models differ in their data or protected attributes, if they do."""
    several = frame["dataset"].nunique() > 1 or frame["protected"].nunique() > 1
    return [DifferentCases()] if several else []


def one_split(frame: pd.DataFrame) -> list[Finding]:
    """Return the caveat that all models share one train/test split, if they do."""
    return [OneSplit()] if frame["split_seed"].nunique() == 1 else []


def constant_models(frame: pd.DataFrame) -> ConstantModels:
    """Return how many models are constant, and how many beat the majority class."""
    return ConstantModels(int(frame["constant"].sum()), len(frame), _more_accurate(frame))


def frontier_size(choices: Choices) -> FrontierSize:
    """Return how many of a study's choices of settings are on the frontier."""
    return FrontierSize(len(choices.frontier), len(choices.points), choices.objectives)


def _evaluated(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["accuracy"].notna() & ~frame["diverged"]]


def _more_accurate(frame: pd.DataFrame) -> int:
    return int((frame["accuracy"] > frame["majority_accuracy"] + TIE).sum())
