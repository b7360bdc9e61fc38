"""Benchmarks: methods over several data sets, at bounds on the gap, each a comparison to resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from grad_ext import checks
from grad_ext.data.options import as_table
from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.files import plain_name, write_atomically
from grad_ext.report.html import document, heading, paragraphs, table
from grad_ext.report.statistics.benchmark import Ranks, choices, means, ranks, tallies
from grad_ext.report.text_tables.benchmark import mean_lines, rank_lines, tally_lines
from grad_ext.sinks import to_csv
from grad_ext.sweeps.run.limits import Limits
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.comparison import open_comparison
from grad_ext.sweeps.studies.methods import Methods
from grad_ext.sweeps.studies.selection import models
from grad_ext.sweeps.studies.study import StudyRun
from grad_ext.training.settings import Settings
from grad_ext.trial import Record

BOUNDS = (0.02, 0.05, 0.1)
SPLITS = 3
# Fast enough for a laptop.
FAST = (
    "grad-pred",
    "majority",
    "logistic",
    "lightgbm",
    "plug-in",
    "fairlearn-grid-search-lightgbm",
)
OURS = "GRAD-Pred"
HOW = (
    "At each bound every method is taken at the value of its hyperparameter that is most accurate on the "
    "validation rows with a Discrimination within the bound there, or, if there is none, that of the least "
    "Discrimination; the test rows choose nothing. Means ± standard deviations over train/test splits. "
    "Rank: methods whose test Discrimination is within the bound plus the chance level by accuracy, then "
    "the others by Discrimination. Kept: the share of splits within it. End of grid: the share of splits "
    "whose chosen value is an end of the grid, beyond which a better one may lie. "
    "†: needs the protected attributes for prediction."
)
RANKED = (
    "Mean ranks over the data sets, which are the units. Nemenyi's critical difference at 5 %: mean ranks "
    "closer than it are not told apart."
)


@dataclass(frozen=True)
class Benchmark:
    """Results of a benchmark.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row per model, as in results.csv.
    choices : pandas.DataFrame
        As `grad_ext.report.statistics.benchmark.choices` returns it.
    means : pandas.DataFrame
        As `grad_ext.report.statistics.benchmark.means` returns it.
    ranks : list of Ranks
        One for each bound.
    tallies : pandas.DataFrame or None
        Wins, ties and losses of GRAD-Pred; None if it is not compared.
    folder, page : pathlib.Path
        Where the files are, and the page in it.
    """

    frame: pd.DataFrame
    choices: pd.DataFrame
    means: pd.DataFrame
    ranks: list[Ranks]
    tallies: pd.DataFrame | None
    folder: Path
    page: Path


def benchmark(
    datasets: Sequence[Table | str | Path],
    methods: Methods = FAST,
    *,
    bounds: Sequence[float] = BOUNDS,
    splits: int = SPLITS,
    settings: Settings | None = None,
    limits: Limits | None = None,
    retry: bool = False,
    out: str | Path = "studies/benchmark",
    num_cpus: int | None = None,
    progress: bool = False,
    engine: str = "auto",
) -> Benchmark:
    """Compare methods over several data sets at bounds on the gap.

    Each data set has a comparison of its own in the folder, a model per method, value and split; the
    same call trains what is missing.

    Parameters
    ----------
    datasets : sequence of Table, path or str
        Names of data sets, files with their roles beside them, or tables; of different names.
    methods : as for `grad_ext.compare`, default `FAST`
        The methods; all if None.
    bounds : sequence of float, default (0.02, 0.05, 0.1)
        The largest Discriminations allowed.
    splits : int, default 3
        Train/test splits of each data set.
    settings, limits, retry, num_cpus, progress, engine
        As for `grad_ext.compare`.
    out : path, default 'studies/benchmark'
        The folder.

    Returns
    -------
    Benchmark
        Also written: results.csv, choices.csv, means.csv and report.html.

    Raises
    ------
    InputError, MissingToolkit, StudyIncomplete
        As `grad_ext.compare`, for all data sets before any work begins.
    """
    checked = sorted({checks.between_0_and_1("bounds", bound) for bound in bounds})
    if not checked:
        raise InputError("bounds: expected at least one, got none")
    tables = [as_table(each) for each in datasets]
    names = [plain_name(each.name) for each in tables]
    if not names or len(set(names)) < len(names):
        got = ", ".join(names) or "none"
        raise InputError(f"datasets: expected at least one, each of another name, got {got}")
    folder = Path(out)
    resources = Resources(num_cpus, engine=engine)
    opened = [
        open_comparison(
            methods, each, 1, splits, settings=settings, limits=limits, retry=retry,
            out=folder / name, num_cpus=num_cpus,
        )
        for each, name in zip(tables, names, strict=True)
    ]  # fmt: skip
    for study in opened:
        study.run(resources, progress)
    frame = pd.concat([_rows(study) for study in opened], ignore_index=True)
    return _written(frame, checked, folder)


def _rows(study: StudyRun) -> pd.DataFrame:
    """Return the rows of this call's models alone: the folder may hold others of earlier calls."""
    absent = [Record.from_json(values) for values in (study.notes or {})["absent"]]
    keys = {trial.key for trial in study.trials}
    trained = [record for record in study.directory.records() if record.trial.key in keys]
    # So that `grad-ext report` writes the page of this data set.
    study.directory.write_notes(study.notes or {})
    return models([*trained, *absent])


def _written(frame: pd.DataFrame, bounds: Sequence[float], folder: Path) -> Benchmark:
    frame = frame.assign(error=frame["error"].fillna("").astype(str))
    marked = frame["title"].where(~frame["needs_attributes"].eq(True), frame["title"] + " †")
    chosen = choices(frame.assign(title=marked), bounds)
    table_of_means = means(chosen)
    ranked = ranks(table_of_means)
    ours = tallies(table_of_means, OURS) if OURS in set(frame["method"]) else None
    for name, each in {"results": frame, "choices": chosen, "means": table_of_means}.items():
        write_atomically(folder / f"{name}.csv", to_csv(each))
    parts = [heading("Ranks"), paragraphs([RANKED]), table(*rank_lines(ranked), words=(0,))]
    if ours is not None:
        parts += [heading(f"Data sets on which {OURS} ranks before the others, with them, behind")]
        parts.append(table(*tally_lines(ours), words=(1,), bold=False))
    parts += [heading("Every data set and bound"), paragraphs([HOW])]
    parts.append(table(*mean_lines(table_of_means), words=(0, 2), bold=False))
    page = folder / "report.html"
    write_atomically(page, document("Benchmark", parts))
    return Benchmark(frame, chosen, table_of_means, ranked, ours, folder, page)
