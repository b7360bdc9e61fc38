"""Many methods on the same rows, with the same encoding, judged in the same way.

    from grad_ext import compare, load_dataset
    compare(None, load_dataset("german", ["sex"]), seeds=5).frame

Each fit runs in a process of its own with a limit of time and memory; one that fails is a row with
its error, and the others go on. A comparison is a study: it is resumed by subtraction, and more
methods, seeds or divisions extend it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grad_ext.data.split import checked_protocol, split
from grad_ext.data.table import Table
from grad_ext.errors import InputError
from grad_ext.evaluation import VALIDATED, EncodedSplit, EvaluationConfig, prepare
from grad_ext.files import cache_folder
from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.pages.comparison import write_comparison
from grad_ext.report.tables import results
from grad_ext.sweeps.folder import StudyDirectory, default_folder
from grad_ext.sweeps.run.limits import Limits, fit
from grad_ext.sweeps.run.resources import Resources, checked_cpus
from grad_ext.sweeps.run.tune import OnProgress, OnRecords, run
from grad_ext.sweeps.studies.methods import (
    Makers,
    Methods,
    MethodSpec,
    about,
    cost,
    current,
    method_specs,
    width,
)
from grad_ext.training.checkpoint import History, best_epoch, rule_named
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, RowsKey, Trial

SEEDS = 5
SELECT = "balanced_delta"
# How many pieces of work each worker gets, about: fewer leave one idle at the end, and each starts
# a process.
PIECES = 6
# Seconds of work that a piece has at least, where all workers get one: starting its process takes a
# few, and on data smaller than Adult fits are quicker than is said.
LEAST = 10.0
FIRST = (
    "dataset",
    "method",
    "title",
    "hyperparameter",
    "lam",
    "seed",
    "split_seed",
    "variant",
    "recipe",
)
LAST = (
    *("constant", "diverged", "seconds", "predict_seconds", "peak_bytes", "error"),
    *("needs_attributes", "seeded", "default"),
)


@dataclass(frozen=True)
class Comparison:
    """What came out of a comparison.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row a model: what it is, figures on the test rows, figures ``validation_...`` by which its
        hyperparameter was chosen, the seconds of fit and prediction, the memory (bytes), and its error.
    folder : pathlib.Path
        The study's.
    page : pathlib.Path
        The report in it.
    """

    frame: pd.DataFrame
    folder: Path
    page: Path


@dataclass(frozen=True)
class Plan:
    """A comparison whose rows are divided and whose study is open.

    Attributes
    ----------
    study : StudyDirectory
        The folder, and all that belongs to it.
    asked : tuple of Trial
        What was asked for and can be run.
    encoded_splits : mapping of `Trial.rows` to EncodedSplit
        The rows of each division.
    makers : Makers
        What makes a trial's method.
    limits : Limits
        What a fit may take.
    absent : tuple of Record
        What was asked for and cannot be run, with the reason.
    notes : tuple of str
        What a reader of the report should know.
    """

    study: StudyDirectory
    asked: tuple[Trial, ...]
    encoded_splits: Mapping[RowsKey, EncodedSplit]
    makers: Makers
    limits: Limits
    absent: tuple[Record, ...]
    notes: tuple[str, ...]

    def run(self, num_cpus: int | None = None, progress: bool = False) -> None:
        """Fit what is missing; raises as `grad_ext.sweeps.run.tune.run` does."""
        makers, limits = self.makers, self.limits

        def carry(
            trials: Sequence[Trial], encoded: EncodedSplit, keep: OnRecords, say: OnProgress
        ) -> None:
            done = 0

            def hand(records: Sequence[Record]) -> None:
                nonlocal done
                keep(records)
                done += len(records)
                say(done / len(trials))

            fit(makers, trials, encoded, hand, limits, width)

        resources = Resources(num_cpus)
        run(self.study, self.encoded_splits, resources, progress, carry, gathered, self.asked)

    def result(self, select: str = SELECT, formats: Sequence[str] = WRITTEN) -> Comparison:
        """Write what is there as results.csv and report.html, and return it."""
        absent = [record.to_json() for record in self.absent]
        self.study.note({"notes": self.notes, "absent": absent, "select": select})
        return written(self.study, formats)


def written(study: StudyDirectory, formats: Sequence[str] = WRITTEN) -> Comparison:
    """Write a comparison's results.csv, picture and page from its records, and return it.

    Parameters
    ----------
    study : StudyDirectory
        A comparison's.
    formats : sequence of str, optional
        Formats of the picture: 'png', 'svg', 'pdf'.
    """
    plan, noted, records = study.plan(), study.noted(), listed(study)
    frame = chosen(models(records), noted.get("select", SELECT))
    notes = noted.get("notes", ())
    page = write_comparison(
        study.folder, frame, plan["versions"], plan["about"], records, notes, formats
    )
    return Comparison(frame, study.folder, page)


def listed(study: StudyDirectory) -> list[Record]:
    """Return a comparison's records in the order of results.csv, those that could not be run last."""
    absent = [Record.from_json(values) for values in study.noted().get("absent", [])]
    return [record for record in study.records() if current(record.trial)] + absent


