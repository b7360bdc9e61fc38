"""Reproductions of the paper's tables and of its figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from grad_ext.data import load_dataset
from grad_ext.data.lists import joined
from grad_ext.data.options import AttributeSet
from grad_ext.data.split import split
from grad_ext.errors import InputError, unknown
from grad_ext.evaluation import EncodedSplit, EvaluationConfig, prepare
from grad_ext.files import cache_folder
from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.findings import reproduction as findings
from grad_ext.report.pages.reproduction import write_figure2, write_reproduction
from grad_ext.report.published import TABLES as PUBLISHED
from grad_ext.report.sentences import sentences
from grad_ext.report.statistics.reproduction import lines
from grad_ext.report.statistics.settings import by_settings
from grad_ext.report.tables import majorities, names_text, results
from grad_ext.report.text_tables.reproduction import paper_lines
from grad_ext.sweeps.folder import StudyDirectory, default_folder
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.study import Outcome, StudyKind, StudyRun
from grad_ext.sweeps.studies.values import LAMBDAS, checked_seeds
from grad_ext.training.settings import LAMBDA, RECIPES, VARIANTS, Settings
from grad_ext.trial import Trial

TABLES = ("table1", "table2", "figure2")
# A study's kind is this and the name of the table.
PREFIX = "reproduce-"
# The protected attributes of the tables by data set. Table 1 does not name them: see
# docs/reproduction.md.
ATTRIBUTES: dict[str, dict[str, tuple[str, ...]]] = {
    "table1": {"german": ("age",), "adult": ("sex",), "health": ("age",)},
    "table2": {"diabetes": ("race", "gender")},
    "figure2": {"adult": ("sex",), "health": ("age",)},
}
# The other attribute of the same data set, to measure how much the choice changes the metrics.
INSTEAD = {"german": ("sex",), "adult": ("race",)}
# The recipes that a reproduction trains by default: the paper's, and the one whose last epoch is kept
# for the paper's whole range of λ.
REPRODUCED = ("paper", "steady")
# Train/test splits: German has only 200 test rows, so several splits are pooled.
SPLITS = {"german": 5}
# Further evaluations of the same models, where the paper leaves the evaluation open.
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
    """A table or figure to reproduce.

    Attributes
    ----------
    table : {'table1', 'table2', 'figure2'}
        The table or figure.
    seeds : int
        Models for each line of the table (or each λ of the figure) and train/test split.
    recipes : tuple of str
        The training recipes.
    evaluation : EvaluationConfig
        How models are evaluated.
    protected : mapping of str to tuple of str, optional
        Attributes to protect instead of `ATTRIBUTES`, by data set.
    instead : bool
        Also train the models of Table 1 with the other attribute of the data set.
    epochs : int or None
        Passes over the training rows; the recipe's if None.
    """

    table: str
    seeds: int = 10
    recipes: tuple[str, ...] = REPRODUCED
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    protected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    instead: bool = True
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise unknown("table", self.table, TABLES)
        checked_seeds(self.seeds)
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
        """Return the attributes that a trial is evaluated on, in the order of its table's lines."""
        evaluated = {*trial.protected, *trial.also_evaluated}
        order = self.attributes(trial.dataset)
        return sorted(evaluated, key=lambda a: order.index(a) if a in order else len(order))

    def about(self) -> dict[str, Any]:
        """Return what identifies the study: see `StudyDirectory.open`."""
        return {"kind": f"{PREFIX}{self.table}", "evaluation": asdict(self.evaluation)}

    def trials(self, datasets: Sequence[str]) -> list[Trial]:
        """Return the trials of the lines of some data sets."""
        trials = []
        for dataset in datasets:
            attributes = self.attributes(dataset)
            for recipe in self.recipes:
                for variant in VARIANTS:
                    if self.table == "figure2" and variant != "pred":
                        continue
                    trials += self._lines(dataset, attributes, recipe, variant)
                    other = INSTEAD.get(dataset, attributes)
                    both = self.instead and self.table == "table1" and recipe == "paper"
                    if both and other != attributes:
                        trials += self._lines(dataset, other, recipe, variant)
        return trials

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
                also_evaluated=tuple(a for a in attributes if a not in protected),
            )
            for protected, lam in lines
            for split_seed in range(SPLITS.get(dataset, 1))
            for seed in range(self.seeds)
        ]


