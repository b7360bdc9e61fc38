"""One choice of settings: trained with every seed as a pack, and reported to Ray Tune."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grad_ext.data.lists import joined
from grad_ext.data.table import Table
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.evaluation import EncodedSplit, evaluate
from grad_ext.method import GRAD
from grad_ext.report.statistics.settings import OBJECTIVES
from grad_ext.sweeps.run.cluster import assigned_device
from grad_ext.sweeps.run.fitting import REPORTS
from grad_ext.sweeps.run.memory import Widths, fit_in_parts
from grad_ext.sweeps.run.storage import RecordStore
from grad_ext.sweeps.studies.plan import StudyPlan, encoded_split
from grad_ext.sweeps.studies.values import value
from grad_ext.training.checkpoint import History, best_epoch, rule_named
from grad_ext.trial import Record, RowsKey, Trial

try:
    from ray import tune
except ImportError as error:
    raise MissingToolkit("ray", "tune") from error

Report = Callable[[dict[str, float]], None]
# How the error of a model begins that a scheduler stopped.
STOPPED = "stopped by the scheduler"


def reporting_rule(
    rule: str, on_metrics: Callable[[int, dict[str, float]], None]
) -> Callable[[History], Any]:
    """Return a rule for the epoch to keep that also reports the metrics of the kept epochs so far.

    Training calls the rule after each epoch with the history up to this epoch.

    Parameters
    ----------
    rule : str
        Name of the rule.
    on_metrics : callable
        Gets the number of epochs and the means over the models of the objectives.
    """
    score = rule_named(rule)

    def reporting(history: History) -> Any:
        epochs = best_epoch(history, score)
        members = np.arange(len(epochs))
        acc, balanced, gap = (
            getattr(history, name)[epochs, members].mean()
            for name in ("accuracy", "balanced_accuracy", "discrimination")
        )
        objectives = zip(OBJECTIVES, (acc, balanced, gap, acc - gap, balanced - gap), strict=True)
        on_metrics(len(history.loss), {f"validation_{n}": float(v) for n, v in objectives})
        return score(history)

    return reporting


def without_nan(objectives: Mapping[str, float]) -> dict[str, float]:
    """Return objectives with the worst possible value for nan, which models that diverged have."""
    worst = {name: -1.0 if better else 1.0 for name, better in OBJECTIVES.items()}
    return {
        name: worst[name.removeprefix("validation_")] if math.isnan(value) else value
        for name, value in objectives.items()
    }


def summary(records: Sequence[Record]) -> dict[str, float]:
    """Return the means over a choice's models of the metrics on the validation and test rows."""
    names = dict.fromkeys(name for record in records for name in record.metrics)
    means = {
        name: float(np.mean([record.metrics.get(name, math.nan) for record in records]))
        for name in names
    }
    objectives = {n: v for n, v in means.items() if n.startswith("validation_")}
    return {
        **means,
        **without_nan(objectives),
        "constant": float(np.mean([record.constant for record in records])),
        "diverged": float(np.mean([record.diverged for record in records])),
    }


def choice(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return Tune's config as a choice of settings, each value converted to its setting's type."""
    return {name: value(name, given) for name, given in config.items()}


def try_choice(
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    report: Report,
    every_epoch: bool,
    store: RecordStore | None = None,
    widths: Widths | None = None,
) -> None:
    """Train a choice's models as one pack and report their metrics.

    Parameters
    ----------
    trials : sequence of Trial
        One trial per seed.
    encoded : EncodedSplit
        The rows.
    report : callable
        Gets metrics with ``epoch`` and ``share`` of the work; the last time also those on the test
        rows.
    every_epoch : bool
        Report after every epoch; ten times in all if false.
    store : RecordStore, optional
        Where records are written; records that are there already are reported at once.
    widths : Widths, optional
        Widths of packs that fit in memory. If the whole pack does not fit, the reports are of the
        part that is furthest.
    """
    epochs = trials[0].settings.epochs
    step = 1 if every_epoch else max(1, epochs // REPORTS)
    records = None if store is None else store.find(trials)
    if records is None:
        reported = 0

        def on_metrics(epoch: int, objectives: dict[str, float]) -> None:
            nonlocal reported
            if epoch % step == 0 and reported < epoch < epochs:
                reported = epoch
                report({**without_nan(objectives), "epoch": epoch, "share": epoch / epochs})

        device, rule = assigned_device(), trials[0].settings.checkpoint

        def train(part: Sequence[Trial]) -> list[Record]:
            method = GRAD(reporting_rule(rule, on_metrics), device=device)
            return evaluate(method, part, encoded, validation=True)

        parts = fit_in_parts(trials, device, widths or Widths(None), train)
        records = [record for part in parts for record in part]
        if store is not None:
            store.write(records)
    last = epochs if not records[0].error.startswith(STOPPED) else records[0].epoch
    report({**summary(records), "epoch": last, "share": 1.0})


def only_table(tables: Mapping[str, Mapping[Any, Table]]) -> Table:
    """Return the only table of a search.

    Raises
    ------
    InputError
        If there are several data sets, or several sets of protected attributes.
    """
    every = [table for sets in tables.values() for table in sets.values()]
    if len(every) != 1:
        raise InputError(
            "a search is about one data set and one set of protected attributes, got "
            + "; ".join(f"{each.name}: {joined(each.attribute_names)}" for each in every)
        )
    return every[0]


def trainable(plan: StudyPlan) -> Any:
    """Return a trainable for your own `ray.tune.Tuner`, which trains one choice of settings.

    Parameters
    ----------
    plan : StudyPlan
        The data set, the protected attributes, the fixed settings, and the seeds, all of which are
        trained for each choice, as one pack.

    Returns
    -------
    callable
        Its config has any of ``lam``, ``hidden``, ``split_seed`` and the names of
        `grad_ext.training.settings.Settings`. After every epoch it reports ``epoch``, ``share`` (of
        the epochs) and the means over the seeds of ``validation_accuracy``,
        ``validation_balanced_accuracy``, ``validation_discrimination``, ``validation_delta`` and
        ``validation_balanced_delta`` at the epochs kept so far; the last time also the metrics on
        the test rows, by the names of results.csv. Models that diverged have the worst possible
        value of each validation metric.

    Raises
    ------
    InputError
        If the plan has several data sets or sets of protected attributes, or its data cannot be
        loaded.

    Examples
    --------
    >>> from grad_ext import StudyPlan, trainable
    >>> from ray import tune
    >>> bare = trainable(StudyPlan(protected=["age"], settings={"epochs": 5}, seeds=2))
    >>> tuner = tune.Tuner(bare, param_space={"lam": tune.loguniform(1, 1000)})
    """
    table = only_table(plan.tables())
    first = plan.trial(table, {}, 0)
    encoded_splits = {first.rows: encoded_split(plan, table, first)}

    def train(config: dict[str, Any], encoded_splits: Mapping[RowsKey, EncodedSplit]) -> None:
        trials = plan.choice_trials(table, choice(config))
        encoded = encoded_splits.get(trials[0].rows) or encoded_split(plan, table, trials[0])
        try_choice(trials, encoded, tune.report, True)

    return tune.with_parameters(train, encoded_splits=encoded_splits)
