"""Settings sought by Ray Tune's search algorithms, on several objectives at once.

A Tune trial is one choice of settings, trained with every seed as one pack, and judged by the means
over the seeds on the validation rows; test rows are not looked at. Choices are asked for in rounds
of a fixed size, so that one seed of the search gives the same choices on any number of CPUs. A
search is resumed and extended by going through it again: a choice whose models have records gives
their figures at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from grad_ext.data.table import Table
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.evaluation import EncodedSplit, evaluate
from grad_ext.method import GRAD
from grad_ext.report.statistics.settings import OBJECTIVES
from grad_ext.sweeps.folder import StudyDirectory, lock, record_file, sweep_up
from grad_ext.sweeps.run.cluster import assigned_device, cluster
from grad_ext.sweeps.run.loggers import checked_log
from grad_ext.sweeps.run.memory import Widths, fitting
from grad_ext.sweeps.run.progress import Watch
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.run.storage import RecordStore, place
from grad_ext.sweeps.run.tune import REPORTS, fit, incomplete
from grad_ext.sweeps.studies.plan import Opened, StudyPlan, problem_of
from grad_ext.sweeps.studies.values import Range, settings_of, value
from grad_ext.training.checkpoint import History, best_epoch, rule_named
from grad_ext.trial import Record, RowsKey, Trial

try:
    from ray import tune
    from ray.tune import Callback
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search import Searcher
except ImportError as error:
    raise MissingToolkit("ray", "tune") from error

# ASHA looks at a choice first after this part of the epochs, and stops this part of the choices.
GRACE, HALVED = 4, 2
# Choices that are asked for at once, whatever the number of CPUs.
ROUND = 8
# What decides the rows or their encoding, beside the data.
OF_ROWS = ("recipe", "variant", "encoding", "use_protected", "split_seed")
Report = Callable[[dict[str, float]], None]


class Rounds(Searcher):
    """A search algorithm that is asked and told in rounds, in an order of its own.

    What Tune asks for and hands over when depends on which process is free; here all choices of a
    round are made before any of its results is known, and told in the order in which they were made.
    """

    def __init__(self, inner: Searcher) -> None:
        super().__init__(metric=inner.metric, mode=inner.mode)
        self._inner = inner
        self._waiting: list[tuple[str, Any]] = []
        self._names: dict[str, str] = {}
        self._round: list[str] = []
        self._results: dict[str, tuple[Any, bool]] = {}
        self._asked = 0

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Hand the space over."""
        return bool(self._inner.set_search_properties(metric, mode, config, **spec))

    def suggest(self, trial_id: str) -> Any:
        """Return the next choice of the round, or None while the round is not done."""
        if not self._waiting:
            if self._round:
                return None
            self._round = [str(self._asked + i) for i in range(ROUND)]
            self._asked += ROUND
            self._waiting = [(name, self._inner.suggest(name)) for name in self._round]
        self._names[trial_id], choice = self._waiting.pop(0)
        return choice

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Keep a result; with the last of the round, tell them all."""
        name = self._names.get(trial_id)
        if name is None or name in self._results:
            return
        self._results[name] = (result, error)
        if len(self._results) < len(self._round):
            return
        for each in self._round:
            self._inner.on_trial_complete(each, *self._results.pop(each))
        self._round = []

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a search is resumed by going through it again."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: see `save`."""