def algorithm(trial: Trial) -> str:
    """Return the paper's name of a line: NN-Pred, GRAD-Auto; GRAD-Pred-R protects only race."""
    only = f"-{trial.protected[0][0].upper()}" if trial.also_evaluated else ""
    return f"{trial.method}{only}"


class ReproductionStudy(StudyKind):
    """A reproduction of one of the paper's tables, or of its figure."""

    varies = "what the lines of the paper's table, or the λ of its figure, have"
    seeds = 10
    known_only = True
    others = OTHERS

    def write(self, directory: StudyDirectory, formats: Sequence[str] = WRITTEN) -> Outcome:
        """Write results.csv, tables, figures and the report of a reproduction, and return them."""
        reproduction, frame = _of(directory), results_by_line(directory)
        source = self.source(directory)
        missing = directory.notes().get("missing", ())
        rest = (source.versions, source.about, directory.records(), missing)
        if reproduction.table == "figure2":
            page = write_figure2(directory.folder, frame, *rest, formats)
        else:
            published = PUBLISHED[reproduction.table]
            attributes = attributes_of(directory)
            page = write_reproduction(
                directory.folder, reproduction.table, frame, published, attributes, *rest
            )
        return Outcome(frame, directory.folder, page)

    def attribute_sets(self, directory: StudyDirectory, trial: Trial) -> list[AttributeSet]:
        """Return the set of all attributes that the trial is evaluated on."""
        return [(*trial.protected, *trial.also_evaluated)]

    def digest(self, about: Mapping[str, Any], trial: Trial) -> str | None:
        """Return None: these data sets are known by the checksums of their files."""
        return None

    def protocol(self, about: Mapping[str, Any], trial: Trial) -> str:
        """Return 'auto'."""
        return "auto"


def open_reproduction(
    reproduction: Reproduction,
    datasets: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    out: str | Path | None = None,
) -> StudyRun:
    """Open a reproduction, ready to run.

    Parameters
    ----------
    reproduction : Reproduction
        The table or figure, and what is reproduced of it.
    datasets : sequence of str, optional
        Data sets of the table; if not given, all that can be loaded, of which the others are noted
        in the report.
    data_dir : path, optional
        Folder with the files of Diabetes or Health.
    out : path, optional
        Folder of the study; one below studies/ if not given.

    Raises
    ------
    InputError
        If the table has no such data set, or the data set cannot be loaded.
    """
    for name in datasets or ():
        if name not in reproduction.datasets:
            raise unknown("data set", name, reproduction.datasets, reproduction.table)
    loaded, missing = [], []
    for name in datasets or reproduction.datasets:
        try:
            load_dataset(name, reproduction.attributes(name), data_dir)
            loaded.append(name)
        except InputError as error:
            if datasets or len(reproduction.datasets) == 1:
                raise
            missing.append(f"{name} was not run: {error}")
    kind, trials, about = ReproductionStudy(), reproduction.trials(loaded), reproduction.about()

    def encode(trial: Trial) -> EncodedSplit:
        rows = kind.table(directory, trial, data_dir=data_dir)
        cut = split(rows, trial.split_seed, folder=cache_folder("splits"))
        return prepare(cut, trial.settings, reproduction.evaluation, OTHERS)

    directory = StudyDirectory.open(Path(out) if out else default_folder(about), trials, about)
    protected = {name: list(attributes) for name, attributes in reproduction.protected.items()}
    notes = {"missing": missing, "protected": protected}
    return StudyRun(kind, directory, directory.trials, encode, notes=notes)


