"""Comparisons: many methods on the same rows, with the same encoding and the same metrics.

    from grad_ext import compare, load_dataset
    compare(None, load_dataset("german", ["sex"]), seeds=5).frame

Each fit runs in its own process with a limit of time and memory. A fit that fails is a row with its
error, and the others continue. A comparison is a study: the same call trains what is missing, and
more methods, seeds or splits extend it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import Any

import pandas as pd

from grad_ext import checks
from grad_ext.data.options import as_table
from grad_ext.data.split import checked_protocol, split
from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.evaluation import EncodedSplit, EvaluationConfig, prepare
from grad_ext.files import cache_folder
from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.pages.comparison import write_comparison
from grad_ext.sweeps.folder import StudyDirectory, default_folder
from grad_ext.sweeps.run.limits import Limits, fit
from grad_ext.sweeps.run.packs import OnProgress, OnRecords, divide
from grad_ext.sweeps.run.resources import Resources, checked_cpus
from grad_ext.sweeps.studies.methods import (
    Makers,
    Methods,
    MethodSpec,
    cost,
    current,
    method_specs,
    width,
)
from grad_ext.sweeps.studies.selection import SELECT, checked_rule, chosen, models
from grad_ext.sweeps.studies.study import Outcome, StudyKind, StudyRun
from grad_ext.sweeps.studies.values import checked_seeds
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, RowsKey, Trial

SEEDS = 5
# Pieces of work per worker, about: with fewer, workers idle at the end; each piece starts a process.
PIECES = 6
# Least seconds of work in a piece, if every worker gets one: starting a process takes a few seconds,
# and on data smaller than Adult fits are faster than `cost` estimates.
LEAST = 10.0


class ComparisonStudy(StudyKind):
    """A comparison of methods: see `compare`."""

    name = "compare"
    varies = "the method and its hyperparameter"
    seeds = SEEDS
    known_only = True

    def records(self, directory: StudyDirectory) -> list[Record]:
        """Return the records in the order of results.csv, methods without their toolkit last."""
        absent = [Record.from_json(values) for values in directory.notes().get("absent", [])]
        return [record for record in directory.records() if current(record.trial)] + absent

    def write(self, directory: StudyDirectory, formats: Sequence[str] = WRITTEN) -> Outcome:
        """Write results.csv, the figure and the report of a comparison, and return them."""
        notes, records, source = directory.notes(), self.records(directory), self.source(directory)
        frame = chosen(models(records), notes.get("select", SELECT))
        page = write_comparison(
            directory.folder,
            frame,
            source.versions,
            source.about,
            records,
            notes.get("notes", ()),
            formats,
        )
        return Outcome(frame, directory.folder, page)

    def digest(self, about: Mapping[str, Any], trial: Trial) -> str | None:
        """Return the digest of the rows, which all trials share."""
        return str(about["data"])

    def protocol(self, about: Mapping[str, Any], trial: Trial) -> str:
        """Return the protocol of the train/test split, which all trials share."""
        return str(about["protocol"])


def compare(
    methods: Methods,
    table: Table | pd.DataFrame | str | Path,
    seeds: int | Sequence[int] = SEEDS,
    *,
    splits: int = 1,
    hyperparameters: bool = True,
    select: str = SELECT,
    settings: Settings | None = None,
    evaluation: EvaluationConfig | None = None,
    protocol: str = "auto",
    limits: Limits | None = None,
    retry: bool = False,
    out: str | Path | None = None,
    num_cpus: int | None = None,
    progress: bool = False,
    engine: str = "auto",
    **roles: Any,
) -> Outcome:
    """Train methods on the same rows and compare them.

    Parameters
    ----------
    methods : sequence of str and mappings, a mapping, or None
        Names (`grad_ext.sweeps.studies.methods.METHODS`), all of them if None. Your own estimator is
        added as ``{"forest": RandomForestClassifier()}``, alone or in the sequence: an estimator,
        its class, or a function that gets a trial and returns one.
    table : Table, DataFrame, path or str
        The rows: a table, a frame, a file or the name of a data set. Those with an unknown protected
        attribute are left out.
    seeds : int or sequence of int, default 5
        Models for each method and hyperparameter, with seeds 0, 1, 2 ...; deterministic methods are
        run once.
    splits : int, default 1
        Train/test splits, for each of which everything is repeated.
    hyperparameters : bool, default True
        Try every value of a method's hyperparameter, not only its default.
    select : str, default 'balanced_delta'
        The rule that chooses a method's hyperparameter on the validation rows: see `chosen`.
    settings : Settings, optional
        GRAD's training recipe, whose encoding and rule for the epoch to keep all methods use; the
        default recipe if not given.
    evaluation : EvaluationConfig, optional
        How models are evaluated.
    protocol : str, default 'auto'
        Protocol of the train/test split: see `grad_ext.data.split.split`.
    limits : Limits, optional
        Limits of time and memory of a fit.
    retry : bool, default False
        Repeat what failed before; methods whose toolkit was missing are always tried again.
    out : path, optional
        Folder of the study; one below studies/ if not given.
    num_cpus : int, optional
        How many fits run side by side; as many as there are CPUs if not given.
    progress : bool, default False
        Show a progress bar on the standard error.
    engine : {'auto', 'local', 'ray'}
        What runs the fits: see `grad_ext.sweeps.run.resources.Resources`.
    **roles
        Of a frame or file: ``label``, ``protected``, ``favorable`` and the other parameters of
        `grad_ext.load_table`. Of a data set ``protected``.

    Returns
    -------
    Outcome
        Its frame has a row per model: method, metrics on the test rows, metrics ``validation_...``
        by which the hyperparameter was chosen, seconds of fit and prediction, memory (bytes), and
        error.

    Raises
    ------
    InputError
        If an argument is unknown or out of range, before any work begins.
    MissingToolkit
        If Ray is needed and not installed.
    StudyIncomplete
        If a process failed; finished models are kept.
    """
    resources = Resources(num_cpus, engine=engine)
    rows = as_table(table, **roles)
    file = None
    if isinstance(table, (str, Path)) and rows.report is not None:
        file = {"path": str(table), **{n: v for n, v in roles.items() if n != "protected"}}
    study = open_comparison(
        methods, rows, seeds, splits, hyperparameters, select, settings, evaluation, protocol, limits, retry, out,
        num_cpus, file,
    )  # fmt: skip
    study.run(resources, progress)
    outcome: Outcome = study.result()
    return outcome


def open_comparison(
    methods: Methods,
    table: Table,
    seeds: int | Sequence[int] = SEEDS,
    splits: int = 1,
    hyperparameters: bool = True,
    select: str = SELECT,
    settings: Settings | None = None,
    evaluation: EvaluationConfig | None = None,
    protocol: str = "auto",
    limits: Limits | None = None,
    retry: bool = False,
    out: str | Path | None = None,
    num_cpus: int | None = None,
    file: Mapping[str, Any] | None = None,
) -> StudyRun:
    """Open a comparison, ready to run.

    Parameters and errors are those of `compare`; `file` is what the table was read from, as
    `grad_ext.data.options.checked_file` describes it.
    """
    settings, evaluation = settings or Settings(), evaluation or EvaluationConfig()
    numbers = checked_seeds(seeds)
    checks.whole("splits", splits, 1)
    if not table.protected:
        raise InputError(f"{table.name}: expected a protected attribute, got none")
    checked_rule(select)
    checked_cpus(num_cpus)
    limits = limits or Limits()
    rows = table.known()
    example = Trial(table.name, table.attribute_names, settings=settings)
    specs = method_specs(methods, hyperparameters, example)
    by_name = {spec.name: _trials(spec, example, numbers, splits) for spec in specs}
    trials = tuple(t for spec in specs if spec.missing is None for t in by_name[spec.name])
    absent = [
        Record.failed(trial, f"{type(spec.missing).__name__}: {spec.missing}", float("nan"))
        for spec in specs
        if spec.missing is not None
        for trial in by_name[spec.name]
    ]
    encoded_splits: dict[RowsKey, EncodedSplit] = {}
    for trial in [trial for each in by_name.values() for trial in each]:
        if trial.rows not in encoded_splits:
            cut = split(rows, trial.split_seed, protocol, cache_folder("splits"))
            encoded_splits[trial.rows] = prepare(cut, settings, evaluation)
    about = {
        "kind": ComparisonStudy.name,
        "dataset": table.name,
        "protected": list(table.attribute_names),
        "data": rows.digest(),
        "protocol": checked_protocol(rows, protocol),
        "settings": {n: v for n, v in asdict(settings).items() if n != "variant"},
        "evaluation": asdict(evaluation),
    }
    folder = Path(out) if out else default_folder(about, table.name, *table.attribute_names)
    directory = StudyDirectory.open(folder, trials, about)
    directory.write_data([table], file)
    _check_own(directory, specs)
    if retry:
        keys = {trial.key for trial in trials}
        failed = [record.trial for record in directory.records() if record.error]
        directory.drop_records([trial for trial in failed if trial.key in keys])
    first = next(iter(encoded_splits.values()))
    notes = {
        "notes": _notes(len(table) - len(rows), first, settings, select, hyperparameters, limits),
        "absent": [record.to_json() for record in absent],
        "select": select,
    }
    return StudyRun(
        ComparisonStudy(),
        directory,
        trials,
        lambda trial: encoded_splits[trial.rows],
        partial(_fit_pack, Makers.of(specs), limits),
        gathered,
        notes,
    )


def _fit_pack(
    makers: Makers,
    limits: Limits,
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    on_records: OnRecords,
    on_progress: OnProgress,
) -> None:
    """Fit trials in a process with limits, and report the share of them that is done."""
    done = 0

    def count(records: Sequence[Record]) -> None:
        nonlocal done
        on_records(records)
        done += len(records)
        on_progress(done / len(trials))

    fit(makers, trials, encoded, count, limits, width)


def _trials(spec: MethodSpec, example: Trial, seeds: Sequence[int], splits: int) -> list[Trial]:
    """Return the trials of a method: every value of its hyperparameter, split and seed."""
    # All methods get the same features, even if the recipe has other ones for the variant.
    shared = example.settings
    settings = replace(shared.with_variant(spec.variant), encoding=shared.encoding)
    return [
        replace(
            example,
            lam=lam,
            seed=seed,
            split_seed=split_seed,
            settings=settings,
            baseline=spec.baseline,
            options=spec.options,
        )
        for lam in spec.values
        for split_seed in range(splits)
        for seed in (seeds if spec.seeded else (0,))
    ]


def _check_own(directory: StudyDirectory, specs: Sequence[MethodSpec]) -> None:
    """Refuse a name of the user's that the study uses for another estimator."""
    own = {spec.name: dict(spec.options)["estimator"] for spec in specs if spec.own is not None}
    for trial in directory.trials:
        planned = dict(trial.options).get("estimator")
        if trial.baseline in own and planned != own[trial.baseline]:
            raise InputError(
                f"{directory.folder} has another {trial.baseline!r}: {planned}, now "
                f"{own[trial.baseline]}; give it another name, or another folder"
            )


