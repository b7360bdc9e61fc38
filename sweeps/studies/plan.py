"""Plans of studies, from the command line, a file or Python.

    from grad_ext import StudyPlan
    StudyPlan("grid", protected=["age"], set={"lam": [1, 100], "hidden": [20, 40]}, seeds=3).run()

Equal plans make the same study: the same folder, models and metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from grad_ext import checks
from grad_ext.data.catalog import data_set
from grad_ext.data.lists import joined
from grad_ext.data.options import AttributeSet, as_table, checked_file
from grad_ext.data.roles import bare_name
from grad_ext.data.split import PROTOCOLS, checked_protocol, split
from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown
from grad_ext.evaluation import EncodedSplit, EvaluationConfig, prepare
from grad_ext.files import cache_folder
from grad_ext.sweeps.folder import StudyDirectory, default_folder
from grad_ext.sweeps.run.fitting import train_together
from grad_ext.sweeps.run.loggers import checked_log
from grad_ext.sweeps.run.memory import Widths
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.entries import built, read_file, sets_by_name
from grad_ext.sweeps.studies.kinds import study_kind
from grad_ext.sweeps.studies.study import SettingsOutcome, StudyKind, StudyRun
from grad_ext.sweeps.studies.values import (
    LAYERS,
    Values,
    checked_seeds,
    settings_of,
    value,
    values,
)
from grad_ext.training.settings import DECIDED, FOR_AUTO, LAMBDA
from grad_ext.trial import Trial

# Name of a study's frame, if none is given.
FRAME = "data"


@dataclass(frozen=True)
class StudyPlan:
    """The plan of a study: data sets, protected attributes, settings and seeds.

    Parameters
    ----------
    kind : {'lambda', 'seed', 'grid', 'search'} or a registered kind
        What varies besides the seed: λ, with a curve for each choice of the other settings in `set`;
        nothing; the settings in `set`, all values crossed; or these settings, chosen by a search.
        See `grad_ext.sweeps.studies.kinds`.
    dataset : str, Table, sequence of them, or DataFrame
        Names (`grad_ext.load_dataset`) or your own tables; or one frame, whose roles are in `data`
        and `protected`.
    protected : sequence of str, sequence of sequences, or mapping
        The attributes to protect; several sets of them, each with its own models; or either of these
        by the name of the data set. If not given, a data set's first attribute, or all of a table's.
    set : mapping of str to value or list of values
        What varies: settings (`grad_ext.training.settings.Settings`), ``lam``, ``split_seed``, or
        ``hidden``, the units of every layer. In a search also ranges: '1:1000:log'.
    settings : mapping of str to value
        Fixed settings that differ from the recipe's.
    seeds : int or sequence of int
        Models for each choice of settings: seeds 0, 1, 2 ..., or these. If not given: 10 in a λ
        study, 30 in a seed study, 5 in a grid, 3 in a search.
    split_seed : int
        Seed of the train/test split.
    protocol : str
        Protocol of the train/test split: see `grad_ext.data.split.split`.
    evaluation : mapping of str to value, or EvaluationConfig
        How models are evaluated: see `grad_ext.evaluation.EvaluationConfig`.
    data : mapping of str to value
        A file instead of a data set: its ``path``, ``label`` and the other options of
        `grad_ext.load_table`, by name; of a frame the same without a path.
    data_dir : path
        Folder with the files of Diabetes or Health.
    search : mapping of str to value, or SearchSettings
        Settings of a search: see `grad_ext.sweeps.studies.search.SearchSettings`.
    out : path
        Folder of the study; one below studies/ if not given.

    Raises
    ------
    InputError
        If a value is unknown, out of range or of the wrong type.

    Examples
    --------
    >>> from grad_ext import StudyPlan
    >>> plan = StudyPlan("grid", protected=["age"], set={"lam": [1, 100], "hidden": [20, 40]}, seeds=3)
    >>> len(plan.trials())
    12
    """

    kind: str = "lambda"
    dataset: Any = "german"
    protected: Any = None
    set: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: Any = None
    split_seed: int = 0
    protocol: str = "auto"
    evaluation: Any = None
    data: Mapping[str, Any] | None = None
    data_dir: Any = None
    search: Any = None
    out: Any = None

    def __post_init__(self) -> None:
        kind = self._kind
        for name in ("set", "settings", *(["data"] if self.data is not None else [])):
            if not isinstance(getattr(self, name), Mapping):
                raise InputError(f"{name}: expected names and values, got {getattr(self, name)!r}")
        if isinstance(self.dataset, pd.DataFrame):
            self._put("dataset", self._framed(self.dataset))
            self._put("data", None)
        checks.whole("split_seed", self.split_seed, 0)
        if self.protocol not in PROTOCOLS:
            raise unknown("protocol", self.protocol, PROTOCOLS)
        self._put("dataset", self._datasets())
        self._put("protected", sets_by_name(self.protected, self.names))
        self._put("settings", {n: value(n, v) for n, v in self.settings.items() if v is not None})
        self._put("set", self._varied())
        self._put("seeds", checked_seeds(kind.seeds if self.seeds is None else self.seeds))
        self._put("evaluation", built(EvaluationConfig, "evaluation", self.evaluation))
        if kind.search_type is not None:
            self._put("search", built(kind.search_type, "search", self.search))
        elif self.search is not None:
            raise InputError(f"search: belongs to a search, this is a {self.kind} study")
        for given in self.samples():
            settings_of(given)

    def _put(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _framed(self, frame: pd.DataFrame) -> Table:
        """Return a frame as a table that protects all attributes of the plan."""
        roles = dict(self.data or {})
        name = str(roles.pop("name", FRAME))
        sets = sets_by_name(self.protected, (name,)).get(name)
        every = None if sets is None else dict.fromkeys(one for each in sets for one in each)
        return as_table(frame, protected=every and [*every], name=name, **roles)

    @property
    def _kind(self) -> StudyKind:
        return study_kind(self.kind)

    def _datasets(self) -> tuple[Any, ...]:
        listed = self.dataset if isinstance(self.dataset, (list, tuple)) else [self.dataset]
        if self.data is not None:
            listed = [bare_name(checked_file(self.data)["path"])]
        names = []
        for each in listed:
            if not isinstance(each, (str, Table)):
                raise InputError(f"dataset: expected a name or a Table, got {each!r}")
            if isinstance(each, str) and self.data is None:
                # Raises if there is no such data set.
                data_set(each)
            names.append(each if isinstance(each, str) else each.name)
        if not names or len({*names}) < len(names):
            raise InputError(f"dataset: expected one or more, each once, got {names}")
        return tuple(listed)

    def _varied(self) -> dict[str, Values]:
        given = {name: values(name, one) for name, one in self.set.items()}
        for name in given:
            if name in self.settings:
                raise InputError(f"{name} is both fixed (settings) and varied (set)")
        kind = self._kind
        varied = kind.varied({**given, **kind.by_default(given, self.settings)})
        for name in ("lam", "split_seed"):
            if name in self.settings:
                raise InputError(f"{name} is not a setting of the network: it belongs to set")
        return varied

    def samples(self) -> Iterator[dict[str, Any]]:
        """Yield the settings of choices that together have every value: see `StudyKind.samples`."""
        for point in self._kind.samples(self.set):
            yield {**self.settings, **_static(point)}

    @classmethod
    def from_file(cls, path: str | Path) -> StudyPlan:
        """Return the plan in a TOML or YAML file, which has the parameters above by name.

        Raises
        ------
        InputError
            If the file cannot be read, or has an unknown entry or a value that does not fit.
        MissingToolkit
            If it is YAML and PyYAML is not installed.
        """
        path = Path(path)
        content = read_file(path)
        if not isinstance(content, dict):
            raise InputError(f"{path}: expected names and values, got {content!r}")
        known = [each.name for each in fields(cls)]
        for name in content:
            if name not in known:
                raise unknown(f"entry of {path.name}", name, known)
        try:
            return cls(**content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """The data sets' names."""
        return tuple(each if isinstance(each, str) else each.name for each in self.dataset)

    @property
    def varied(self) -> tuple[str, ...]:
        """The names of what varies besides the seed, always with λ."""
        return tuple(dict.fromkeys(["lam", *self.set]))

    def points(self) -> list[dict[str, Any]]:
        """Return every choice of settings that is known beforehand, in order."""
        return self._kind.points(self.set)

    def tables(self) -> dict[str, dict[AttributeSet, Table]]:
        """Load the data, by name and set of protected attributes.

        Raises
        ------
        InputError
            If the data cannot be loaded, or have no such attribute.
        """
        return {
            name: self._kind.tables(dataset, self.protected.get(name), self.data, self.data_dir)
            for name, dataset in zip(self.names, self.dataset, strict=True)
        }

    def trial(self, table: Table, point: Mapping[str, Any], seed: int) -> Trial:
        """Return the trial of a choice of settings and a seed."""
        return Trial(
            table.name,
            table.attribute_names,
            point.get("lam", LAMBDA),
            seed,
            point.get("split_seed", self.split_seed),
            settings_of({**self.settings, **_static(point)}),
        )

    def choice_trials(self, table: Table, point: Mapping[str, Any]) -> list[Trial]:
        """Return the trials of a choice of settings, one for each seed."""
        return [self.trial(table, point, seed) for seed in self.seeds]

    def trials(
        self, tables: Mapping[str, Mapping[AttributeSet, Table]] | None = None
    ) -> list[Trial]:
        """Return all trials that are known beforehand; `tables` are loaded if not given."""
        loaded = self.tables() if tables is None else tables
        return [
            trial
            for sets in loaded.values()
            for table in sets.values()
            for point in self.points()
            for trial in self.choice_trials(table, point)
        ]

    def about(self, tables: Mapping[str, Mapping[AttributeSet, Table]]) -> dict[str, Any]:
        """Return what identifies the study: everything but the seeds and the values that vary.

        So further values and seeds extend a study, and any other change makes another study.
        """
        fixed = asdict(settings_of(self.settings))
        for name in self.set:
            for follower in (name, *self._followers(name)):
                fixed.pop(follower, None)
        return {
            "kind": self.kind,
            "dataset": {
                name: {
                    "protected": sorted(map(list, sets)),
                    "protocol": checked_protocol(next(iter(sets.values())), self.protocol),
                }
                for name, sets in tables.items()
            },
            "data": {
                name: {joined(one): table.digest() for one, table in sets.items()}
                for name, sets in tables.items()
            },
            "varied": sorted(self.varied),
            **({} if "split_seed" in self.set else {"split_seed": self.split_seed}),
            "settings": fixed,
            "evaluation": asdict(self.evaluation),
            **self._kind.identity(self.set, self.seeds, self.search),
        }

    def open(self) -> StudyRun:
        """Load the data and open the study's folder, creating or extending the study in it.

        Raises
        ------
        InputError
            As `tables` and `grad_ext.sweeps.folder.StudyDirectory.open` do.
        """
        tables = self.tables()
        about = self.about(tables)
        names = [*self.names]
        if len(names) == 1 and len(tables[names[0]]) == 1:
            names += next(iter(tables[names[0]]))
        folder = Path(self.out) if self.out is not None else default_folder(about, *names)
        trials = self.trials(tables)
        directory = StudyDirectory.open(folder, trials, about)
        directory.write_data((next(iter(sets.values())) for sets in tables.values()), self.data)
        kind = self._kind
        return kind.run_type(
            kind,
            directory,
            tuple(trials),
            lambda trial: encoded_split(self, tables[trial.dataset][trial.protected], trial),
            partial(train_together, validation=True, widths=Widths(directory.folder)),
            plan=self,
            tables=tables,
        )

    def run(
        self,
        num_cpus: int | None = None,
        pack_size: int | str | None = None,
        progress: bool = False,
        log: Sequence[str] = (),
        gpus_per_pack: float = 0.0,
        address: str | None = None,
        storage: str | None = None,
        engine: str = "auto",
    ) -> SettingsOutcome:
        """Train the missing models and return the outcome.

        Parameters
        ----------
        num_cpus, pack_size, gpus_per_pack, address, storage, engine
            What the study may use: see `grad_ext.sweeps.run.resources.Resources`.
        progress : bool, default False
            Show a progress bar on the standard error.
        log : sequence of {'tensorboard', 'mlflow'}
            What to log every model to, besides the study's own files.

        Raises
        ------
        InputError
            If a value is out of range, the study's data have changed, or another process holds the
            study's lock.
        MissingToolkit
            If a logger is not installed, or Ray where it is needed.
        KeyboardInterrupt
            If the run was interrupted; finished models are kept.
        StudyIncomplete
            If a pack failed; finished models are kept.
        """
        resources = Resources(num_cpus, pack_size, gpus_per_pack, address, storage, engine)
        checked_log(log)
        study = self.open()
        study.run(resources, progress, log)
        outcome: SettingsOutcome = study.result()
        return outcome

    def _followers(self, name: str) -> tuple[str, ...]:
        """Return the settings whose values follow from a setting that varies."""
        followers = {
            "hidden": LAYERS,
            "recipe": DECIDED,
            "variant": tuple(dict.fromkeys(n for names in FOR_AUTO.values() for n in names)),
            "learning_rate": ("attribute_learning_rate",),
        }
        return tuple(each for each in followers.get(name, ()) if each not in self.settings)


def encoded_split(plan: StudyPlan, table: Table, trial: Trial) -> EncodedSplit:
    """Return the encoded rows of a trial of a plan."""
    cut = split(table, trial.split_seed, plan.protocol, cache_folder("splits"))
    return prepare(cut, trial.settings, plan.evaluation, study_kind(plan.kind).others)


def _static(point: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in point.items() if n not in ("lam", "split_seed")}
