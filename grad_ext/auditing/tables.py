"""Audit models on the rows of a `Table`: a fitted model, or GRAD trained on the table's training set.

from grad_ext import load, load_dataset
from grad_ext.auditing.tables import audit_table, evaluation_rows
test = evaluation_rows(load_dataset("german", ["age", "sex"]))
print(audit_table(load("model.safetensors"), test))
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grad_ext.auditing.audit import FOLDS, Audit, audit, check_options
from grad_ext.auditing.plain import plain_representation
from grad_ext.data.encoding import Encoder, arrays
from grad_ext.data.split import Split, split
from grad_ext.data.table import Table
from grad_ext.errors import InputError, unknown
from grad_ext.files import write_atomically
from grad_ext.method import GRAD
from grad_ext.models.tables import (
    audit_arguments,
    continuous_names,
    favorable_predictions,
    favorable_scores,
    group_frame,
)
from grad_ext.models.workflow import loaded, split_for_model
from grad_ext.report.card import Predictions, model_card
from grad_ext.trial import Trial

ROWS = ("test", "all")


def evaluation_rows(
    table: Table, rows: str = "test", split_seed: int = 0, protocol: str = "auto"
) -> Table:
    """Return the rows that a model is evaluated on.

    Parameters
    ----------
    table : Table
        All rows.
    rows : {'test', 'all'}, default 'test'
        The test set of grad-ext's split, or all rows.
    split_seed : int, default 0
        Seed of the split.
    protocol : str, default 'auto'
        How rows are split: see `grad_ext.data.split.split`.

    Raises
    ------
    InputError
        If there is no such choice of rows, or no such protocol.
    """
    if rows not in ROWS:
        raise unknown("choice of rows", rows, ROWS)
    return split(table, split_seed, protocol).test if rows == "test" else table


def audit_table(
    model: Any,
    table: Table,
    *,
    training: Table | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> Audit:
    """Measure how well probes predict the protected attributes from a fitted model.

    Parameters
    ----------
    model : estimator or algorithm of AIF360
        The model, as `grad_ext.load` returns it.
    table : Table
        The rows, best ones that the model was not trained on. Rows of one unit stay in one fold.
    training : Table, optional
        Rows to train the plain network on, with the settings of the model, whose representation is
        audited beside the model's.
    folds, seed : int
        As for `grad_ext.audit`.

    Returns
    -------
    Audit
        AUC and balanced accuracy for each attribute, source and probe.

    Raises
    ------
    InputError
        If the table lacks a column that the model was fitted on, and as `grad_ext.audit` does.

    Examples
    --------
    >>> from grad_ext import GRADClassifier, load_dataset
    >>> from grad_ext.auditing.tables import audit_table, evaluation_rows
    >>> german = load_dataset("german", ["age"])
    >>> model = GRADClassifier(lam=1, epochs=1, random_state=0)
    >>> model = model.fit(german.inputs(), german.y(), sensitive_features=german.a())
    >>> audit_table(model, evaluation_rows(german), folds=2).table["source"].unique().tolist()
    ['features', 'representation', 'scores', 'labels']
    """
    plain = None if training is None else plain_representation(model, training, table, seed)
    arguments = audit_arguments(model, table)
    return audit(model, **arguments, folds=folds, seed=seed, plain=plain)


def audit_training(trial: Trial, parts: Split, table: Table, *, folds: int = FOLDS) -> Audit:
    """Train GRAD and the plain network (λ = 0) on one split, and audit both.

    Parameters
    ----------
    trial : Trial
        Settings, λ and seed of GRAD; the seed is also that of the probes.
    parts : Split
        Training and validation set.
    table : Table
        The rows to audit on, such as the test set of `parts`.
    folds : int, default 5
        As for `grad_ext.audit`.

    Returns
    -------
    Audit
        AUC and balanced accuracy for each attribute, source and probe. Names of sources contain λ:
        ``representation (λ = 100)``.

    Raises
    ------
    InputError
        As `grad_ext.audit` does.

    Examples
    --------
    >>> from grad_ext import load_dataset
    >>> from grad_ext.auditing.tables import audit_training
    >>> from grad_ext.data.split import split
    >>> from grad_ext.training.settings import Settings
    >>> from grad_ext.trial import Trial
    >>> parts = split(load_dataset("german", ["age"]))
    >>> trial = Trial("german", ("age",), 100, settings=Settings(epochs=1))
    >>> result = audit_training(trial, parts, parts.test, folds=2)
    >>> result.table["source"].unique()[:3].tolist()
    ['features', 'representation (λ = 0)', 'representation (λ = 100)']
    """
    check_options(folds, trial.seed)
    use = trial.settings.use_protected
    encoder = Encoder(trial.settings.encoding).fit(parts.train.inputs(use))
    training, validation = (arrays(part, encoder, use) for part in (parts.train, parts.valid))
    X = encoder.transform(table.inputs(use))
    sources: dict[str, Any] = {}
    for lam in dict.fromkeys([0.0, *trial.lams]):
        fitted = GRAD().fit([replace(trial, lam=lam)], training, validation)
        scores = fitted.scores(X)[0, 0]
        suffix = f" (λ = {lam:g})" if trial.reversing else ""
        sources |= {
            f"representation{suffix}": fitted.representations(X)[0].T,
            f"scores{suffix}": scores,
            f"labels{suffix}": scores >= 0.5,
        }
    kinds = ("representation", "scores", "labels")
    return audit(
        {name: sources[name] for kind in kinds for name in sources if name.startswith(kind)},
        table.inputs(use),
        group_frame(table),
        y=table.y(),
        continuous=continuous_names(table),
        folds=folds,
        groups=table.g(),
        seed=trial.seed,
    )


def predictions_on(model: Any, table: Table, rows: str) -> Predictions | None:
    """Return a fitted model's predictions on a table, as `grad_ext.report.card.model_card` takes them.

    Parameters
    ----------
    model : estimator or GRADInProcessing
        The model, as `grad_ext.load` returns it.
    table : Table
        The rows.
    rows : str
        A sentence that describes the rows.

    Returns
    -------
    Predictions or None
        None if the model does not predict labels.

    Raises
    ------
    InputError
        As `grad_ext.models.tables.favorable_predictions` does.
    """
    predictions = favorable_predictions(model, table)
    if predictions is None:
        return None
    trained = getattr(model, "training_data_", None)
    return Predictions(
        rows,
        table.y(),
        predictions,
        group_frame(table, None if trained is None else trained.names_by_attribute),
        continuous_names(table),
        None if (table.w() == 1.0).all() else table.w(),
        None if table.groups is None else table.g(),
        favorable_scores(model, table),
    )


@dataclass(frozen=True)
class Card:
    """The model card of a model.

    Attributes
    ----------
    text : str
        The card in Markdown.
    leakage : Audit
        The attribute leakage that it reports.
    """

    text: str
    leakage: Audit

    def __str__(self) -> str:
        return self.text


def card(
    model: Any,
    data: Any = None,
    out: str | Path | None = None,
    *,
    name: str = "",
    trained_on: str = "",
    folds: int = FOLDS,
    seed: int = 0,
    **rows: Any,
) -> Card:
    """Return the model card of a model, evaluated and audited on rows.

    Parameters
    ----------
    model : estimator or path
        A fitted model, or the file of a saved one.
    data, **rows
        The rows to evaluate it on: see `grad_ext.models.workflow.rows_for_model`.
    out : path, optional
        File to write the card to.
    name : str, optional
        What to call the model; by default the name of its file.
    trained_on : str, optional
        Description of the training data, if the model does not record them.
    folds, seed : int
        As for `grad_ext.audit`.

    Raises
    ------
    InputError
        As `rows_for_model` and `grad_ext.audit` do, and if the file cannot be written.

    Examples
    --------
    >>> import grad_ext
    >>> model = grad_ext.fit("german", protected=["age"], epochs=2, lam=1)
    >>> print(grad_ext.card(model, name="credit", folds=2).text.splitlines()[0])
    # Model card: credit
    """
    check_options(folds, seed)
    fitted = loaded(model)
    if not name:
        name = Path(model).name if isinstance(model, (str, Path)) else type(model).__name__
    found = split_for_model(fitted, data, **rows)
    predictions = predictions_on(fitted, found.table, f"Evaluated on {found.which}.")
    leakage = audit_table(fitted, found.table, training=found.rest, folds=folds, seed=seed)
    text = model_card(fitted, name, predictions, leakage, trained_on, seed)
    if out is not None:
        try:
            write_atomically(Path(out).expanduser(), text)
        except OSError as error:
            raise InputError(f"cannot write {out}: {error.strerror}") from None
    return Card(text, leakage)