def compare(
    methods: Methods,
    table: Table,
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
) -> Comparison:
    """Train and judge methods on the same rows, and show who is where.

    Parameters
    ----------
    methods : sequence of str and mappings, a mapping, or None
        Names (`grad_ext.sweeps.studies.methods.METHODS`), all of them if None. An estimator of the user's
        own joins as ``{"forest": RandomForestClassifier()}``, alone or in the sequence: an
        estimator, its class, or a function that gets a trial and returns one.
    table : Table
        The rows; those that miss a protected attribute are left out.
    seeds : int or sequence of int, default 5
        Models for each method and hyperparameter, with seeds 0, 1, 2 ...; a method that draws nothing has one.
    splits : int, default 1
        Divisions of the rows, for each of which everything is repeated.
    hyperparameters : bool, default True
        Try every value of a method's hyperparameter, and not its default alone.
    select : str, default 'balanced_delta'
        The rule that chooses a method's hyperparameter on the validation rows: see `chosen`.
    settings : Settings, optional
        GRAD's training recipe, of which the encoding and the rule for the epoch to keep are
        everybody's; the default recipe if not given.
    evaluation : EvaluationConfig, optional
        How models are judged.
    protocol : str, default 'auto'
        How rows are divided: see `grad_ext.data.split.split`.
    limits : Limits, optional
        The time and the memory that a fit may take.
    retry : bool, default False
        Run anew what failed before; what lacks a toolkit is always tried again.
    out : path, optional
        Folder of the study; one below studies/ if not given.
    num_cpus : int, optional
        How many fits run side by side; as many as there are CPUs if not given.
    progress : bool, default False
        Show a progress bar on the standard error.

    Returns
    -------
    Comparison
        The models' rows, and where they lie.

    Raises
    ------
    InputError
        If something makes no sense, before any work begins.
    MissingToolkit
        If Ray or psutil is not installed.
    StudyIncomplete
        If a process of Ray's failed; what is done is kept.
    """
    plan = planned(
        methods, table, seeds, splits, hyperparameters, select, settings, evaluation, protocol, limits, retry, out,
        num_cpus,
    )  # fmt: skip
    plan.run(num_cpus, progress)
    return plan.result(select)


