"""What every study has: its kind, the open study that can be run, and its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from grad_ext.data.lists import joined
from grad_ext.data.options import AttributeSet, tables_by_attributes
from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.evaluation import EncodedSplit, EvaluationConfig
from grad_ext.report.explorer import Source
from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.pages.study import write_report
from grad_ext.report.statistics.settings import Choices, choices
from grad_ext.sweeps.folder import StudyDirectory
from grad_ext.sweeps.run.executors import run
from grad_ext.sweeps.run.loggers import checked_log
from grad_ext.sweeps.run.packs import FitPack, Gather
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.values import Range, Values
from grad_ext.training.targets import check_cells
from grad_ext.trial import Record, RowsKey, Trial


@dataclass(frozen=True)
class Outcome:
    """Results of a study.

    Attributes
    ----------
    frame : pandas.DataFrame
        The rows of results.csv, one per model.
    folder : pathlib.Path
        Folder of the study.
    page : pathlib.Path
        Report in this folder.
    """

    frame: pd.DataFrame
    folder: Path
    page: Path


@dataclass(frozen=True)
class SettingsOutcome(Outcome, Choices):
    """Results of a study of settings: also a row for each choice of settings, and the frontier."""


@dataclass(frozen=True)
class StudyRun:
    """A study whose directory is open, ready to run.

    Attributes
    ----------
    kind : StudyKind
        Kind of the study.
    directory : StudyDirectory
        Its directory, with all trials planned so far.
    trials : tuple of Trial
        The trials to train, as far as they are known beforehand.
    encode : callable
        Gets a trial, returns its rows.
    fit_pack, gather
        As for `grad_ext.sweeps.run.executors.run`.
    notes : mapping, optional
        What the report shows besides the records, as JSON can hold it.
    plan : StudyPlan, optional
        The plan that was opened, if there is one.
    tables : mapping
        The data of the plan, by name and set of protected attributes.
    """

    kind: StudyKind
    directory: StudyDirectory
    trials: tuple[Trial, ...]
    encode: Callable[[Trial], EncodedSplit]
    fit_pack: FitPack | None = None
    gather: Gather | None = None
    notes: Mapping[str, Any] | None = None
    # `StudyPlan` is defined in terms of kinds, so its type is not known in this file.
    plan: Any = None
    tables: Mapping[str, Mapping[AttributeSet, Table]] = field(default_factory=dict)

    @property
    def models(self) -> int:
        """Number of models that the study is to have."""
        return len(self.directory.trials)

    def missing(self) -> list[Trial]:
        """Return the trials to train that have no record yet, in order."""
        keys = {trial.key for trial in self.trials}
        return [trial for trial in self.directory.missing() if trial.key in keys]

    def run(
        self,
        resources: Resources | None = None,
        progress: bool = False,
        log: Sequence[str] = (),
    ) -> None:
        """Train the missing models.

        Parameters
        ----------
        resources : Resources, optional
            What the run may use; all CPUs of this machine if not given.
        progress : bool, default False
            Show a progress bar on the standard error.
        log : sequence of {'tensorboard', 'mlflow'}
            What to log every model to, besides the study's own files.

        Raises
        ------
        InputError, MissingToolkit, KeyboardInterrupt, StudyIncomplete
            As `grad_ext.sweeps.run.executors.run` does.
        """
        run(
            self.directory,
            self._encoded_splits,
            resources,
            progress,
            self.fit_pack,
            self.gather,
            self.trials,
            checked_log(log),
        )

    def _encoded_splits(self, trials: Sequence[Trial]) -> dict[RowsKey, EncodedSplit]:
        encoded_splits: dict[RowsKey, EncodedSplit] = {}
        for trial in trials:
            if trial.rows not in encoded_splits:
                encoded_splits[trial.rows] = self.encode(trial)
        # `encode` checks the constraint of its own trial; trials of the same rows may have another.
        for rows, constraint in sorted({(t.rows, t.settings.constraint) for t in trials}, key=str):
            check_cells(constraint, encoded_splits[rows].training)
        return encoded_splits

    def result(self, formats: Sequence[str] = WRITTEN) -> Any:
        """Write results.csv, the figures and the report from the records, and return the outcome."""
        directory = StudyDirectory.read(self.directory.folder)
        if self.notes is not None:
            directory.write_notes(self.notes)
        return self.kind.write(directory, formats)


class StudyKind:
    """A kind of study; this one is also used for studies whose kind is not registered.

    Attributes
    ----------
    name : str
        Name in study.json and in `StudyPlan`.
    varies : str
        What varies besides the seed, in a few words.
    seeds : int
        Default number of models for each choice of settings.
    over_lambda : bool
        Whether the report shows curves over λ; if not, a table by settings and the frontier.
    frontier_only : bool
        Whether the terminal shows the frontier only, and not every choice of settings.
    known_only : bool
        Whether rows with unknown protected attributes are left out.
    search_type : type or None
        Class of the search settings, if a search chooses the settings.
    run_type : type
        Class of an open study of this kind.
    others : mapping of str to EvaluationConfig, or None
        Further evaluations of every model.
    """

    name: ClassVar[str] = ""
    varies: ClassVar[str] = ""
    seeds: ClassVar[int] = 5
    over_lambda: ClassVar[bool] = False
    frontier_only: ClassVar[bool] = False
    known_only: ClassVar[bool] = False
    search_type: ClassVar[type[Any] | None] = None
    run_type: ClassVar[type[StudyRun]] = StudyRun
    others: ClassVar[Mapping[str, EvaluationConfig] | None] = None

    def varied(self, given: Mapping[str, Values]) -> dict[str, Values]:
        """Check what a plan varies and add what this kind varies by default.

        Parameters
        ----------
        given : mapping of str to Values
            Names of settings, ``lam``, ``hidden`` or ``split_seed``, and their values.

        Raises
        ------
        InputError
            If this kind cannot vary one of them, or nothing varies.
        """
        for name, values in given.items():
            if isinstance(values, Range) and self.search_type is None:
                raise InputError(f"{name}: a range such as {values} is for a search")
        if not given:
            raise InputError(f"a {self.name} needs something to vary, such as lam=1,10,100")
        return dict(given)

    def by_default(
        self, given: Mapping[str, Values], settings: Mapping[str, Any]
    ) -> dict[str, Values]:
        """Return what this kind varies besides what a plan varies, depending on its fixed settings.

        Parameters
        ----------
        given : mapping of str to Values
            What the plan varies.
        settings : mapping of str to value
            What the plan fixes.
        """
        return {}

    def points(self, varied: Mapping[str, Values]) -> list[dict[str, Any]]:
        """Return every choice of settings that is known beforehand: all values crossed."""
        grid: Any = varied.values()
        return [dict(zip(varied, values, strict=True)) for values in product(*grid)]

    def samples(self, varied: Mapping[str, Values]) -> Iterator[dict[str, Any]]:
        """Yield choices of settings that together have every value, to be checked."""
        yield from self.points(varied)

    def identity(
        self, varied: Mapping[str, Values], seeds: Sequence[int], search: Any
    ) -> dict[str, Any]:
        """Return what identifies a study of this kind besides its data and fixed settings.

        Whatever is not part of the identity extends a study when it changes.
        """
        return {}

    def records(self, directory: StudyDirectory) -> list[Record]:
        """Return the records of a study in the order of results.csv."""
        return directory.records()

    def source(self, directory: StudyDirectory, name: str = "") -> Source:
        """Return how a page refers to a study; by the name of its folder if no name is given."""
        folder, plan = directory.folder.name, directory.plan()
        return Source(
            name or folder,
            folder,
            plan["about"],
            plan["versions"],
            self.known_only,
            directory.has_own_data,
            directory.file(),
        )

    def write(self, directory: StudyDirectory, formats: Sequence[str] = WRITTEN) -> Outcome:
        """Write results.csv, the figures and the report of a study, and return them.

        Parameters
        ----------
        directory : StudyDirectory
            The study.
        formats : sequence of str, optional
            Formats of the figures: 'png', 'svg', 'pdf'.

        Raises
        ------
        InputError
            If a record is damaged, or there is none.
        """
        records, plan = directory.records(), directory.plan()
        by_settings = choices(records, plan["about"], self.over_lambda, self.frontier_only)
        page = write_report(
            directory.folder,
            records,
            plan["versions"],
            plan["about"],
            formats,
            choices=by_settings,
        )
        return SettingsOutcome(**vars(by_settings), folder=directory.folder, page=page)

    def tables(
        self,
        dataset: str | Table,
        sets: Sequence[AttributeSet] | None,
        data: Mapping[str, Any] | None,
        data_dir: str | Path | None,
    ) -> dict[AttributeSet, Table]:
        """Load a data set with each set of attributes protected: see `tables_by_attributes`."""
        tables = tables_by_attributes(dataset, sets, data, data_dir)
        if not self.known_only:
            return tables
        return {attributes: table.known() for attributes, table in tables.items()}

    def table(
        self,
        directory: StudyDirectory,
        trial: Trial,
        table: Table | None = None,
        data: Mapping[str, Any] | None = None,
        data_dir: str | Path | None = None,
    ) -> Table:
        """Load the rows of a trial of a study again.

        Parameters
        ----------
        directory : StudyDirectory
            The study.
        trial : Trial
            The trial.
        table : Table, optional
            The rows, if the study was made of a table.
        data : mapping, optional
            The file, if the study was made of one: see `grad_ext.data.options.checked_file`.
        data_dir : path, optional
            As for `grad_ext.load_dataset`.
        """
        dataset = trial.dataset if table is None else table
        sets = self.attribute_sets(directory, trial)
        return self.tables(dataset, sets, data, data_dir)[(*trial.protected, *trial.also_evaluated)]

    def attribute_sets(self, directory: StudyDirectory, trial: Trial) -> list[AttributeSet]:
        """Return the sets of attributes with which the rows of a trial are loaded."""
        # The digest of the rows depends on all attributes that the study protects.
        return sorted({t.protected for t in directory.trials if t.dataset == trial.dataset})

    def digest(self, about: Mapping[str, Any], trial: Trial) -> str | None:
        """Return the digest of a trial's rows in a study's identity; None if there is none."""
        return str(about["data"][trial.dataset][joined(trial.protected)])

    def protocol(self, about: Mapping[str, Any], trial: Trial) -> str:
        """Return the protocol of a trial's train/test split in a study's identity."""
        return str(about["dataset"][trial.dataset]["protocol"])
