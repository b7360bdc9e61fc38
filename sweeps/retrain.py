"""One model of a study trained again, exactly as the study did, to be compared and kept.

    from grad_ext.sweeps.retrain import retrain
    retrain("studies/lambda-german-age-9dbde9", "1").model

A model's figures do not depend on which others are trained with it, so a pack of one gives those of
the record.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grad_ext.adapters.registry import BASELINES, baseline
from grad_ext.data import DATA_SETS, load_dataset
from grad_ext.data.encoding import Arrays, Encoder
from grad_ext.data.options import table_from_options
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.split import Split, split
from grad_ext.data.table import Table
from grad_ext.errors import ConstantPredictionWarning, InputError
from grad_ext.evaluation import VALIDATED, EncodedSplit, EvaluationConfig, evaluate, prepare
from grad_ext.files import cache_folder
from grad_ext.method import GRAD, FittedGRAD, Method
from grad_ext.models.fit import Model, constant, exact
from grad_ext.models.sklearn import GRADClassifier, GRADEncoder
from grad_ext.report.tables import LABELS, MAIN, majority_row, results
from grad_ext.sweeps.folder import StudyDirectory, versions
from grad_ext.sweeps.studies import comparison, reproduction
from grad_ext.sweeps.studies.plan import StudyPlan
from grad_ext.training.settings import DECIDED
from grad_ext.trial import Record, Trial

# Figures named in words at most.
NAMED = 5
SHOWN = (*MAIN[:-1], "balanced_delta", MAIN[-1])


@dataclass(frozen=True)
class Retrained:
    """A model of a study, trained again.

    Attributes
    ----------
    trial : Trial
        What was trained.
    there : Record or None
        What the study has of it; None if it has not been trained there yet.
    here : Record
        What came out now.
    model : GRADClassifier, GRADEncoder or None
        The model, which predicts 1 for the favorable label; None for a method that is not GRAD's.
        Of GRAD-Auto it is the encoder.
    versions : mapping of str to (str, str)
        Packages of which the study was made with another version: that one, and the one here.
    same_labels : (int, int) or None
        How many test rows get the label from the model that they got in training, and how many
        there are: a model to be kept calculates in float64. None where there is no classifier.
    """

    trial: Trial
    there: Record | None
    here: Record
    model: Any
    versions: Mapping[str, tuple[str, str]]
    same_labels: tuple[int, int] | None

    @property
    def differing(self) -> list[str]:
        """The figures that are not those of the study, to the last bit."""
        if self.there is None:
            return []
        there, here = self.there.metrics, self.here.metrics
        return [
            name
            for name, value in there.items()
            if not np.array_equal(value, here.get(name, np.nan), equal_nan=True)
        ]

    @property
    def figures(self) -> list[dict[str, Any]]:
        """A row for each main figure on the test rows: here, in the study, of the majority class."""
        majority = majority_row(results([self.here]))
        there = {} if self.there is None else self.there.metrics
        return [
            {
                "figure": name,
                "here": self.here.metrics[name],
                "study": there.get(name, np.nan),
                "majority": majority[name],
            }
            for name in SHOWN
        ]

    def lines(self) -> tuple[list[str], list[list[str]]]:
        """Return the figures as a heading and lines of text."""
        body = [
            [
                LABELS.get(row["figure"], row["figure"].replace("_", " ")),
                *(_text(row[of]) for of in ("here", "study", "majority")),
            ]
            for row in self.figures
        ]
        return ["on the test rows", "trained again", "in the study", "majority class"], body

    def words(self) -> list[str]:
        """Return how the figures compare with the study's, in sentences."""
        said = [self._agreement()]
        if self.here.constant:
            said.append("It gives every test row the same label: it predicts nothing.")
        if self.same_labels is not None:
            same, rows = self.same_labels
            said.append(
                f"The model calculates in float64, training in float32: {same} of {rows} test rows "
                "get the same label from both. It predicts 1 for the favorable label, else 0."
            )
        return said

    def _agreement(self) -> str:
        if self.there is None:
            return "The study has not trained this model yet: there is nothing to compare with."
        if self.there.error:
            return f"In the study this model has no figures: {self.there.error}."
        count, changed = len(self.there.metrics), self.differing
        if not changed:
            return f"All {count} figures are those of the study, to the last bit."
        shown = ", ".join(
            f"{name} {_text(self.here.metrics.get(name, np.nan))} instead of "
            f"{_text(self.there.metrics[name])}"
            for name in changed[:NAMED]
        )
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        made = ", ".join(f"{n} {there} ({here} here)" for n, (there, here) in self.versions.items())
        why = (
            f"it was made with {made}"
            if made
            else "the versions are the same, the machine may not be"
        )
        return f"{len(changed)} of {count} figures differ from the study's: {shown}{more}; {why}."


