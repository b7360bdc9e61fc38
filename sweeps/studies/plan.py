"""What a study is to try: one object, whether the command line, a file or Python gave it.

    from grad_ext import StudyPlan
    StudyPlan("grid", protected=["age"], set={"lam": [1, 100], "hidden": [20, 40]}, seeds=3).run()

Equal plans make the same study: the same folder, the same models, the same figures.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from grad_ext.data import DATA_SETS, load_dataset
from grad_ext.data.options import table_from_options
from grad_ext.data.split import PROTOCOLS, checked_protocol, split
from grad_ext.data.table import Table
from grad_ext.errors import InputError, MissingToolkit, unknown
from grad_ext.evaluation import EncodedSplit, EvaluationConfig, prepare
from grad_ext.files import cache_folder
from grad_ext.report.figures.style import WRITTEN
from grad_ext.report.statistics.settings import PLANE, checked_objectives
from grad_ext.sweeps.folder import StudyDirectory, default_folder
from grad_ext.sweeps.run.cluster import environment
from grad_ext.sweeps.run.loggers import checked_log
from grad_ext.sweeps.run.memory import Widths
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.run.tune import run, train_together
from grad_ext.sweeps.studies.outcome import Outcome, written
from grad_ext.sweeps.studies.values import LAMBDAS, ONCE, Range, Values, settings_of, value, values
from grad_ext.training.settings import DECIDED, FOR_AUTO, LAMBDA
from grad_ext.training.targets import check_cells
from grad_ext.trial import RowsKey, Trial

# Models for each choice of settings, unless told otherwise, by kind of study.
SEEDS = {"lambda": 10, "seed": 30, "grid": 5, "search": 3}
KINDS = tuple(SEEDS)
# What describes a file of the user's: see `grad_ext.data.options.table_from_options`.
FILE = (
    *("path", "label", "favorable", "continuous", "features", "drop", "weights", "groups"),
    "missing",
)
SCHEDULERS = ("none", "asha")
MODELS = 60
# One protected set, and all of a data set.
Set = tuple[str, ...]
Sets = tuple[Set, ...]


@dataclass(frozen=True)
class Search:
    """How a search goes.

    Attributes
    ----------
    models : int
        How many models to train at most; a choice of settings takes as many as there are seeds.
    objectives : tuple of str
        What is sought on the validation rows: `grad_ext.report.statistics.settings.OBJECTIVES`.
    seed : int
        Of the search algorithm.
    scheduler : {'none', 'asha'}
        What ends poor models early.
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
            _whole(f"search: {name}", getattr(self, name), least)
        if self.scheduler not in SCHEDULERS:
            raise unknown("scheduler", self.scheduler, SCHEDULERS)


