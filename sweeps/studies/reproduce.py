"""Run the models of a table or figure of the paper, and compare them with the published values.

from grad_ext.sweeps.studies.reproduce import reproduce
reproduce("table1", datasets=["german"], seeds=3).sentences
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.errors import InputError, unknown
from grad_ext.evaluation import EncodedSplit, prepare
from grad_ext.files import cache_folder
from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.findings import reproduction
from grad_ext.report.published import TABLES
from grad_ext.report.sentences import sentences
from grad_ext.report.statistics.reproduction import lines
from grad_ext.report.statistics.settings import by_settings
from grad_ext.report.tables import majorities, names_text
from grad_ext.report.text_tables.reproduction import paper_lines
from grad_ext.sweeps.folder import StudyDirectory, default_folder
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.run.tune import run
from grad_ext.sweeps.studies.reproduction import OTHERS, Reproduction, framed, judged, written
from grad_ext.trial import RowsKey


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
    def read(cls, study: StudyDirectory) -> ReproductionResult:
        """Return the result of a reproduction that `OpenReproduction.result` has written."""
        table = study.about["kind"].removeprefix("reproduce-")
        missing, frame = study.noted()["missing"], framed(study)
        if table == "figure2":
            rows = by_settings(frame, ("recipe", "lam"))
            found = reproduction.insensitivity(frame)
        else:
            attributes = judged(study)
            rows = lines(frame, TABLES[table], attributes)
            found = [*reproduction.tally(frame), *reproduction.claims(frame)]
            found += reproduction.constant_lines(frame, TABLES[table], attributes)
            found += reproduction.shared_splits(frame)
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


@dataclass(frozen=True)
class OpenReproduction:
    """A reproduction whose data are loaded and whose study is open.

    Attributes
    ----------
    asked : Reproduction
        The table or figure, and its models.
    directory : StudyDirectory
        The study.
    encoded_splits : mapping of `Trial.rows` to EncodedSplit
        The encoded rows.
    missing : tuple of str
        A sentence for each data set that could not be loaded.
    """

    asked: Reproduction
    directory: StudyDirectory
    encoded_splits: Mapping[RowsKey, EncodedSplit]
    missing: tuple[str, ...]

    def run(self, resources: Resources | None = None, progress: bool = False) -> None:
        """Train the missing models; errors are those of `grad_ext.sweeps.run.tune.run`."""
        run(self.directory, self.encoded_splits, resources or Resources(), progress)

    def result(self, formats: Sequence[str] = WRITTEN) -> Path:
        """Write results.csv, figures and report.html from the records, and return the report."""
        protected = {dataset: list(names) for dataset, names in self.asked.protected.items()}
        self.directory.note({"missing": list(self.missing), "protected": protected})
        return written(self.directory, formats)


def available(
    asked: Reproduction,
    datasets: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
) -> tuple[list[str], list[str]]:
    """Return the data sets that can be loaded, and a sentence for each of the others.

    Parameters
    ----------
    asked : Reproduction
        The table or figure.
    datasets : sequence of str, optional
        Data sets of the table, which must all be loaded. If not given: those that can be.
    data_dir : path, optional
        Folder with the files of Diabetes or Health.

    Raises
    ------
    InputError
        If the table has no such data set, or the files of a data set that is named are missing.
    """
    for name in datasets or ():
        if name not in asked.datasets:
            raise unknown("data set", name, asked.datasets, asked.table)
    loaded, missing = [], []
    names = datasets or asked.datasets
    for name in names:
        try:
            load_dataset(name, asked.attributes(name), data_dir)
            loaded.append(name)
        except InputError as error:
            if datasets or len(names) == 1:
                raise
            missing.append(f"{name} was not run: {error}")
    return loaded, missing


def open_reproduction(
    asked: Reproduction,
    datasets: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    out: str | Path | None = None,
) -> OpenReproduction:
    """Load the data of a reproduction and open its study.

    Parameters
    ----------
    asked : Reproduction
        The table or figure, and its models.
    datasets, data_dir
        As for `available`.
    out : path, optional
        Folder of the study; one below studies/ if not given.

    Raises
    ------
    InputError
        As `available` and `grad_ext.sweeps.folder.StudyDirectory.open` do.
    """
    loaded, missing = available(asked, datasets, data_dir)
    trials = asked.trials(loaded)
    encoded_splits: dict[RowsKey, EncodedSplit] = {}
    for trial in trials:
        if trial.rows not in encoded_splits:
            attributes = [*trial.protected, *trial.watched]
            rows = load_dataset(trial.dataset, attributes, data_dir).known()
            cut = split(rows, trial.split_seed, folder=cache_folder("splits"))
            encoded_splits[trial.rows] = prepare(cut, trial.settings, asked.evaluation, OTHERS)
    about = asked.about()
    folder = default_folder(about) if out is None else Path(out)
    study = StudyDirectory.open(folder, trials, about)
    return OpenReproduction(asked, study, encoded_splits, tuple(missing))


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
        If Ray is not installed.
    StudyIncomplete
        If a pack failed; the trained models stay in the study.
    """
    opened = open_reproduction(Reproduction(table, **options), datasets, data_dir, out)
    opened.run(resources, progress)
    opened.result()
    return ReproductionResult.read(opened.directory)