def gathered(trials: Sequence[Trial], workers: int) -> list[list[Trial]]:
    """Gather trials of a comparison into pieces of work, the longest first.

    Methods that are trained in packs get their trials together; cheap ones share a piece, since each
    piece starts a process.
    """
    total = sum(map(cost, trials))
    share = min(max(total / (PIECES * workers), LEAST), ceil(total / workers))
    chunks: list[list[Trial]] = []
    by_static = sorted(trials, key=_static)
    for _, group in groupby(by_static, key=_static):
        members = list(group)
        widest = width(members[0])
        if widest == 1:
            widest = max(1, int(share / cost(members[0])))
        # Divide wide packs further, if the parts are worth a process, so that no worker waits.
        work = sum(map(cost, members))
        fair = min(ceil(work * workers / total), ceil(work / LEAST))
        count = max(ceil(len(members) / widest), min(len(members), fair))
        chunks += divide(members, count)
    chunks.sort(key=lambda chunk: sum(map(cost, chunk)), reverse=True)
    pieces: dict[RowsKey, list[list[Trial]]] = {}
    for chunk in chunks:
        same_rows = pieces.setdefault(chunk[0].rows, [])
        for piece in same_rows:
            if sum(map(cost, [*piece, *chunk])) <= share:
                piece += chunk
                break
        else:
            same_rows.append(chunk)
    every = [piece for same in pieces.values() for piece in same]
    return sorted(every, key=lambda piece: sum(map(cost, piece)), reverse=True)


