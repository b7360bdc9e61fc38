"""The models of the paper's tables and of its figure, as trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from grad_ext.errors import InputError, unknown
from grad_ext.evaluation import EvaluationConfig
from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.pages.reproduction import write_figure2, write_reproduction
from grad_ext.report.published import TABLES as PUBLISHED
from grad_ext.report.tables import joined_names, results
from grad_ext.sweeps.folder import StudyDirectory
from grad_ext.sweeps.studies.values import LAMBDAS
from grad_ext.training.settings import LAMBDA, RECIPES, VARIANTS, Settings
from grad_ext.trial import Trial

TABLES = ("table1", "table2", "figure2")
# The attributes of each data set that the tables are about. Table 1 does not name them: see
# docs/reproduction.md.
ATTRIBUTES: dict[str, dict[str, tuple[str, ...]]] = {
    "table1": {"german": ("age",), "adult": ("sex",), "health": ("age",)},
    "table2": {"diabetes": ("race", "gender")},
    "figure2": {"adult": ("sex",), "health": ("age",)},
}
# Table 1's other attribute of the same data set, to see how much the choice moves the figures.
INSTEAD = {"german": ("sex",), "adult": ("race",)}
# Divisions of the rows: German's 200 test rows say little, so several of them are pooled.
SPLITS = {"german": 5}
# Other ways to judge the same models: what the paper leaves open.
OTHERS = {
    "score": EvaluationConfig(prediction="score"),
    "k=1": EvaluationConfig(k=1),
    "k=10": EvaluationConfig(k=10),
    "include_self": EvaluationConfig(include_self=True),
    "use_protected": EvaluationConfig(use_protected=True),
    "ties=first": EvaluationConfig(ties="first"),
}


@dataclass(frozen=True)
class Reproduction:
    """What is to be run for a table or a figure.

    Attributes
    ----------
    table : {'table1', 'table2', 'figure2'}
        Which.
    seeds : int
        Models for each line of the table (and each λ of the figure), and each division of the rows.
    recipes : tuple of str
        The training recipes.
    evaluation : EvaluationConfig
        How models are judged.
    protected : mapping of str to tuple of str, optional
        Attributes to protect instead of `ATTRIBUTES`, by data set.
    instead : bool
        Train the models of Table 1 with the other attribute too.
    epochs : int or None
        Passes over the training rows; the recipe's if None.
    """

    table: str
    seeds: int = 10
    recipes: tuple[str, ...] = RECIPES
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    protected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    instead: bool = True
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise unknown("table", self.table, TABLES)
        if self.seeds < 1:
            raise InputError(f"expected at least one seed, got {self.seeds}")
        for recipe in self.recipes:
            if recipe not in RECIPES:
                raise unknown("recipe", recipe, RECIPES)
        for dataset in self.protected:
            self.attributes(dataset)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets of the table."""
        return tuple(ATTRIBUTES[self.table])

    def attributes(self, dataset: str) -> tuple[str, ...]:
        """Return the attributes that a data set's lines are about.

        Raises
        ------
        InputError
            If the table has no such data set.
        """
        if dataset not in self.datasets:
            raise unknown("data set", dataset, self.datasets, self.table)
        return self.protected.get(dataset, ATTRIBUTES[self.table][dataset])

    def in_order(self, trial: Trial) -> list[str]:
        """Return the attributes that a trial is judged by, in the order of its table's lines."""
        judged = {*trial.protected, *trial.watched}
        order = self.attributes(trial.dataset)
        return sorted(judged, key=lambda a: order.index(a) if a in order else len(order))

    def about(self) -> dict[str, Any]:
        """Return what the study is about: see `grad_ext.sweeps.folder.StudyDirectory.open`."""
        return {"kind": f"reproduce-{self.table}", "evaluation": asdict(self.evaluation)}

    def trials(self, datasets: Sequence[str]) -> list[Trial]:
        """Return the models of the lines of some data sets."""
        made = []
        for dataset in datasets:
            attributes = self.attributes(dataset)
            for recipe in self.recipes:
                for variant in VARIANTS:
                    if self.table == "figure2" and variant != "pred":
                        continue
                    made += self._lines(dataset, attributes, recipe, variant)
                    other = INSTEAD.get(dataset, attributes)
                    asked = self.instead and self.table == "table1" and recipe == "paper"
                    if asked and other != attributes:
                        made += self._lines(dataset, other, recipe, variant)
        return made

    def _lines(
        self, dataset: str, attributes: tuple[str, ...], recipe: str, variant: str
    ) -> list[Trial]:
        settings = Settings(variant=variant, recipe=recipe)
        if self.epochs is not None:
            settings = replace(settings, epochs=self.epochs)
        if self.table == "figure2":
            lines = [(attributes, lam) for lam in LAMBDAS]
        else:
            lines = [(attributes, lam) for lam in (0.0, LAMBDA)]
        if self.table == "table2":
            lines += [((attribute,), LAMBDA) for attribute in attributes]
        return [
            Trial(
                dataset,
                protected,
                lam,
                seed,
                split_seed,
                settings,
                watched=tuple(a for a in attributes if a not in protected),
            )
            for protected, lam in lines
            for split_seed in range(SPLITS.get(dataset, 1))
            for seed in range(self.seeds)
        ]


def framed(study: StudyDirectory) -> pd.DataFrame:
    """Return a reproduction's rows of results.csv, with the lines of the table that they are of."""
    asked, records = _asked(study), study.records()
    frame = results(records)
    frame["algorithm"] = [algorithm(record.trial) for record in records]
    frame["attributes"] = [joined_names(asked.in_order(record.trial)) for record in records]
    return frame


def judged(study: StudyDirectory) -> dict[str, str]:
    """Return the attributes that each data set's lines are about, joined by commas."""
    asked = _asked(study)
    return {name: joined_names(asked.attributes(name)) for name in asked.datasets}


def written(study: StudyDirectory, formats: Sequence[str] = WRITTEN) -> Path:
    """Write a reproduction's results.csv, tables, pictures and page, and return the page.

    Parameters
    ----------
    study : StudyDirectory
        A reproduction's.
    formats : sequence of str, optional
        Formats of the pictures: 'png', 'svg', 'pdf'.
    """
    asked, plan, frame = _asked(study), study.plan(), framed(study)
    missing = study.noted().get("missing", ())
    rest = (plan["versions"], plan["about"], study.records(), missing)
    if asked.table == "figure2":
        return write_figure2(study.folder, frame, *rest, formats)
    published = PUBLISHED[asked.table]
    return write_reproduction(study.folder, asked.table, frame, published, judged(study), *rest)


def _asked(study: StudyDirectory) -> Reproduction:
    """Return what decides a reproduction's lines; how many models there are is in the records."""
    protected = study.noted().get("protected", {})
    return Reproduction(
        study.plan()["about"]["kind"].removeprefix("reproduce-"),
        protected={name: tuple(attributes) for name, attributes in protected.items()},
    )


def algorithm(trial: Trial) -> str:
    """Return the paper's name of a line: NN-Pred, GRAD-Auto, GRAD-Pred-R where race alone is protected."""
    only = f"-{trial.protected[0][0].upper()}" if trial.watched else ""
    return f"{trial.method}{only}"