def find(study: StudyDirectory, key: str) -> Trial:
    """Return a trial of a study by its key, a beginning of it, or its row in results.csv.

    Parameters
    ----------
    study : StudyDirectory
        The study.
    key : str
        The row's number counted from 1, below the heading, which is the model's number on the
        report page; or as much of the trial's key as no other of the study begins with.

    Raises
    ------
    InputError
        If it is none of these, or several trials begin with it.
    """
    rows = _rows(study)
    row = key.isascii() and key.isdigit() and str(int(key)) == key
    if row and 1 <= int(key) <= len(rows):
        return rows[int(key) - 1].trial
    every = {trial.key: trial for trial in [*study.trials, *(record.trial for record in rows)]}
    found = [name for name in every if key and name.startswith(key.lower())]
    if len(found) == 1:
        return every[found[0]]
    if found:
        listed = ", ".join(sorted(found)[:NAMED])
        raise InputError(
            f"{len(found)} models of {study.folder} have keys that begin with {key!r}: {listed}"
            f"{' ...' if len(found) > NAMED else ''}; give more of the key"
        )
    there = f"a row of results.csv from 1 to {len(rows)}, or " if rows else ""
    raise InputError(
        f"{study.folder} has no model {key!r}: expected {there}the beginning of a model's key, which "
        "the report page shows for the model that is chosen there"
    )


def retrain(
    folder: str | Path,
    key: str,
    *,
    table: Table | None = None,
    data: Mapping[str, Any] | None = None,
    data_dir: str | Path | None = None,
    keep: bool = True,
) -> Retrained:
    """Train a model of a study again.

    Parameters
    ----------
    folder : path
        The study's.
    key : str
        Which model: see `find`.
    table : Table, optional
        The rows, where the study was made of a table.
    data : mapping of str to value, optional
        The file, where the study was made of one: as for `grad_ext.Study`.
    data_dir : path, optional
        Folder with the files of Diabetes or Health.
    keep : bool, default True
        Whether the model is wanted, and not its figures alone; then it must be one of GRAD's.

    Raises
    ------
    InputError
        If the folder holds no study or the study no such model, its rows are not there or have
        changed, the method cannot be made or kept, or training diverged.
    MissingToolkit
        If what the method needs is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from grad_ext import StudyPlan
    >>> from grad_ext.sweeps.retrain import retrain
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = StudyPlan("seed", protected=["age"], settings={"epochs": 1}, seeds=2, out=folder)
    ...     _ = study.run()
    ...     retrain(folder, "2").differing
    []
    """
    study = StudyDirectory.read(folder)
    trial = find(study, key)
    method = _method(trial, keep)
    known = {record.trial.key: record for record in _rows(study)}
    there = known.get(trial.key)
    rows = _table(study, trial, table, data, data_dir)
    cut = split(rows, trial.split_seed, _protocol(study.about, trial), cache_folder("splits"))
    encoded = _prepared(study.about, cut, trial)
    kept = _Keeping(method)
    validated = there is not None and VALIDATED[0] in there.metrics
    [here] = evaluate(kept, [trial], encoded, validation=validated)
    if here.diverged and keep:
        raise InputError(f"training {trial.key} diverged ({here.error}): there is no model to keep")
    made = study.plan().get("versions", {})
    now = versions()
    others = {n: (v, now[n]) for n, v in made.items() if n in now and now[n] != v}
    model, same = None, None
    if not trial.baseline and not here.diverged:
        model = _estimator(trial, kept.fitted, cut, encoded)
        if isinstance(model, GRADClassifier):
            same = _same(model, kept.fitted, cut, encoded.test.X)
    return Retrained(trial, there, here, model, others, same)


class _Keeping:
    """A method that keeps what it fitted."""

    fitted: Any

    def __init__(self, method: Method) -> None:
        self.method = method

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> Any:
        self.fitted = self.method.fit(trials, training, validation, on_epoch)
        return self.fitted


def _rows(study: StudyDirectory) -> list[Record]:
    """Return the records of a study in the order of results.csv."""
    return comparison.listed(study) if study.about.get("kind") == "compare" else study.records()


def _method(trial: Trial, keep: bool) -> Method:
    """Return the method of a trial, of which a model is to be kept or not."""
    if not trial.baseline:
        return GRAD()
    if trial.baseline not in BASELINES:
        raise InputError(
            f"{trial.baseline!r} is an estimator of your own, which your own code alone can make: give "
            "it to grad_ext.compare once more"
        )
    if keep:
        raise InputError(
            f"{trial.baseline!r} is not GRAD's, whose models alone can be saved; without --save it is "
            "trained again and compared"
        )
    return baseline(trial.baseline).method(**dict(trial.options))


