"""Train one model of a study again, exactly as the study did, to compare or save it.

    from grad_ext.sweeps.retrain import retrain
    retrain("studies/lambda-german-age-9dbde9", "1").model

A model does not depend on the other models of its pack, so a pack of one gives the same metrics.
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
from grad_ext.data.catalog import known_data_set
from grad_ext.data.encoding import Arrays, Encoder
from grad_ext.data.sensitive import SensitiveAttribute, group_names
from grad_ext.data.split import Split, split
from grad_ext.data.table import Table
from grad_ext.errors import ConstantPredictionWarning, InputError
from grad_ext.evaluation import VALIDATED, EncodedSplit, EvaluationConfig, evaluate, prepare
from grad_ext.files import cache_folder
from grad_ext.method import GRAD, FittedGRAD, Method
from grad_ext.models.fit import Model, constant, exact
from grad_ext.models.sklearn import GRADClassifier, GRADEncoder
from grad_ext.models.training_data import TrainingData
from grad_ext.report.tables import LABELS, MAIN, majority_row, results
from grad_ext.sweeps.folder import StudyDirectory
from grad_ext.sweeps.studies.kinds import kind_of
from grad_ext.sweeps.studies.study import StudyKind
from grad_ext.training.settings import DECIDED
from grad_ext.trial import Record, Trial
from grad_ext.versions import versions

# Most metrics, or keys, named in a message.
NAMED = 5
SHOWN = (*MAIN[:-1], "balanced_delta", MAIN[-1])


@dataclass(frozen=True)
class Retrained:
    """A model of a study, trained again.

    Attributes
    ----------
    trial : Trial
        Its trial.
    original : Record or None
        The record of the study; None if the study has not trained the model yet.
    record : Record
        The new record.
    model : GRADClassifier, GRADEncoder or None
        The model, which predicts the labels in the data's words; None for a method other than GRAD.
        The encoder for GRAD-Auto. ``training_data_`` is what it was trained on.
    versions : mapping of str to (str, str)
        Packages with another version: the version in the study, and the installed one.
    same_labels : (int, int) or None
        How many test rows get the same label from the model, which calculates in float64, as in
        training, and the number of test rows. None without a classifier.
    """

    trial: Trial
    original: Record | None
    record: Record
    model: Any
    versions: Mapping[str, tuple[str, str]]
    same_labels: tuple[int, int] | None

    @property
    def differing(self) -> list[str]:
        """The metrics that are not the study's bit for bit."""
        if self.original is None:
            return []
        metrics = self.record.metrics
        return [
            name
            for name, value in self.original.metrics.items()
            if not np.array_equal(value, metrics.get(name, np.nan), equal_nan=True)
        ]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row per main metric on the test rows: retrained, in the study, of the majority class."""
        majority = majority_row(results([self.record]))
        original = {} if self.original is None else self.original.metrics
        return [
            {
                "metric": name,
                "retrained": self.record.metrics[name],
                "study": original.get(name, np.nan),
                "majority": majority[name],
            }
            for name in SHOWN
        ]

    def lines(self) -> tuple[list[str], list[list[str]]]:
        """Return the rows as text, with a heading."""
        body = [
            [
                LABELS.get(row["metric"], row["metric"].replace("_", " ")),
                *(_text(row[column]) for column in ("retrained", "study", "majority")),
            ]
            for row in self.rows
        ]
        return ["on the test rows", "retrained", "in the study", "majority class"], body

    def sentences(self) -> list[str]:
        """Return a comparison with the study in sentences."""
        sentences = [self._agreement()]
        if self.record.constant:
            sentences.append(
                "The labels predicted for the test rows are constant, or as good as constant."
            )
        if self.same_labels is not None:
            same, rows = self.same_labels
            favorable = self.model.training_data_.favorable
            sentences.append(
                f"The saved model calculates in float64, training in float32: {same} of {rows} test "
                f"rows get the same label from both. It predicts {favorable!r} for the favorable label."
            )
        return sentences

    def _agreement(self) -> str:
        if self.original is None:
            return "The study has not trained this model yet, so there is nothing to compare with."
        if self.original.error:
            return f"The study has no metrics of this model: {self.original.error}."
        count, differing = len(self.original.metrics), self.differing
        if not differing:
            return f"Reproduced bit for bit: all {count} metrics match."
        shown = ", ".join(
            f"{name} {_text(self.record.metrics.get(name, np.nan))} instead of "
            f"{_text(self.original.metrics[name])}"
            for name in differing[:NAMED]
        )
        more = f" and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
        versions = ", ".join(
            f"{name} {old} (installed: {new})" for name, (old, new) in self.versions.items()
        )
        why = (
            f"the study was made with {versions}"
            if versions
            else "the versions are the same, the machine may differ"
        )
        return f"{len(differing)} of {count} metrics differ from the study's: {shown}{more}; {why}."


def find(directory: StudyDirectory, key: str) -> Trial:
    """Return a trial of a study by its key, a prefix of the key, or its row in results.csv.

    Parameters
    ----------
    directory : StudyDirectory
        The study.
    key : str
        The number of the row, counted from 1 below the heading, which is the model's number on the
        report page; or a unique prefix of the trial's key.

    Raises
    ------
    InputError
        If there is no such trial, or the prefix is not unique.
    """
    records = kind_of(directory).records(directory)
    is_row = key.isascii() and key.isdigit() and str(int(key)) == key
    if is_row and 1 <= int(key) <= len(records):
        return records[int(key) - 1].trial
    trials = {t.key: t for t in [*directory.trials, *(record.trial for record in records)]}
    matching = [name for name in trials if key and name.startswith(key.lower())]
    if len(matching) == 1:
        return trials[matching[0]]
    if matching:
        keys = ", ".join(sorted(matching)[:NAMED])
        raise InputError(
            f"{len(matching)} models of {directory.folder} have keys that begin with {key!r}: {keys}"
            f"{' ...' if len(matching) > NAMED else ''}; give more of the key"
        )
    rows = f"a row of results.csv from 1 to {len(records)}, or " if records else ""
    raise InputError(
        f"{directory.folder} has no model {key!r}: expected {rows}the beginning of a model's key, "
        "which the report page shows for the selected model"
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
        Folder of the study.
    key : str
        The model: see `find`.
    table : Table, optional
        The rows, if the study was made of a table.
    data : mapping of str to value, optional
        The file, if the study was made of one: as for `grad_ext.StudyPlan`.
    data_dir : path, optional
        Folder with the files of Diabetes or Health.
    keep : bool, default True
        Whether the model is to be saved, which only GRAD's models can be; if not, any method is
        trained again and compared.

    Raises
    ------
    InputError
        If the folder holds no study, the study has no such model, its rows cannot be loaded or have
        changed, the method cannot be made or saved, or training diverged.
    MissingToolkit
        If the toolkit of the method is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from grad_ext import StudyPlan
    >>> from grad_ext.sweeps.retrain import retrain
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plan = StudyPlan("seed", protected=["age"], settings={"epochs": 1}, seeds=2, out=folder)
    ...     _ = plan.run()
    ...     retrain(folder, "2").differing
    []
    """
    directory = StudyDirectory.read(folder)
    kind, about = kind_of(directory), directory.about
    trial = find(directory, key)
    method = _method(trial, keep)
    records = {record.trial.key: record for record in kind.records(directory)}
    original = records.get(trial.key)
    rows = _table(directory, kind, trial, table, data, data_dir)
    cut = split(rows, trial.split_seed, kind.protocol(about, trial), cache_folder("splits"))
    encoded = prepare(cut, trial.settings, EvaluationConfig(**about["evaluation"]), kind.others)
    capturing = _Capturing(method)
    validated = original is not None and VALIDATED[0] in original.metrics
    [record] = evaluate(capturing, [trial], encoded, validation=validated)
    if record.diverged and keep:
        raise InputError(
            f"training {trial.key} diverged ({record.error}): there is no model to save"
        )
    installed, planned = versions(), directory.plan().get("versions", {})
    others = {n: (v, installed[n]) for n, v in planned.items() if installed.get(n, v) != v}
    model, same = None, None
    if not trial.baseline and not record.diverged:
        model = _estimator(trial, capturing.fitted, cut, encoded)
        protocol = kind.protocol(about, trial)
        model.training_data_ = TrainingData.of(rows, cut, trial.split_seed, protocol)
        if isinstance(model, GRADClassifier):
            same = _same(model, capturing.fitted, cut, encoded.test.X)
    return Retrained(trial, original, record, model, others, same)


