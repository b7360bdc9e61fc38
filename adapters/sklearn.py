"""Estimators of scikit-learn's kind as methods: what nearly every baseline of GRAD is fitted through.

An estimator of the user's own joins a comparison with one line:
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

from grad_ext.data.encoding import Arrays
from grad_ext.errors import InputError
from grad_ext.seeds import derive
from grad_ext.trial import Trial

Floats = NDArray[np.float64]
# Gets a trial, returns an estimator that is not fitted yet.
Make = Callable[[Trial], Any]


class Estimators:
    """One estimator a trial, as a method.

    An estimator's `fit` gets X, y (0 and 1) and those of the following that it has a parameter for:
    `sensitive_features`, a frame of the protected attributes' groups, of which rows that miss one
    are left out; `sample_weight`. Its score is the probability of the favorable label by
    `predict_proba`, or the logistic function of `decision_function`, or else what `predict` says;
    one that has a parameter `sensitive_features` there too needs the protected attributes at
    prediction. All of it on one thread, as GRAD is trained.

    Parameters
    ----------
    make : callable
        Gets a trial, returns an estimator not yet fitted. The trial's `seed` should seed it, its
        `lam` be its hyperparameter.
    epochs : int, default 1
        Passes over the rows that it makes, for the record.

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
        """Fit an estimator a trial, one after the other; validation rows are not looked at.

        Raises
        ------
        InputError
            If there is no trial, the target is not binary, or the rows' weights differ and the
            estimator takes none.
        """
        checked(trials, training)
        names = tuple(branch.name for branch in training.task.attributes)
        models = []
        for model in [self.make(trial) for trial in trials]:
            rows = training
            given: dict[str, Any] = {}
            if takes(model.fit, "sensitive_features"):
                rows = with_groups(training)
                given["sensitive_features"] = frame(rows.a, names)
            if takes(model.fit, "sample_weight"):
                given["sample_weight"] = rows.w
            else:
                refuse_weights(rows, type(model).__name__)
            with threadpool_limits(1):
                model.fit(rows.X.astype(np.float64), rows.y.astype(np.int64), **given)
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
        One a trial.
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
            If X has another number of features, or an estimator needs the protected attributes too.
        """
        return self._scores(X, None)

    def scores_with(self, X: NDArray[np.float32], a: Floats) -> Floats:
        """Return the same for rows whose protected attributes, shape (N, K), are known.

        Raises
        ------
        InputError
            If X or a has another number of columns, or an attribute that an estimator needs is
            missing.
        """
        if a.shape != (len(X), len(self.attributes)):
            raise InputError(f"a: expected shape {(len(X), len(self.attributes))}, got {a.shape}")
        return self._scores(X, a)

    def _scores(self, X: NDArray[np.float32], a: Floats | None) -> Floats:
        if X.ndim != 2 or X.shape[1] != self.width:
            raise InputError(f"X: expected shape (N, {self.width}), got {X.shape}")
        rows = X.astype(np.float64)
        with threadpool_limits(1):
            return np.stack([self._score(model, rows, a) for model in self.models])[:, None]

    def _score(self, model: Any, X: Floats, a: Floats | None) -> Floats:
        names = ("predict_proba", "decision_function", "predict")
        said = next(getattr(model, name) for name in names if hasattr(model, name))
        given = {}
        if takes(said, "sensitive_features"):
            if a is None:
                raise InputError(
                    f"{type(model).__name__} needs the protected attributes at prediction: "
                    "call scores_with(X, a)"
                )
            if np.isnan(a).any():
                n = int(np.isnan(a).any(axis=1).sum())
                raise InputError(f"expected every row's protected attributes, {n} rows miss one")
            given["sensitive_features"] = frame(a, self.attributes)
        values = np.asarray(said(X, **given), dtype=np.float64)
        if said.__name__ == "decision_function":
            values = expit(values)
        if values.ndim == 1:
            return values
        # An estimator that saw one label has one column.
        classes = list(getattr(model, "classes_", (0, 1)))
        return values[:, classes.index(1)] if 1 in classes else np.zeros(len(X))


def takes(call: Any, parameter: str) -> bool:
    """Return whether a call has a parameter of that name."""
    return parameter in signature(call).parameters


def checked(trials: Sequence[Trial], training: Arrays) -> None:
    """Refuse what an estimator of two classes cannot be fitted to.

    Raises
    ------
    InputError
        If there is no trial, or the target is not binary.
    """
    if not trials:
        raise InputError("expected at least one trial, got none")
    if training.task.target.classes != 2:
        raise InputError(f"expected a binary target, got a {training.task.target.kind} one")


def refuse_weights(rows: Arrays, name: str) -> None:
    """Refuse rows that do not all weigh the same, for a method that would ignore it.

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
    """Return the rows that miss none of the protected attributes.

    Raises
    ------
    InputError
        If an attribute is a number.
    """
    for branch in rows.task.attributes:
        if not branch.classes:
            raise InputError(
                f"protected attribute {branch.name!r}: expected groups, got a {branch.kind} one"
            )
    known = ~np.isnan(rows.a).any(axis=1)
    if known.all():
        return rows
    return replace(rows, X=rows.X[known], y=rows.y[known], a=rows.a[known], w=rows.w[known])


def frame(a: Floats, names: Sequence[str]) -> pd.DataFrame:
    """Return protected attributes, shape (N, K), as a frame of whole numbers."""
    return pd.DataFrame(a, columns=list(names)).astype(np.int64)


def privileged(rows: Arrays) -> NDArray[np.int64]:
    """Return 1 for rows that are privileged in every attribute and 0 for all others, shape (N,).

    What methods for one attribute of two groups make of several.

    Raises
    ------
    InputError
        If an attribute has not two groups.
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
    """Return a trial's λ, which is a method's hyperparameter.

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
