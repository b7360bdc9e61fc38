"""Search for settings with Ray Tune, by several objectives at once.

A Tune trial is one choice of settings, trained with every seed as one pack. Its objectives are means
over the seeds on the validation rows; test rows are not used. The search algorithm suggests choices
in rounds of a fixed size, so that one seed of the search gives the same choices on any number of
CPUs. A search is resumed and extended by repeating it: a choice whose models have records reports
their metrics at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from grad_ext import checks
from grad_ext.data.table import Table
from grad_ext.errors import InputError, MissingToolkit, unknown
from grad_ext.evaluation import EncodedSplit
from grad_ext.report.statistics.settings import OBJECTIVES, PLANE, checked_objectives
from grad_ext.sweeps.folder import StudyDirectory, delete_partial_files, lock, record_file
from grad_ext.sweeps.run.cluster import cluster
from grad_ext.sweeps.run.executors import incomplete
from grad_ext.sweeps.run.loggers import checked_log
from grad_ext.sweeps.run.memory import Widths
from grad_ext.sweeps.run.progress import ProgressMonitor
from grad_ext.sweeps.run.ray_tune import MonitorObserver, Observer, error_line, fit
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.run.storage import RecordStore, record_store
from grad_ext.sweeps.studies.choice import STOPPED, choice, only_table, try_choice
from grad_ext.sweeps.studies.plan import StudyPlan
from grad_ext.sweeps.studies.study import StudyKind, StudyRun
from grad_ext.sweeps.studies.values import Range, Values, settings_of
from grad_ext.trial import Record, RowsKey

try:
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search import Searcher
except ImportError as error:
    raise MissingToolkit("ray", "tune") from error

SCHEDULERS = ("none", "asha")
MODELS = 60
# ASHA first compares choices after 1/4 of the epochs, and stops half of them.
GRACE, REDUCTION = 4, 2
# Choices suggested at once, whatever the number of CPUs.
ROUND = 8
# Settings that decide the rows or their encoding.
ROW_SETTINGS = ("recipe", "variant", "encoding", "use_protected", "split_seed")


@dataclass(frozen=True)
class SearchSettings:
    """Settings of a search.

    Attributes
    ----------
    models : int
        Most models to train; a choice of settings takes as many as there are seeds.
    objectives : tuple of str
        Objectives on the validation rows: `grad_ext.report.statistics.settings.OBJECTIVES`.
    seed : int
        Seed of the search algorithm.
    scheduler : {'none', 'asha'}
        Early-stopping scheduler.
    """

    models: int = MODELS
    objectives: tuple[str, ...] = PLANE
    seed: int = 0
    scheduler: str = "none"

    def __post_init__(self) -> None:
        if isinstance(self.objectives, str) or not isinstance(self.objectives, Sequence):
            raise InputError(f"objectives: expected a list of names, got {self.objectives!r}")
        object.__setattr__(self, "objectives", checked_objectives(self.objectives))
        for name, least in (("models", 1), ("seed", 0)):
            checks.whole(f"search: {name}", getattr(self, name), least)
        if self.scheduler not in SCHEDULERS:
            raise unknown("scheduler", self.scheduler, SCHEDULERS)


class Rounds(Searcher):
    """A search algorithm that works in rounds, independently of the order in which trials finish.

    Tune asks for choices and passes results on as processes become free. Here all choices of a round
    are suggested before any of its results is known, and the results are passed on in the order of
    the suggestions.
    """

    def __init__(self, inner: Searcher) -> None:
        super().__init__(metric=inner.metric, mode=inner.mode)
        self._inner = inner
        self._waiting: list[tuple[str, Any]] = []
        self._names: dict[str, str] = {}
        self._round: list[str] = []
        self._results: dict[str, tuple[Any, bool]] = {}
        self._suggested = 0

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Pass the search space on."""
        return bool(self._inner.set_search_properties(metric, mode, config, **spec))

    def suggest(self, trial_id: str) -> Any:
        """Return the next choice of the round, or None until the round is done."""
        if not self._waiting:
            if self._round:
                return None
            self._round = [str(self._suggested + i) for i in range(ROUND)]
            self._suggested += ROUND
            self._waiting = [(name, self._inner.suggest(name)) for name in self._round]
        self._names[trial_id], choice = self._waiting.pop(0)
        return choice

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Store a result; pass all results on with the last one of the round."""
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
        """Do nothing: a search is resumed by repeating it."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: see `save`."""