def _table(
    study: StudyDirectory,
    trial: Trial,
    table: Table | None,
    data: Mapping[str, Any] | None,
    data_dir: str | Path | None,
) -> Table:
    """Return the rows of a trial, which are those that the study had."""
    about, kind = study.about, str(study.about.get("kind"))
    if table is None and data is None and trial.dataset not in DATA_SETS:
        raise InputError(
            f"{study.folder} is about {trial.dataset!r}, a file of your own: name it with --data, and "
            "what describes it as for the study, such as --label"
        )
    if data is not None and trial.dataset in DATA_SETS:
        raise InputError(
            f"{study.folder} is about the data set {trial.dataset!r}: leave out --data"
        )
    if kind.startswith("reproduce-"):
        # No digest is kept: these data sets are known by their checksums.
        names = [*trial.protected, *trial.watched]
        return load_dataset(trial.dataset, names, data_dir).known()
    if kind == "compare":
        if table is None:
            name = trial.dataset if data is None else None
            described = {n: v for n, v in (data or {}).items() if n != "path"}
            path = None if data is None else data["path"]
            joined = ",".join(trial.protected)
            table = table_from_options(name, joined, data=path, data_dir=data_dir, **described)
        rows = table.protecting(trial.protected).known()
        expected = about["data"]
    else:
        sets = sorted({t.protected for t in study.trials if t.dataset == trial.dataset})
        of = trial.dataset if table is None else table
        plan = StudyPlan("seed", of, sets, data=data, data_dir=data_dir)
        rows = plan.tables()[plan.names[0]][trial.protected]
        expected = about["data"][trial.dataset][",".join(trial.protected)]
    found = rows.digest()
    if found != expected:
        raise InputError(
            f"{study.folder} was made of other rows of {trial.dataset}: their digest was "
            f"{expected!r}, now it is {found!r}; give the rows, and what describes them, as they were"
        )
    return rows


def _protocol(about: Mapping[str, Any], trial: Trial) -> str:
    if "protocol" in about:
        return str(about["protocol"])
    return str(about["dataset"][trial.dataset]["protocol"]) if "dataset" in about else "auto"


def _prepared(about: Mapping[str, Any], cut: Split, trial: Trial) -> EncodedSplit:
    others = reproduction.OTHERS if str(about.get("kind")).startswith("reproduce-") else None
    return prepare(cut, trial.settings, EvaluationConfig(**about["evaluation"]), others)


def _estimator(trial: Trial, fitted: FittedGRAD, cut: Split, encoded: EncodedSplit) -> Any:
    """Return a fitted pack of one as an estimator, as its `fit` would have left it."""
    settings = trial.settings
    frame = cut.train.inputs(settings.use_protected)
    encoder = Encoder(settings.encoding).fit(frame)
    seen = [encoded.training.only(trial.protected), encoded.validation.only(trial.protected)]
    with warnings.catch_warnings():
        # That it is constant is said in words.
        warnings.simplefilter("ignore", ConstantPredictionWarning)
        alike = constant(fitted, seen, trial.lam)
    lam = trial.lam
    of = GRADEncoder if settings.variant == "auto" else GRADClassifier
    made = of(
        lam=dict(zip(trial.protected, lam, strict=True)) if isinstance(lam, tuple) else lam,
        trunk=settings.trunk,
        branch=settings.branch,
        recipe=settings.recipe,
        constraint=settings.constraint,
        lr_schedule=settings.lr_schedule,
        warmup_schedule=settings.warmup_schedule,
        random_state=trial.seed,
        **{name: getattr(settings, name) for name in DECIDED},
    )
    of_name = {attribute.name: attribute for attribute in cut.train.protected}
    made.attributes_ = tuple(_attribute(of_name[name]) for name in trial.protected)
    made.classes_ = np.array([0, 1])
    made.n_features_in_ = frame.shape[1]
    made.feature_names_in_ = np.array(frame.columns, dtype=object)
    made.seed_ = trial.seed
    return made._keep(Model(encoder, exact(fitted), alike))


def _attribute(protected: SensitiveAttribute) -> SensitiveAttribute:
    if protected.continuous:
        return SensitiveAttribute(protected.name, protected.name, continuous=True)
    levels = tuple(protected.levels or ("others", "privileged"))
    return SensitiveAttribute(protected.name, protected.name, levels=levels)


def _same(model: Any, fitted: FittedGRAD, cut: Split, X: NDArray[np.float32]) -> tuple[int, int]:
    """Return how many test rows get one label from the model and in training, and how many there are."""
    kept = model.predict(cut.test.frame[list(model.feature_names_in_)]) == 1
    trained = fitted.scores(X)[0, 0] >= 0.5
    return int((kept == trained).sum()), len(trained)


def _text(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.4f}"