class _Capturing:
    """A method that stores what it fitted."""

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


def _method(trial: Trial, keep: bool) -> Method:
    """Return the method of a trial, whose model is to be saved or not."""
    if not trial.baseline:
        return GRAD()
    if trial.baseline not in BASELINES:
        raise InputError(
            f"{trial.baseline!r} is an estimator of your own, which only your own code can make: pass "
            "it to grad_ext.compare again"
        )
    if keep:
        raise InputError(
            f"{trial.baseline!r} is not GRAD's, and only GRAD's models can be saved; without --save it "
            "is trained again and compared"
        )
    return baseline(trial.baseline).method(**dict(trial.options))


def _table(
    directory: StudyDirectory,
    kind: StudyKind,
    trial: Trial,
    table: Table | None,
    data: Mapping[str, Any] | None,
    data_dir: str | Path | None,
) -> Table:
    """Return the rows of a trial, and check that they are those of the study."""
    # A file may have the name of a data set of the catalog.
    own = directory.has_own_data or known_data_set(trial.dataset) is None
    if table is None and data is None and own:
        data = directory.file()
    if table is None and data is None and own:
        raise InputError(
            f"{directory.folder} is about {trial.dataset!r}, a file of your own: name it with --data, "
            "and describe it as for the study, such as with --label"
        )
    if data is not None and not own:
        raise InputError(
            f"{directory.folder} is about the data set {trial.dataset!r}: leave out --data"
        )
    rows = kind.table(directory, trial, table, data, data_dir)
    expected, digest = kind.digest(directory.about, trial), rows.digest()
    if expected not in (None, digest):
        raise InputError(
            f"{directory.folder} was made with other rows of {trial.dataset}: their digest was "
            f"{expected!r}, now it is {digest!r}; give the same rows and the same description"
        )
    return rows