def planned(
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
) -> Plan:
    """Return a comparison that is ready to run; parameters and errors are those of `compare`."""
    settings, evaluation = settings or Settings(), evaluation or EvaluationConfig()
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not numbers:
        raise InputError(f"expected at least one seed, got {seeds}")
    if splits < 1:
        raise InputError(f"expected at least one division of the rows, got {splits}")
    if not table.protected:
        raise InputError(f"{table.name}: expected a protected attribute, got none")
    _rule(select)
    checked_cpus(num_cpus)
    limits = limits or Limits()
    rows = table.known()
    example = Trial(table.name, table.attribute_names, settings=settings)
    every = method_specs(methods, hyperparameters, example)
    wanted = {each.name: _trials(each, example, numbers, splits) for each in every}
    asked = tuple(t for each in every if each.missing is None for t in wanted[each.name])
    absent = tuple(
        Record.failed(trial, f"{type(each.missing).__name__}: {each.missing}", float("nan"))
        for each in every
        if each.missing is not None
        for trial in wanted[each.name]
    )
    encoded_splits = {}
    for trial in [trial for trials in wanted.values() for trial in trials]:
        if trial.rows not in encoded_splits:
            cut = split(rows, trial.split_seed, protocol, cache_folder("splits"))
            encoded_splits[trial.rows] = prepare(cut, settings, evaluation)
    shared = {n: v for n, v in asdict(settings).items() if n != "variant"}
    content = {
        "kind": "compare",
        "dataset": table.name,
        "protected": list(table.attribute_names),
        "data": rows.digest(),
        "protocol": checked_protocol(rows, protocol),
        "settings": shared,
        "evaluation": asdict(evaluation),
    }
    folder = Path(out) if out else default_folder(content, table.name, *table.attribute_names)
    study = StudyDirectory.open(folder, asked, content)
    _check_own(study, every)
    if retry:
        keys = {trial.key for trial in asked}
        failed = [record.trial for record in study.records() if record.error]
        study.forget([trial for trial in failed if trial.key in keys])
    notes = _notes(
        table, rows, next(iter(encoded_splits.values())), settings, select, hyperparameters, limits
    )
    return Plan(study, asked, encoded_splits, Makers.of(every), limits, absent, notes)


def _trials(each: MethodSpec, example: Trial, seeds: Sequence[int], splits: int) -> list[Trial]:
    """Return what one method is to be run at: every hyperparameter, division and seed that it knows of."""
    # All methods see the same features, also where the recipe has others for the variant.
    asked = example.settings
    settings = replace(asked.with_variant(each.variant), encoding=asked.encoding)
    return [
        replace(
            example,
            lam=lam,
            seed=seed,
            split_seed=split_seed,
            settings=settings,
            baseline=each.baseline,
            options=each.options,
        )
        for lam in each.values
        for split_seed in range(splits)
        for seed in (seeds if each.seeded else (0,))
    ]


def _check_own(study: StudyDirectory, every: Sequence[MethodSpec]) -> None:
    """Refuse a name of the user's that the study has for another estimator."""
    own = {each.name: dict(each.options)["estimator"] for each in every if each.own is not None}
    for trial in study.trials:
        there = dict(trial.options).get("estimator")
        if trial.baseline in own and there != own[trial.baseline]:
            raise InputError(
                f"{study.folder} has another {trial.baseline!r}: {there}, now {own[trial.baseline]}; "
                "give it another name, or another folder"
            )


def gathered(trials: Sequence[Trial], workers: int) -> list[list[Trial]]:
    """Gather trials of a comparison into pieces of work, long ones first.

    Methods that are trained in packs find their trials together; cheap ones share a piece, since
    each starts a process.
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
        # However wide a pack may be, no worker is to wait for one that is worth a process.
        work = sum(map(cost, members))
        fair = min(ceil(work * workers / total), ceil(work / LEAST))
        count = max(ceil(len(members) / widest), min(len(members), fair))
        edges = [len(members) * i // count for i in range(count + 1)]
        chunks += [members[a:b] for a, b in pairwise(edges)]
    chunks.sort(key=lambda chunk: sum(map(cost, chunk)), reverse=True)
    pieces: dict[RowsKey, list[list[Trial]]] = {}
    for chunk in chunks:
        there = pieces.setdefault(chunk[0].rows, [])
        for piece in there:
            if sum(map(cost, [*piece, *chunk])) <= share:
                piece += chunk
                break
        else:
            there.append(chunk)
    every = [piece for same in pieces.values() for piece in same]
    return sorted(every, key=lambda piece: sum(map(cost, piece)), reverse=True)


def _static(trial: Trial) -> str:
    return repr(trial.static)


def models(records: Sequence[Record]) -> pd.DataFrame:
    """Return the rows of a comparison's results.csv, one a model, but for which hyperparameter was chosen."""
    frame = results(records)
    facts = pd.DataFrame([about(record.trial) for record in records])
    measured = pd.DataFrame(
        {
            name: [getattr(record, name) for record in records]
            for name in ("predict_seconds", "peak_bytes", "error")
        }
    )
    frame = frame.drop(columns="method").join(facts).join(measured)
    lead, tail = ([name for name in names if name in frame] for names in (FIRST, LAST))
    figures = [name for name in frame if name not in (*lead, *tail)]
    return frame[[*lead, *figures, *tail]]


