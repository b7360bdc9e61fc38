"""Estimators with scikit-learn's interface as methods; most baselines of GRAD are such.

One line adds a user's own estimator to a comparison:
``Estimators(lambda trial: RandomForestClassifier(random_state=trial.seed))``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from grad_ext import checks
from grad_ext.data.encoding import Arrays
from grad_ext.errors import InputError
from grad_ext.outputs import Task
from grad_ext.seeds import derive
from grad_ext.trial import Trial

Floats = NDArray[np.float64]
# Gets a trial, returns an unfitted estimator.
Make = Callable[[Trial], Any]


class Estimators:
    """A method that fits one estimator for each trial.

    An estimator's `fit` gets X, y (0 and 1) and, if it has a parameter of that name,
    `sensitive_features` (a frame of the protected attributes' groups, without the rows that miss
    one) and `sample_weight`. The scores are the probabilities of the favorable label from
    `predict_proba`, or else the logistic function of `decision_function`, or else the values of
    `predict`. If that has a parameter `sensitive_features` too, the estimator needs the protected
    attributes for prediction. Estimators run on one thread, as GRAD does.

    Parameters
    ----------
    make : callable
        Gets a trial, returns an unfitted estimator, whose random state should depend on the trial's
        `seed` and whose hyperparameter should be the trial's `lam`.
    epochs : int, default 1
        Passes over the rows that the estimator makes, for the record.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from grad_ext import load_dataset
    >>> from grad_ext.adapters.sklearn import Estimators
    >>> from grad_ext.data.split import split
    >>> from grad_ext.evaluation import evaluate, prepare
    >>> from grad_ext.trial import Settings, Trial
    >>> problem = prepare(split(load_dataset("german", protected=["age"])), Settings())
    >>> forest = Estimators(lambda trial: RandomForestClassifier(random_state=trial.seed))
    >>> (record,) = evaluate(forest, [Trial("german", ("age",))], problem)
    >>> record.metrics["accuracy"] > record.metrics["majority_accuracy"]
    True
    """

    def __init__(self, make: Make, epochs: int = 1) -> None:
        self.make = make
        self.epochs = epochs

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> FittedEstimators:
        """Fit one estimator after another; validation rows are not used.

        Raises
        ------
        InputError
            If there is no trial, the target is not binary, or instance weights differ and the
            estimator takes none.
        """
        check_trials(trials, training)
        names = tuple(branch.name for branch in training.task.attributes)
        models = []
        for model in [self.make(trial) for trial in trials]:
            rows = training
            options: dict[str, Any] = {}
            if takes(model.fit, "sensitive_features"):
                rows = with_groups(training)
                options["sensitive_features"] = groups_frame(rows.a, names)
            if takes(model.fit, "sample_weight"):
                options["sample_weight"] = rows.w
            else:
                check_equal_weights(rows, type(model).__name__)
            with threadpool_limits(1):
                model.fit(rows.X.astype(np.float64), rows.y.astype(np.int64), **options)
            models.append(model)
        if on_epoch is not None:
            on_epoch(self.epochs)
        epochs = np.full(len(models), self.epochs, dtype=np.intp)
        return FittedEstimators(tuple(models), epochs, training.X.shape[1], names)


@dataclass(frozen=True)
class FittedEstimators:
    """Fitted estimators.

    Attributes
    ----------
    models : tuple
        One for each trial.
    epochs : array of shape (P,)
        Passes over the rows.
    width : int
        D, the number of features.
    attributes : tuple of str
        Names of the K protected attributes.
    """

    models: tuple[Any, ...]
    epochs: NDArray[np.intp]
    width: int
    attributes: tuple[str, ...]

    def scores(self, X: NDArray[np.float32]) -> Floats:
        """Return the probability of the favorable label, shape (P, 1, N), for X of shape (N, D).

        Raises
        ------
        InputError
            If X has another number of features, or an estimator needs the protected attributes.
        """
        return self._scores(X, None)

    def scores_with(self, X: NDArray[np.float32], a: Floats) -> Floats:
        """Return the scores of rows with their protected attributes, shape (N, K).

        Raises
        ------
        InputError
            If X or a has another shape, or an attribute that an estimator needs is missing.
        """
        checks.shape("a", a, (len(X), len(self.attributes)))
        return self._scores(X, a)

    def _scores(self, X: NDArray[np.float32], a: Floats | None) -> Floats:
        checks.columns("X", X, self.width)
        rows = X.astype(np.float64)
        with threadpool_limits(1):
            return np.stack([self._score(model, rows, a) for model in self.models])[:, None]

    def _score(self, model: Any, X: Floats, a: Floats | None) -> Floats:
        names = ("predict_proba", "decision_function", "predict")
        predict = next(getattr(model, name) for name in names if hasattr(model, name))
        options = {}
        if takes(predict, "sensitive_features"):
            if a is None:
                raise needs_attributes(type(model).__name__)
            check_known(a)
            options["sensitive_features"] = groups_frame(a, self.attributes)
        values = np.asarray(predict(X, **options), dtype=np.float64)
        if predict.__name__ == "decision_function":
            values = expit(values)
        if values.ndim == 1:
            return values
        # An estimator that was fitted to one label has one column.
        classes = list(getattr(model, "classes_", (0, 1)))
        return values[:, classes.index(1)] if 1 in classes else np.zeros(len(X))


def takes(call: Any, parameter: str) -> bool:
    """Return whether a callable has a parameter of that name."""
    return parameter in signature(call).parameters


def check_trials(trials: Sequence[Trial], training: Arrays) -> None:
    """Check that there are trials, and rows of two labels to fit them to.

    Raises
    ------
    InputError
        If there is no trial, or the target is not binary.
    """
    if not trials:
        raise InputError("expected at least one trial, got none")
    check_binary_target(training.task)


def check_binary_target(task: Task) -> None:
    """Check that the target has two labels.

    Raises
    ------
    InputError
        If it is of another kind.
    """
    if task.target.classes != 2:
        raise InputError(f"expected a binary target, got a {task.target.kind} one")


def check_groups(task: Task) -> None:
    """Check that the protected attributes have groups.

    Raises
    ------
    InputError
        If one is continuous.
    """
    for branch in task.attributes:
        if not branch.classes:
            raise InputError(
                f"protected attribute {branch.name!r}: expected groups, got a {branch.kind} one"
            )


def check_known(a: Floats) -> None:
    """Check that no row misses a protected attribute.

    Raises
    ------
    InputError
        If one does.
    """
    missing = int(np.isnan(a).any(axis=1).sum())
    if missing:
        raise InputError(f"expected every row's protected attributes, {missing} rows miss one")


def needs_attributes(name: str) -> InputError:
    """Return the error of a method that needs the protected attributes for prediction."""
    return InputError(
        f"{name} needs the protected attributes at prediction: call scores_with(X, a)"
    )


def check_equal_weights(rows: Arrays, name: str) -> None:
    """Check that all rows have the same weight, for a method that takes no instance weights.

    Raises
    ------
    InputError
        If two weights differ.
    """
    if np.ptp(rows.w) > 0:
        raise InputError(
            f"{name} takes no instance weights, and those of the training rows go from "
            f"{rows.w.min():g} to {rows.w.max():g}"
        )


def with_groups(rows: Arrays) -> Arrays:
    """Return the rows without those that miss a protected attribute.

    Raises
    ------
    InputError
        If an attribute is continuous.
    """
    check_groups(rows.task)
    known = ~np.isnan(rows.a).any(axis=1)
    if known.all():
        return rows
    return replace(rows, X=rows.X[known], y=rows.y[known], a=rows.a[known], w=rows.w[known])


def groups_frame(a: Floats, names: Sequence[str]) -> pd.DataFrame:
    """Return the groups of protected attributes, shape (N, K), as a frame of whole numbers."""
    return pd.DataFrame(a, columns=list(names)).astype(np.int64)


def privileged(rows: Arrays) -> NDArray[np.int64]:
    """Return 1 for rows that are privileged in every attribute, else 0, shape (N,).

    Methods for one attribute of two groups get this instead of several attributes.

    Raises
    ------
    InputError
        If an attribute does not have two groups.
    """
    for branch in rows.task.attributes:
        if branch.classes != 2:
            raise InputError(
                f"protected attribute {branch.name!r}: expected two groups, got {branch.outputs}"
            )
    in_all: NDArray[np.bool_] = (rows.a == 1).all(axis=1)
    return in_all.astype(np.int64)


def seed_32(trial: Trial, name: str) -> int:
    """Return the trial's seed for a toolkit that takes 32 bits."""
    return derive(trial.seed, name) % 2**32


def hyperparameter(trial: Trial, name: str, low: float = 0.0, high: float = np.inf) -> float:
    """Return a trial's λ as the value of a method's hyperparameter.

    Parameters
    ----------
    trial : Trial
        The trial.
    name : str
        Name of the hyperparameter, for the error.
    low, high : float
        Its range.

    Raises
    ------
    InputError
        If it is not one number, or out of range.
    """
    if isinstance(trial.lam, tuple):
        raise InputError(f"{name}: expected one number for all attributes, got {trial.lam}")
    if not low <= trial.lam <= high:
        raise InputError(f"{name}: expected a number from {low:g} to {high:g}, got {trial.lam:g}")
    return trial.lam