def _estimator(trial: Trial, fitted: FittedGRAD, cut: Split, encoded: EncodedSplit) -> Any:
    """Return a fitted pack of one as a fitted estimator."""
    settings = trial.settings
    frame = cut.train.inputs(settings.use_protected)
    encoder = Encoder(settings.encoding).fit(frame)
    parts = [encoded.training.only(trial.protected), encoded.validation.only(trial.protected)]
    with warnings.catch_warnings():
        # `Retrained.sentences` reports it.
        warnings.simplefilter("ignore", ConstantPredictionWarning)
        is_constant = constant(fitted, parts, trial.lam)
    lam = trial.lam
    estimator_class = GRADEncoder if settings.variant == "auto" else GRADClassifier
    estimator = estimator_class(
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
    protected = {attribute.name: attribute for attribute in cut.train.protected}
    estimator.attributes_ = tuple(
        _attribute(protected[name], cut.train) for name in trial.protected
    )
    estimator.classes_ = np.array(cut.train.label_words)
    estimator.n_features_in_ = frame.shape[1]
    estimator.feature_names_in_ = np.array(frame.columns, dtype=object)
    estimator.seed_ = trial.seed
    return estimator._set_model(Model(encoder, exact(fitted), is_constant), trial.lam)


def _attribute(protected: SensitiveAttribute, train: Table) -> SensitiveAttribute:
    if protected.continuous:
        return SensitiveAttribute(protected.name, protected.name, continuous=True)
    if train.report is None:
        levels = tuple(protected.levels or ("others", "privileged"))
    else:
        levels = group_names(protected, train.frame[protected.column])
    return SensitiveAttribute(protected.name, protected.name, levels=levels)


def _same(model: Any, fitted: FittedGRAD, cut: Split, X: NDArray[np.float32]) -> tuple[int, int]:
    """Return how many test rows get the same label from the model as in training, and their number."""
    saved = model.predict(cut.test.frame[list(model.feature_names_in_)]) == model.classes_[1]
    trained = fitted.scores(X)[0, 0] >= 0.5
    return int((saved == trained).sum()), len(trained)


def _text(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.4f}"