def _rule(name: str) -> Any:
    if name in ("last", "paper"):
        raise InputError(
            f"select: {name!r} is for epochs; a hyperparameter is chosen by balanced_delta, delta, or "
            "accuracy@0.05 (the highest accuracy at a Discrimination of at most 0.05)"
        )
    return rule_named(name)


def chosen(frame: pd.DataFrame, rule: str = SELECT) -> pd.DataFrame:
    """Choose the value of each method's hyperparameter, by its models' mean figures on the validation rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row a model, as `models` has them.
    rule : {'balanced_delta', 'delta', 'accuracy@0.05'}
        The highest balanced accuracy minus Discrimination; the highest accuracy minus
        Discrimination; or the highest accuracy at a Discrimination of at most 0.05, where there is
        none the lowest Discrimination. Test rows are not looked at.

    Returns
    -------
    pandas.DataFrame
        The frame with a column ``chosen``: whether the row is of its method's chosen value. A value
        of which a model failed is chosen only where all did so; of equal ones it is the default, and
        where no model has figures it is the default too.

    Raises
    ------
    InputError
        If there is no such rule.
    """
    score = _rule(rule)
    picked = pd.Series(False, index=frame.index)
    for _, rows in frame.groupby("method", sort=False):
        picked[rows.index] = rows["lam"] == _best(rows, score)
    return frame.assign(chosen=picked)


def _best(rows: pd.DataFrame, score: Any) -> float:
    """Return the chosen value of one method's hyperparameter."""
    default = rows.loc[rows["default"], "lam"]
    fallback = float(default.iloc[0] if len(default) else rows["lam"].iloc[0])
    figures = rows.reindex(columns=list(VALIDATED)).astype(float)
    sound = (rows["error"] == "") & figures.notna().all(axis=1)
    whole = sound.groupby(rows["lam"]).transform("all")
    usable = whole if whole.any() else sound
    if not usable.any():
        return fallback
    means = figures[usable].groupby(rows["lam"][usable]).mean()
    # The last of equal ones is kept.
    order = [lam for lam in means.index if lam != fallback]
    means = means.loc[[*order, *([fallback] if fallback in means.index else [])]]
    acc, balanced, apart = (
        means[f"validation_{name}"].to_numpy()[:, None]
        for name in ("accuracy", "balanced_accuracy", "discrimination")
    )
    nothing = np.full_like(acc, np.nan)
    history = History(nothing, nothing[:, None], acc, balanced, nothing, apart, apart[:, None])
    return float(means.index[best_epoch(history, score)[0]])


def _notes(
    table: Table,
    rows: Table,
    encoded: EncodedSplit,
    settings: Settings,
    select: str,
    hyperparameters: bool,
    limits: Limits,
) -> tuple[str, ...]:
    sizes = [len(part) for part in (encoded.training, encoded.validation, encoded.test)]
    seen = "among" if settings.use_protected else "not among"
    chose = (
        f"The value of a method's hyperparameter is the one that {select!r} chose on the validation rows, by "
        "the mean over its models."
    )
    left_out = len(table) - len(rows)
    sentences = (
        (
            f"Every method had the same rows ({sizes[0]:,} to train, {sizes[1]:,} to validate, "
            f"{sizes[2]:,} to test) and the same {encoded.training.X.shape[1]} encoded features "
            f"({settings.encoding!r}, as GRAD's recipe {settings.recipe!r} has them); protected columns "
            f"are {seen} them."
        ),
        f"{left_out:,} rows miss a protected attribute and are left out." if left_out else "",
        chose if hyperparameters else "Every hyperparameter is at its default.",
        (
            "GRAD, the plain networks, VFAE and ALFR keep the epoch that the rule "
            f"{settings.checkpoint!r} names, by the same validation rows; all other methods keep the last."
        ),
        (
            "Seconds are wall time on one thread, of models trained together their share; memory is "
            "what the fit added, of models trained together that of all. Where a toolkit has a "
            "process of its own, both are with its start."
        ),
        f"A fit had at most {limits.seconds:g} s and {limits.bytes / 2**30:.1f} GiB.",
    )
    return tuple(sentence for sentence in sentences if sentence)