@dataclass(frozen=True)
class StudyPlan:
    """A study to be run: data sets, protected attributes, settings and seeds.

    Parameters
    ----------
    kind : {'lambda', 'seed', 'grid', 'search'}
        What varies beside the seeds: λ, with a curve for each choice of what else `set` names;
        nothing; whatever `set` names, all values crossed; or what it names, chosen by a search.
    dataset : str, Table, or sequence of them
        Names (`grad_ext.load_dataset`) or tables of one's own.
    protected : sequence of str, sequence of sequences, or mapping
        The attributes to protect; several sets of them, each with models of its own; or either by
        the name of the data set. If not given, a data set's first attribute, or all of a table's.
    set : mapping of str to value or list of values
        What varies: settings (`grad_ext.training.settings.Settings`), ``lam``, ``split_seed``, or ``hidden``,
        the units of every layer. In a search also ranges: '1:1000:log'.
    settings : mapping of str to value
        What does not vary and is not the recipe's.
    seeds : int or sequence of int
        Models for each choice: seeds 0, 1, 2 ..., or these. If not given: 10 in a λ study, 30 in a
        seed study, 5 in a grid, 3 in a search.
    split_seed : int
        Of the rows' division.
    protocol : str
        How rows are divided: see `grad_ext.data.split.split`.
    evaluation : mapping of str to value, or EvaluationConfig
        How models are judged: see `grad_ext.evaluation.EvaluationConfig`.
    data : mapping of str to value
        A CSV or Parquet file instead of a data set: its ``path``, ``label`` and the rest of
        `grad_ext.load_table`, as the options of the command line have it.
    data_dir : path
        Folder with the files of Diabetes or Health.
    search : mapping of str to value, or Search
        How a search goes.
    out : path
        Folder of the study; one below studies/ if not given.

    Raises
    ------
    InputError
        If anything makes no sense, before any work begins.

    Examples
    --------
    >>> from grad_ext import StudyPlan
    >>> study = StudyPlan("grid", protected=["age"], set={"lam": [1, 100], "hidden": [20, 40]}, seeds=3)
    >>> len(study.trials())
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
        if self.kind not in KINDS:
            raise unknown("kind of study", self.kind, KINDS)
        for name in ("set", "settings", *(n for n in ("data", "search") if self._given(n))):
            if not isinstance(getattr(self, name), (Mapping, Search)):
                raise InputError(f"{name}: expected names and values, got {getattr(self, name)!r}")
        _whole("split_seed", self.split_seed, 0)
        if self.protocol not in PROTOCOLS:
            raise unknown("protocol", self.protocol, PROTOCOLS)
        self._put("dataset", self._datasets())
        self._put("protected", _by_name(self.protected, self.names))
        self._put("settings", {n: value(n, v) for n, v in self.settings.items() if v is not None})
        self._put("set", self._varied())
        self._put("seeds", _seeds(SEEDS[self.kind] if self.seeds is None else self.seeds))
        self._put("evaluation", _made(EvaluationConfig, "evaluation", self.evaluation))
        if self.search is not None and self.kind != "search":
            raise InputError(f"search: belongs to a search, this is a {self.kind} study")
        self._put("search", _made(Search, "search", self.search) if self.kind == "search" else None)
        for given in self.choices():
            settings_of(given)

    def _put(self, name: str, found: object) -> None:
        object.__setattr__(self, name, found)

    def _given(self, name: str) -> bool:
        return getattr(self, name) is not None

    def _datasets(self) -> tuple[Any, ...]:
        listed = self.dataset if isinstance(self.dataset, (list, tuple)) else [self.dataset]
        if self.data is not None:
            for name in self.data:
                if name not in FILE:
                    raise unknown("entry of data", name, FILE)
            if "path" not in self.data:
                raise InputError("data: expected the path of a file")
            listed = [Path(self.data["path"]).stem]
        names = []
        for each in listed:
            if not isinstance(each, (str, Table)):
                raise InputError(f"dataset: expected a name or a Table, got {each!r}")
            if isinstance(each, str) and self.data is None and each not in DATA_SETS:
                raise unknown("data set", each, DATA_SETS)
            names.append(each if isinstance(each, str) else each.name)
        if not names or len({*names}) < len(names):
            raise InputError(f"dataset: expected one or more, each once, got {names}")
        return tuple(listed)

    def _varied(self) -> dict[str, Values]:
        found = {name: values(name, given) for name, given in self.set.items()}
        for name in found:
            if name in self.settings:
                raise InputError(f"{name} is both fixed (settings) and varied (set)")
        for name, given in found.items():
            if isinstance(given, Range) and self.kind != "search":
                raise InputError(f"{name}: a range such as {given} is for a search")
        if self.kind == "lambda":
            found.setdefault("lam", LAMBDAS)
        if self.kind == "seed":
            for name in found:
                if name != "lam":
                    raise InputError(
                        f"a seed study fixes {name}: give it one value in the settings, or make it a "
                        "grid"
                    )
            lams = found.setdefault("lam", (LAMBDA,))
            if not (isinstance(lams, tuple) and len(lams) == 1):
                raise InputError(f"a seed study has one λ, got {lams}")
        if not found:
            raise InputError(f"a {self.kind} needs something to vary, such as lam=1,10,100")
        for name in ("lam", "split_seed"):
            if name in self.settings:
                raise InputError(f"{name} is no setting of the network: it belongs to set")
        return found

    def choices(self) -> Iterator[dict[str, Any]]:
        """Yield the settings of every point; of a search, of each value and end by itself."""
        for point in self.points() if self.kind != "search" else self._alone():
            yield {**self.settings, **_static(point)}

    def _alone(self) -> Iterator[dict[str, Any]]:
        for name, given in self.set.items():
            ends = (given.low, given.high) if isinstance(given, Range) else given
            yield from ({name: one} for one in ends)

    @classmethod
    def from_file(cls, path: str | Path) -> StudyPlan:
        """Return the plan that a TOML or YAML file holds: the parameters above, by name.

        Raises
        ------
        InputError
            If it cannot be read, has an entry that there is not, or a value that does not fit.
        MissingToolkit
            If it is YAML and PyYAML is not installed.
        """
        path = Path(path)
        content = _read(path)
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
        """The names of what varies beside the seeds, λ always among them."""
        return tuple(dict.fromkeys(["lam", *self.set]))

    def points(self) -> list[dict[str, Any]]:
        """Return every choice of what varies, in order; of a search there is none beforehand."""
        if self.kind == "search":
            return []
        return [dict(zip(self.set, one, strict=True)) for one in product(*self.set.values())]

    def tables(self) -> dict[str, dict[Set, Table]]:
        """Load the data: by name, and for each protected set.

        Raises
        ------
        InputError
            If a data set cannot be had, or has no such attribute.
        """
        return {
            name: self._protecting(each)
            for name, each in zip(self.names, self.dataset, strict=True)
        }

    def _protecting(self, dataset: str | Table) -> dict[Set, Table]:
        name = dataset if isinstance(dataset, str) else dataset.name
        sets = self.protected.get(name)
        every = None if sets is None else list(dict.fromkeys(a for one in sets for a in one))
        if self.data is not None:
            described = {n: _listed(v) for n, v in self.data.items() if n != "path"}
            listed = None if every is None else ",".join(every)
            table = table_from_options(
                protected=listed, data=self.data["path"], data_dir=self.data_dir, **described
            )
        elif isinstance(dataset, Table):
            table = dataset if every is None else dataset.protecting(every)
        else:
            table = load_dataset(dataset, every, self.data_dir)
        return {one: table.protecting(one) for one in sets or (table.attribute_names,)}

    def trial(self, table: Table, point: Mapping[str, Any], seed: int) -> Trial:
        """Return one model of a choice of what varies."""
        return Trial(
            table.name,
            table.attribute_names,
            point.get("lam", LAMBDA),
            seed,
            point.get("split_seed", self.split_seed),
            settings_of({**self.settings, **_static(point)}),
        )

    def choice_trials(self, table: Table, point: Mapping[str, Any]) -> list[Trial]:
        """Return the models of a choice of what varies, one for each seed."""
        return [self.trial(table, point, seed) for seed in self.seeds]

    def trials(self, tables: Mapping[str, Mapping[Set, Table]] | None = None) -> list[Trial]:
        """Return all models that are known beforehand; `tables` are loaded if not given."""
        loaded = self.tables() if tables is None else tables
        return [
            trial
            for sets in loaded.values()
            for table in sets.values()
            for point in self.points()
            for trial in self.choice_trials(table, point)
        ]

    def about(self, tables: Mapping[str, Mapping[Set, Table]]) -> dict[str, Any]:
        """Return what makes it this study: all but the values of what varies, and the seeds.

        So more values and seeds extend a study, and anything else makes another one.
        """
        fixed = asdict(settings_of(self.settings))
        for name in self.set:
            for follower in (name, *self._followers(name)):
                fixed.pop(follower, None)
        # All of a study's protected sets: a digest of the rows and of all that is protected.
        return {
            "kind": self.kind,
            "dataset": {
                name: {
                    "protected": sorted(",".join(one) for one in sets),
                    "protocol": checked_protocol(next(iter(sets.values())), self.protocol),
                }
                for name, sets in tables.items()
            },
            "data": {
                name: {",".join(one): table.digest() for one, table in sets.items()}
                for name, sets in tables.items()
            },
            "varied": sorted(self.varied),
            **({"lam": self.set["lam"]} if self.kind == "seed" else {}),
            **({} if "split_seed" in self.set else {"split_seed": self.split_seed}),
            "settings": fixed,
            "evaluation": asdict(self.evaluation),
            **(self._sought() if self.kind == "search" else {}),
        }

    def open(self) -> Opened:
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
        return Opened(self, StudyDirectory.open(folder, trials, about), tables, tuple(trials))

    def run(
        self,
        num_cpus: int | None = None,
        pack_size: int | str | None = None,
        progress: bool = False,
        log: Sequence[str] = (),
        gpus_per_pack: float = 0.0,
        address: str | None = None,
        storage: str | None = None,
    ) -> Outcome:
        """Train what is missing and return what came out.

        Parameters
        ----------
        num_cpus, pack_size, gpus_per_pack, address, storage
            What it may use: see `grad_ext.sweeps.run.resources.Resources`.
        progress : bool, default False
            Show on the standard error how far it is.
        log : sequence of {'tensorboard', 'mlflow'}
            What to log every model to, beside the study's own files.

        Raises
        ------
        InputError
            If something makes no sense, the study's data have changed, or another process works on
            it.
        MissingToolkit
            If Ray, or what to log to, is not installed.
        KeyboardInterrupt
            If it was interrupted; what is done is kept.
        StudyIncomplete
            If a pack failed; what is done is kept.
        """
        resources = Resources(num_cpus, pack_size, gpus_per_pack, address, storage)
        checked_log(log)
        opened = self.open()
        opened.run(resources, progress, log)
        return opened.result()

    def _sought(self) -> dict[str, Any]:
        """Return what makes it this search: everything but for how many models it may train."""
        how = {n: v for n, v in asdict(self.search).items() if n != "models"}
        space = {n: str(v) if isinstance(v, Range) else list(v) for n, v in self.set.items()}
        return {"search": how | {"seeds": list(self.seeds)}, "space": space}

    def _followers(self, name: str) -> tuple[str, ...]:
        """Return the settings whose values follow from one that varies."""
        follow = {
            "hidden": ONCE,
            "recipe": DECIDED,
            "variant": tuple(dict.fromkeys(n for names in FOR_AUTO.values() for n in names)),
            "learning_rate": ("attribute_learning_rate",),
        }
        return tuple(each for each in follow.get(name, ()) if each not in self.settings)


def problem_of(plan: StudyPlan, table: Table, trial: Trial) -> EncodedSplit:
    """Return the rows of a trial of a plan, encoded."""
    cut = split(table, trial.split_seed, plan.protocol, cache_folder("splits"))
    return prepare(cut, trial.settings, plan.evaluation)


@dataclass(frozen=True)
class Opened:
    """A study whose data are loaded and whose folder is open.

    Attributes
    ----------
    plan : StudyPlan
        What is asked for.
    study : StudyDirectory
        The folder, and all that belongs to it.
    tables : mapping
        The data, by name and protected set.
    asked : tuple of Trial
        The models that are known beforehand.
    """

    plan: StudyPlan
    study: StudyDirectory
    tables: Mapping[str, Mapping[Set, Table]]
    asked: tuple[Trial, ...]

    @property
    def models(self) -> int:
        """How many models the study is to have; of a search, at most."""
        return self.plan.search.models if self.plan.kind == "search" else len(self.study.trials)

    def encoded(self, trial: Trial) -> EncodedSplit:
        """Return the rows of a trial, encoded."""
        return problem_of(self.plan, self.tables[trial.dataset][trial.protected], trial)

    def run(
        self,
        resources: Resources | None = None,
        progress: bool = False,
        log: Sequence[str] = (),
    ) -> None:
        """Train what is missing; errors are those of `Study.run`."""
        resources = resources or Resources()
        if self.plan.kind == "search":
            with environment():
                from grad_ext.sweeps.studies.search import search

                return search(self, resources, progress, log)
        names = checked_log(log)
        asked = {trial.key for trial in self.asked}
        missing = [trial for trial in self.study.missing() if trial.key in asked]
        encoded_splits: dict[RowsKey, EncodedSplit] = {}
        for trial in missing:
            if trial.rows not in encoded_splits:
                encoded_splits[trial.rows] = self.encoded(trial)
        # Rows are checked for the constraint that they were prepared for; others may vary.
        for rows, constraint in sorted({(t.rows, t.settings.constraint) for t in missing}, key=str):
            check_cells(constraint, encoded_splits[rows].training)
        widths = Widths(self.study.folder)
        carry = partial(train_together, validation=True, widths=widths)
        run(self.study, encoded_splits, resources, progress, carry, only=self.asked, log=names)

    def result(self, formats: Sequence[str] = WRITTEN) -> Outcome:
        """Write what is there as results.csv, figures and report.html, and return it."""
        return written(StudyDirectory.read(self.study.folder), formats)


def _static(point: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in point.items() if n not in ("lam", "split_seed")}


def _made(kind: type[Any], what: str, given: Any) -> Any:
    """Return an object of a few named values."""
    if isinstance(given, kind):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{what}: expected names and values, got {given!r}")
    known = [each.name for each in fields(kind)]
    for name in given or {}:
        if name not in known:
            raise unknown(f"entry of {what}", name, known)
    try:
        return kind(**(given or {}))
    except TypeError as error:
        raise InputError(f"{what}: a value is of the wrong type: {error}") from None


def _whole(name: str, given: object, least: int) -> None:
    if type(given) is not int or given < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {given!r}")


def _seeds(given: object) -> tuple[int, ...]:
    if type(given) is int:
        _whole("seeds", given, 1)
        given = range(given)
    if not isinstance(given, (list, tuple, range)):
        raise InputError(f"seeds: expected how many, or a list of them, got {given!r}")
    if not given:
        raise InputError("expected at least one seed, got none")
    for seed in given:
        _whole("seed", seed, 0)
    return tuple(sorted({*given}))


def _names(what: str, given: object) -> Set:
    if not isinstance(given, (list, tuple)) or not given:
        raise InputError(f"{what}: expected a list of names, got {given!r}")
    if any(not isinstance(name, str) for name in given):
        raise InputError(f"{what}: expected names of attributes, got {given!r}")
    if len({*given}) < len(given):
        raise InputError(f"protected attributes must differ, got {list(given)!r}")
    return tuple(given)


def _sets(what: str, given: object) -> Sets:
    if isinstance(given, (list, tuple)) and given and not isinstance(given[0], str):
        found = tuple(_names(what, one) for one in given)
    else:
        found = (_names(what, given),)
    # A pack's figures do not depend on the order in which the sets are named.
    return tuple(sorted({*found}))


def _by_name(given: object, names: Sequence[str]) -> dict[str, Sets]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {name: _sets("protected", given) for name in names}
    for name in given:
        if name not in names:
            raise unknown("data set of this study", name, names)
    return {name: _sets(f"protected of {name}", one) for name, one in given.items()}


def _listed(given: Any) -> Any:
    """Return a list of columns as the text with commas that options have."""
    return ",".join(given) if isinstance(given, (list, tuple)) else given


def _read(path: Path) -> Any:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the plan {path}: {error}") from None
    if path.suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path} is no TOML: {error}") from None
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path}: expected a plan in a .toml, .yaml or .yml file")
    try:
        import yaml
    except ImportError as error:
        raise MissingToolkit("PyYAML", "tune") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