def results_by_line(directory: StudyDirectory) -> pd.DataFrame:
    """Return a reproduction's rows of results.csv with the lines of the table that they belong to."""
    reproduction, records = _of(directory), directory.records()
    frame = results(records)
    frame["algorithm"] = [algorithm(record.trial) for record in records]
    frame["attributes"] = [joined(reproduction.in_order(record.trial)) for record in records]
    return frame


def attributes_of(directory: StudyDirectory) -> dict[str, str]:
    """Return the attributes that each data set's lines are about, as a text with commas."""
    reproduction = _of(directory)
    return {name: joined(reproduction.attributes(name)) for name in reproduction.datasets}


def _of(directory: StudyDirectory) -> Reproduction:
    """Return the settings that decide a reproduction's lines; the number of models is not known."""
    protected = directory.notes().get("protected", {})
    return Reproduction(
        directory.about["kind"].removeprefix(PREFIX),
        protected={name: tuple(attributes) for name, attributes in protected.items()},
    )


@dataclass(frozen=True)
class ReproductionResult:
    """Metrics of the models of a table or figure, beside the published values.

    Attributes
    ----------
    table : {'table1', 'table2', 'figure2'}
        The table or figure.
    rows : pandas.DataFrame
        The rows of the table, published ones included; for the figure a row for each recipe and λ.
    majority : list of dict
        Metrics of the majority class, for each data set and protected attributes.
    sentences : list of str
        The findings.
    """

    table: str
    rows: pd.DataFrame
    majority: list[dict[str, Any]]
    sentences: list[str]

    @classmethod
    def read(cls, directory: StudyDirectory) -> ReproductionResult:
        """Return the result of a reproduction that `StudyRun.result` has written."""
        table = directory.about["kind"].removeprefix(PREFIX)
        missing, frame = directory.notes()["missing"], results_by_line(directory)
        if table == "figure2":
            rows = by_settings(frame, ("recipe", "lam"))
            found = findings.insensitivity(frame)
        else:
            attributes = attributes_of(directory)
            rows = lines(frame, PUBLISHED[table], attributes)
            found = [*findings.tally(frame), *findings.claims(frame)]
            found += findings.constant_lines(frame, PUBLISHED[table], attributes)
            found += findings.shared_splits(frame)
        return cls(table, rows, majorities(frame), [*missing, *sentences(found)])

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Return title, heading and lines of each table as text; a figure has none."""
        if self.table == "figure2":
            return []
        return [
            (f"{dataset}, evaluated by {names_text(attributes)}", *paper_lines(rows))
            for (dataset, attributes), rows in self.rows.groupby(
                ["dataset", "attributes"], sort=False
            )
        ]


def reproduce(
    table: str,
    datasets: Sequence[str] | None = None,
    *,
    data_dir: str | Path | None = None,
    out: str | Path | None = None,
    resources: Resources | None = None,
    progress: bool = False,
    **options: Any,
) -> ReproductionResult:
    """Train GRAD's models of a table or figure of the paper, and compare with the published values.

    Parameters
    ----------
    table : {'table1', 'table2', 'figure2'}
        The table or figure.
    datasets, data_dir, out
        As for `open_reproduction`.
    resources : Resources, optional
        What the study may use; all CPUs if not given.
    progress : bool, default False
        Show a progress bar on standard error.
    **options
        Further parameters of `Reproduction`, such as ``seeds``.

    Returns
    -------
    ReproductionResult
        Metrics and findings.

    Raises
    ------
    InputError
        If a value makes no sense, or the files of a data set are missing.
    MissingToolkit
        If Ray is needed and not installed.
    StudyIncomplete
        If a pack failed; the trained models stay in the study.
    """
    opened = open_reproduction(Reproduction(table, **options), datasets, data_dir, out)
    opened.run(resources, progress)
    opened.result()
    return ReproductionResult.read(opened.directory)