def space(varied: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study varies as Ray Tune's search space."""
    found: dict[str, Any] = {}
    for name, given in varied.items():
        if isinstance(given, Range):
            if isinstance(given.low, int):
                # Tune leaves out the upper end of whole numbers.
                whole = tune.lograndint if given.log else tune.randint
                found[name] = whole(given.low, int(given.high) + 1)
            else:
                found[name] = (tune.loguniform if given.log else tune.uniform)(
                    given.low, given.high
                )
        else:
            found[name] = tune.choice([_plain(one) for one in given])
    return found


def _plain(one: Any) -> Any:
    """Return layers as a text, since search algorithms choose among plain values."""
    return "x".join(f"{part:g}" for part in one) or "none" if isinstance(one, tuple) else one


class Watched:
    """A rule for the epoch to keep that tells how good the kept epochs are so far.

    Training asks its rule after each epoch, with the history up to there.
    """

    def __init__(self, rule: str, tell: Callable[[int, dict[str, float]], None]) -> None:
        self._rule, self._tell = rule_named(rule), tell

    def __call__(self, history: History) -> Any:
        """Score the epochs as the rule does."""
        kept = best_epoch(history, self._rule)
        members = np.arange(len(kept))
        acc, balanced, apart = (
            getattr(history, name)[kept, members].mean()
            for name in ("accuracy", "balanced_accuracy", "discrimination")
        )
        figures = (acc, balanced, apart, acc - apart, balanced - apart)
        named = zip(OBJECTIVES, figures, strict=True)
        self._tell(len(history.loss), {f"validation_{n}": float(v) for n, v in named})
        return self._rule(history)


def known(figures: Mapping[str, float]) -> dict[str, float]:
    """Return objectives as a search algorithm can take them: of what diverged, the worst there is."""
    worst = {name: -1.0 if better else 1.0 for name, better in OBJECTIVES.items()}
    return {
        name: worst[name.removeprefix("validation_")] if math.isnan(figure) else figure
        for name, figure in figures.items()
    }


def summary(records: Sequence[Record]) -> dict[str, float]:
    """Return the means over a choice's models: figures on the validation and on the test rows."""
    names = dict.fromkeys(name for record in records for name in record.metrics)
    means = {
        name: float(np.mean([record.metrics.get(name, math.nan) for record in records]))
        for name in names
    }
    judged = {n: v for n, v in means.items() if n.removeprefix("validation_") != n}
    return {
        **means,
        **known(judged),
        "constant": float(np.mean([record.constant for record in records])),
        "diverged": float(np.mean([record.diverged for record in records])),
    }


def choice(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return Tune's config as a choice of what varies, each value of its setting's type."""
    return {name: value(name, given) for name, given in config.items()}


def try_choice(
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    report: Report,
    often: bool,
    kept: RecordStore | None = None,
    widths: Widths | None = None,
) -> None:
    """Train a choice's models as one pack and report how good they are.

    Parameters
    ----------
    trials : sequence of Trial
        One for each seed.
    encoded : EncodedSplit
        The rows.
    report : callable
        Gets figures with ``epoch`` and ``share`` of the work, for the last time with those on the
        test rows.
    often : bool
        Report after every epoch, and not ten times in all.
    kept : RecordStore, optional
        Where records are kept and found.
    widths : Widths, optional
        What memory allowed. Where it does not allow the whole pack, epochs are reported of the part
        that is ahead.
    """
    epochs = trials[0].settings.epochs
    step = 1 if often else max(1, epochs // REPORTS)
    records = None if kept is None else kept.find(trials)
    if records is None:
        told = 0

        def tell(epoch: int, figures: dict[str, float]) -> None:
            nonlocal told
            if epoch % step == 0 and told < epoch < epochs:
                told = epoch
                report({**known(figures), "epoch": epoch, "share": epoch / epochs})

        device, rule = assigned_device(), trials[0].settings.checkpoint

        def train(part: Sequence[Trial]) -> list[Record]:
            return evaluate(
                GRAD(Watched(rule, tell), device=device), part, encoded, validation=True
            )

        found = fitting(trials, device, widths or Widths(None), train)
        records = [record for part in found for record in part]
        if kept is not None:
            kept.write(records)
    last = epochs if not records[0].error.startswith(STOPPED) else records[0].epoch
    report({**summary(records), "epoch": last, "share": 1.0})


# How the error of a model begins that a scheduler stopped.
STOPPED = "stopped by the scheduler"


class Keeping(Callback):
    """Tune callback that adds a search's choices to its study as they are done.

    A choice that a scheduler stopped leaves records that say so.

    Parameters
    ----------
    study : StudyDirectory
        The study, whose lock this process holds.
    plan : StudyPlan
        What makes a choice's trials.
    table : Table
        The data.
    kept : RecordStore
        Where choices keep their records.
    """

    def __init__(
        self, study: StudyDirectory, plan: StudyPlan, table: Table, kept: RecordStore
    ) -> None:
        self._study, self._plan, self._table, self._kept = study, plan, table, kept

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """Add a choice's models to the study."""
        asked = self._plan.choice_trials(self._table, choice(trial.config))
        result = trial.last_result
        epochs = asked[0].settings.epochs
        if result["epoch"] < epochs and self._kept.find(asked) is None:
            figures = {n: v for n, v in result.items() if n.startswith("validation_")}
            error = f"{STOPPED} after epoch {result['epoch']} of {epochs}"
            seconds = result["time_total_s"] / len(asked)
            self._kept.write(
                [
                    Record(one, figures, result["epoch"], False, False, seconds, error=error)
                    for one in asked
                ]
            )
        self._study = self._study.extended(asked)


def rows_of(opened: Opened) -> dict[RowsKey, EncodedSplit]:
    """Return the rows of every choice: settings that decide rows have values to choose among."""
    varied = {name: given for name, given in opened.plan.set.items() if name in OF_ROWS}
    for name, given in varied.items():
        if isinstance(given, Range):
            raise InputError(f"{name}: name the values to search among, got the range {given}")
    found: dict[RowsKey, EncodedSplit] = {}
    for one in product(*varied.values()):
        trial = opened.plan.trial(only_table(opened.tables), dict(zip(varied, one, strict=True)), 0)
        if trial.rows not in found:
            found[trial.rows] = opened.encoded(trial)
    return found


def only_table(tables: Mapping[str, Mapping[Any, Table]]) -> Table:
    """Return the one table of a search.

    Raises
    ------
    InputError
        If there are several, or several protected sets.
    """
    every = [table for sets in tables.values() for table in sets.values()]
    if len(every) != 1:
        raise InputError(
            "a search is about one data set and one set of protected attributes, got "
            + "; ".join(f"{each.name}: {','.join(each.attribute_names)}" for each in every)
        )
    return every[0]


def algorithm(plan: StudyPlan) -> Rounds:
    """Return the search algorithm of a plan."""
    try:
        import optuna
        from ray.tune.search.optuna import OptunaSearch
    except ImportError as error:
        raise MissingToolkit("optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    how = plan.search
    return Rounds(
        OptunaSearch(
            metric=[f"validation_{name}" for name in how.objectives],
            mode=["max" if OBJECTIVES[name] else "min" for name in how.objectives],
            seed=how.seed,
        )
    )


def scheduler(plan: StudyPlan) -> Any:
    """Return what ends poor choices early, by the first objective; None if nothing does."""
    if plan.search.scheduler == "none":
        return None
    first = plan.search.objectives[0]
    epochs = [settings_of(given).epochs for given in plan.choices()]
    return ASHAScheduler(
        time_attr="epoch",
        metric=f"validation_{first}",
        mode="max" if OBJECTIVES[first] else "min",
        max_t=max(epochs),
        grace_period=max(1, min(epochs) // GRACE),
        reduction_factor=HALVED,
    )


def search(
    opened: Opened, resources: Resources, shown: bool = False, log: Sequence[str] = ()
) -> None:
    """Search as a study's plan says; what is there already is not trained again.

    Parameters and errors are those of `grad_ext.sweeps.studies.plan.Study.run`.
    """
    plan, study = opened.plan, opened.study
    table, names = only_table(opened.tables), checked_log(log)
    choices = plan.search.models // len(plan.seeds)
    if not choices:
        raise InputError(
            f"search: expected at least as many models as seeds ({len(plan.seeds)}), got "
            f"{plan.search.models}"
        )
    often, folder = plan.search.scheduler != "none", study.folder
    kept, widths = place(resources.storage, folder), Widths(folder)

    def train(config: dict[str, Any], encoded_splits: Mapping[RowsKey, EncodedSplit]) -> None:
        trials = plan.choice_trials(table, choice(config))
        try_choice(trials, encoded_splits[trials[0].rows], tune.report, often, kept, widths)

    with lock(folder), cluster(resources, folder) as there:
        sweep_up(folder)
        watch = Watch(study, [len(plan.seeds)] * choices, shown, names, kept)
        done = fit(
            tune.with_parameters(train, encoded_splits=rows_of(opened)),
            space(plan.set),
            there,
            [Keeping(study, plan, table, kept), watch],
            num_samples=choices,
            search_alg=algorithm(plan),
            scheduler=scheduler(plan),
        )
        kept.fetch(folder)
    # Choices that an interrupt kept from beginning have no settings.
    begun = [result.config for result in done if result.config is not None]
    asked = [plan.choice_trials(table, choice(config)) for config in begun]
    left = choices - sum(record_file(folder, trials).exists() for trials in asked)
    if left and done.errors:
        raise incomplete(left * len(plan.seeds), plan.search.models, done.errors, choices)
    if left:
        raise KeyboardInterrupt


def trainable(study: StudyPlan) -> Any:
    """Return what trains and judges one choice of settings, for a Tuner of one's own.

    Parameters
    ----------
    study : StudyPlan
        The data set, the protected attributes, what does not vary, and the seeds, all of which are
        trained for each choice, as one pack.

    Returns
    -------
    callable
        For `ray.tune.Tuner`. Its config has any of ``lam``, ``hidden``, ``split_seed`` and the
        names of `grad_ext.training.settings.Settings`. After every epoch it reports ``epoch``, ``share`` (of
        the epochs) and the means over the seeds of ``validation_accuracy``,
        ``validation_balanced_accuracy``, ``validation_discrimination``, ``validation_delta`` and
        ``validation_balanced_delta`` at the epochs kept so far; at last also the figures on the
        test rows, by the names of results.csv. What diverged has the worst value there is of each
        validation figure.

    Raises
    ------
    InputError
        If the study has several data sets or sets of protected attributes, or its data cannot be
        had.

    Examples
    --------
    >>> from grad_ext import StudyPlan, trainable
    >>> from ray import tune
    >>> bare = trainable(Study(protected=["age"], settings={"epochs": 5}, seeds=2))
    >>> tuner = tune.Tuner(bare, param_space={"lam": tune.loguniform(1, 1000)})
    """
    table = only_table(study.tables())
    first = study.trial(table, {}, 0)
    encoded_splits = {first.rows: problem_of(study, table, first)}

    def train(config: dict[str, Any], encoded_splits: Mapping[RowsKey, EncodedSplit]) -> None:
        trials = study.choice_trials(table, choice(config))
        encoded = encoded_splits.get(trials[0].rows) or problem_of(study, table, trials[0])
        try_choice(trials, encoded, tune.report, True)

    return tune.with_parameters(train, encoded_splits=encoded_splits)