def _static(trial: Trial) -> str:
    return repr(trial.static)


def _notes(
    left_out: int,
    encoded: EncodedSplit,
    settings: Settings,
    select: str,
    hyperparameters: bool,
    limits: Limits,
) -> tuple[str, ...]:
    sizes = [len(part) for part in (encoded.training, encoded.validation, encoded.test)]
    among = "among" if settings.use_protected else "not among"
    chose = (
        f"The rule {select!r} chose the value of each method's hyperparameter on the validation set, by the "
        "mean over its models."
    )
    sentences = (
        (
            f"All methods use the same train/test split ({sizes[0]:,} training, {sizes[1]:,} validation and "
            f"{sizes[2]:,} test rows) and the same {encoded.training.X.shape[1]} encoded features "
            f"({settings.encoding!r}, those of GRAD's recipe {settings.recipe!r}); protected columns "
            f"are {among} them."
        ),
        f"{left_out:,} rows lack a protected attribute and are excluded." if left_out else "",
        chose if hyperparameters else "Every hyperparameter has its default.",
        (
            "GRAD, the plain networks, VFAE and ALFR keep the epoch that the checkpoint rule "
            f"{settings.checkpoint!r} selects on the validation set; all other methods keep the last."
        ),
        (
            "Seconds are wall time on one thread, for models trained together each one's share; memory "
            "is what the fit added, for models trained together that of all. Both include the start of "
            "a toolkit's own process."
        ),
        f"Limits of a fit: {limits.seconds:g} s and {limits.bytes / 2**30:.1f} GiB.",
    )
    return tuple(sentence for sentence in sentences if sentence)