def space(varied: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study varies as Ray Tune's search space."""
    domains: dict[str, Any] = {}
    for name, given in varied.items():
        if isinstance(given, Range):
            if isinstance(given.low, int):
                # Tune excludes the upper end of whole numbers.
                whole = tune.lograndint if given.log else tune.randint
                domains[name] = whole(given.low, int(given.high) + 1)
            else:
                domains[name] = (tune.loguniform if given.log else tune.uniform)(
                    given.low, given.high
                )
        else:
            domains[name] = tune.choice([_plain(one) for one in given])
    return domains


def _plain(one: Any) -> Any:
    """Return layers as text, since search algorithms choose among plain values."""
    return "x".join(f"{part:g}" for part in one) or "none" if isinstance(one, tuple) else one


class ChoiceRecorder(Observer):
    """Adds the choices of a search to its study as they finish.

    A choice that a scheduler stopped gets records with an error.

    Parameters
    ----------
    directory : StudyDirectory
        The study, whose lock this process holds.
    plan : StudyPlan
        The plan, from which the trials of a choice are made.
    table : Table
        The data.
    store : RecordStore
        Where choices write their records.
    """

    def __init__(
        self, directory: StudyDirectory, plan: StudyPlan, table: Table, store: RecordStore
    ) -> None:
        self._directory, self._plan, self._table, self._store = directory, plan, table, store

    def on_complete(self, trial: Any) -> None:
        """Add the models of a choice to the study."""
        trials = self._plan.choice_trials(self._table, choice(trial.config))
        result = trial.last_result
        epochs = trials[0].settings.epochs
        if result["epoch"] < epochs and self._store.find(trials) is None:
            metrics = {n: v for n, v in result.items() if n.startswith("validation_")}
            error = f"{STOPPED} after epoch {result['epoch']} of {epochs}"
            seconds = result["time_total_s"] / len(trials)
            self._store.write(
                [
                    Record(one, metrics, result["epoch"], False, False, seconds, error=error)
                    for one in trials
                ]
            )
        self._directory = self._directory.extended(trials)


def algorithm(settings: SearchSettings) -> Rounds:
    """Return the search algorithm."""
    try:
        import optuna
        from ray.tune.search.optuna import OptunaSearch
    except ImportError as error:
        raise MissingToolkit("optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return Rounds(
        OptunaSearch(
            metric=[f"validation_{name}" for name in settings.objectives],
            mode=["max" if OBJECTIVES[name] else "min" for name in settings.objectives],
            seed=settings.seed,
        )
    )


def scheduler(settings: SearchSettings, epochs: Sequence[int]) -> Any:
    """Return the early-stopping scheduler, which uses the first objective; None if there is none."""
    if settings.scheduler == "none":
        return None
    first = settings.objectives[0]
    return ASHAScheduler(
        time_attr="epoch",
        metric=f"validation_{first}",
        mode="max" if OBJECTIVES[first] else "min",
        max_t=max(epochs),
        grace_period=max(1, min(epochs) // GRACE),
        reduction_factor=REDUCTION,
    )


@dataclass(frozen=True)
class SearchRun(StudyRun):
    """An open search."""

    @property
    def models(self) -> int:
        """Number of models that the search trains at most."""
        return int(self.plan.search.models)

    def encoded_choices(self) -> dict[RowsKey, EncodedSplit]:
        """Return the rows of every choice; settings that decide them must have named values."""
        varied = {name: given for name, given in self.plan.set.items() if name in ROW_SETTINGS}
        for name, given in varied.items():
            if isinstance(given, Range):
                raise InputError(f"{name}: name the values to search among, got the range {given}")
        table = only_table(self.tables)
        encoded_splits: dict[RowsKey, EncodedSplit] = {}
        for values in product(*varied.values()):
            trial = self.plan.trial(table, dict(zip(varied, values, strict=True)), 0)
            if trial.rows not in encoded_splits:
                encoded_splits[trial.rows] = self.encode(trial)
        return encoded_splits

    def run(
        self,
        resources: Resources | None = None,
        progress: bool = False,
        log: Sequence[str] = (),
    ) -> None:
        """Search as planned; choices that have records are not trained again.

        Parameters and errors are those of `StudyRun.run`.
        """
        resources, plan, folder = resources or Resources(), self.plan, self.directory.folder
        if resources.engine == "local":
            raise InputError(
                "engine: expected 'ray' or 'auto', since Ray Tune searches, got 'local'"
            )
        table, names = only_table(self.tables), checked_log(log)
        settings, seeds = plan.search, len(plan.seeds)
        choices = settings.models // seeds
        if not choices:
            raise InputError(
                f"search: expected at least as many models as seeds ({seeds}), got {settings.models}"
            )
        every_epoch = settings.scheduler != "none"
        store, widths = record_store(resources.storage, folder), Widths(folder)

        def train(config: dict[str, Any], encoded_splits: Mapping[RowsKey, EncodedSplit]) -> None:
            trials = plan.choice_trials(table, choice(config))
            rows = encoded_splits[trials[0].rows]
            try_choice(trials, rows, tune.report, every_epoch, store, widths)

        encoded_choices = self.encoded_choices()
        with lock(folder), cluster(resources, folder) as ready:
            delete_partial_files(folder)
            monitor = ProgressMonitor(self.directory, [seeds] * choices, progress, names, store)
            results = fit(
                tune.with_parameters(train, encoded_splits=encoded_choices),
                space(plan.set),
                ready,
                [ChoiceRecorder(self.directory, plan, table, store), MonitorObserver(monitor)],
                num_samples=choices,
                search_alg=algorithm(settings),
                scheduler=scheduler(settings, [settings_of(one).epochs for one in plan.samples()]),
            )
            store.fetch(folder)
        # Choices that did not begin before an interrupt have no settings.
        begun = [result.config for result in results if result.config is not None]
        done = [
            record_file(folder, plan.choice_trials(table, choice(config))).exists()
            for config in begun
        ]
        missing = choices - sum(done)
        if missing and results.errors:
            errors = [error_line(error) for error in results.errors]
            raise incomplete(missing * seeds, settings.models, errors, choices)
        if missing:
            raise KeyboardInterrupt


class SearchStudy(StudyKind):
    """A search for settings on the frontier."""

    name = "search"
    varies = "any settings, chosen by a search"
    seeds = 3
    frontier_only = True
    search_type = SearchSettings
    run_type = SearchRun

    def points(self, varied: Mapping[str, Values]) -> list[dict[str, Any]]:
        """Return nothing: no choice is known beforehand."""
        return []

    def samples(self, varied: Mapping[str, Values]) -> Iterator[dict[str, Any]]:
        """Yield each value, and both ends of each range, by itself."""
        for name, given in varied.items():
            ends = (given.low, given.high) if isinstance(given, Range) else given
            yield from ({name: one} for one in ends)

    def identity(
        self, varied: Mapping[str, Values], seeds: Sequence[int], search: Any
    ) -> dict[str, Any]:
        """Return the search's settings and space; more models extend a search."""
        settings = {name: one for name, one in asdict(search).items() if name != "models"}
        space = {n: str(v) if isinstance(v, Range) else list(v) for n, v in varied.items()}
        return {"search": settings | {"seeds": list(seeds)}, "space": space}
