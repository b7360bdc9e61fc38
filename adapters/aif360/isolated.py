"""AIF360's algorithms as methods, each fitted in a child process.

Importing any of them imports TensorFlow, and several seed numpy's global generator, so none of them is
imported in this process: TensorFlow's sessions, global state and memory belong to the child, which
ends with the fitted models, with its parent, or at the time limit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.adapters.aif360 import worker
from grad_ext.adapters.isolation import Child
from grad_ext.adapters.sklearn import (
    check_equal_weights,
    check_known,
    check_trials,
    hyperparameter,
    needs_attributes,
    privileged,
    seed_32,
    with_groups,
)
from grad_ext.data.encoding import Arrays
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.trial import Trial

Floats = NDArray[np.float64]


def intersection(rows: Arrays) -> Floats:
    """Return one attribute, shape (N, 1): 1 for rows that are privileged in every attribute."""
    return privileged(rows)[:, None].astype(np.float64)


def separate(rows: Arrays) -> Floats:
    """Return the attributes as they are, shape (N, K)."""
    return rows.a


def ask(child: Child, timeout: float | None, **arrays: Any) -> dict[str, NDArray[Any]]:
    """Send arrays to a child, if there are any, and return the next arrays that it answers.

    Raises
    ------
    TimeoutError
        If the answer takes longer than `timeout` seconds; the child is ended.
    RuntimeError
        If the algorithm fails, with its error, or the child dies.
    """
    if arrays:
        child.send(worker.to_bytes(**arrays))
    answer = worker.from_bytes(child.receive(timeout))
    if "error" in answer:
        child.close()
        raise RuntimeError(str(answer["error"]))
    return answer


@dataclass(frozen=True)
class FittedIsolated:
    """Fitted models in a child process, which ends when this object is collected or closed.

    Attributes
    ----------
    child : Child
        The process.
    method : IsolatedMethod
        The method that fitted them.
    epochs : array of shape (P,)
        Passes over the rows.
    rows : Arrays
        No rows, with the features and the task of those that they were fitted to.
    """

    child: Child
    method: IsolatedMethod
    epochs: NDArray[np.intp]
    rows: Arrays

    def scores(self, X: NDArray[np.float32]) -> Floats:
        """Return the probability of the favorable label, shape (P, 1, N), for X of shape (N, D).

        Raises
        ------
        InputError
            If X has another number of features, or the algorithm needs the protected attributes.
        TimeoutError, RuntimeError
            If scoring takes too long or fails.
        """
        if self.method.needs_attributes:
            raise needs_attributes(self.method.algorithm)
        return self._scores(X, np.zeros((len(X), 1)))

    def scores_with(self, X: NDArray[np.float32], a: Floats) -> Floats:
        """Return the scores of rows with their protected attributes, shape (N, K).

        Raises
        ------
        InputError
            If X or a has another shape, or an attribute that is needed is missing.
        TimeoutError, RuntimeError
            If scoring takes too long or fails.
        """
        if not self.method.needs_attributes:
            return self.scores(X)
        checks.shape("a", a, (len(X), self.rows.a.shape[1]))
        check_known(a)
        return self._scores(X, self.method.groups(replace(self.rows, a=a)))

    def _scores(self, X: NDArray[np.float32], groups: Floats) -> Floats:
        checks.columns("X", X, self.rows.X.shape[1])
        answer = ask(self.child, self.method.timeout, X=X.astype(np.float64), a=groups)
        return answer["scores"][:, None]

    def close(self) -> None:
        """End the process."""
        self.child.close()


@dataclass(frozen=True)
class IsolatedMethod:
    """A method that fits one of AIF360's algorithms in a child process, a model for each trial.

    Attributes
    ----------
    algorithm : str
        Its name in `grad_ext.adapters.aif360.mitigators`.
    settings : mapping of str to object
        Its settings beside seed and hyperparameter.
    hyperparameter : str
        Its name of a trial's λ.
    highest : float
        The hyperparameter's largest value.
    groups : callable
        Gets rows, returns their protected attributes as the algorithm takes them, shape (N, L).
    needs_attributes : bool
        Whether it needs them for prediction.
    epochs : int
        Passes over the rows, for the record.
    least_rows : int
        The least number of training rows.
    packages : mapping of str to str
        The packages that it needs, with the extra of grad-ext that installs each.
    timeout : float or None
        Seconds that each fit may take, and each scoring.
    """

    algorithm: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    hyperparameter: str = "lambda"
    highest: float = np.inf
    groups: Callable[[Arrays], Floats] = intersection
    needs_attributes: bool = False
    epochs: int = 1
    least_rows: int = 1
    packages: Mapping[str, str] = field(default_factory=lambda: {"aif360": "aif360"})
    timeout: float | None = None

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> FittedIsolated:
        """Fit one model after another; validation rows are not used.

        Raises
        ------
        InputError
            If there is no trial, the target is not binary, weights differ, rows are too few, or the
            algorithm does not take such attributes.
        MissingToolkit
            If a package is missing.
        TimeoutError
            If a fit takes too long.
        RuntimeError
            If the algorithm fails, with its error.
        """
        check_trials(trials, training)
        for package, extra in self.packages.items():
            if find_spec(package) is None:
                raise MissingToolkit(package, extra)
        check_equal_weights(training, self.algorithm)
        rows = with_groups(training)
        if len(rows) < self.least_rows:
            raise InputError(
                f"{self.algorithm} needs at least {self.least_rows} training rows, got {len(rows)}"
            )
        task = {
            "algorithm": self.algorithm,
            "settings": json.dumps(dict(self.settings)),
            "seeds": [seed_32(trial, self.algorithm) for trial in trials],
            "hyperparameters": [
                hyperparameter(trial, self.hyperparameter, high=self.highest) for trial in trials
            ],
            "X": rows.X.astype(np.float64),
            "y": rows.y,
            "a": self.groups(rows),
        }
        child = Child(worker.__name__)
        ask(child, self.timeout, **task)
        for _ in trials[1:]:
            ask(child, self.timeout)
        if on_epoch is not None:
            on_epoch(self.epochs)
        epochs = np.full(len(trials), self.epochs, dtype=np.intp)
        empty = replace(rows, X=rows.X[:0], y=rows.y[:0], a=rows.a[:0], w=rows.w[:0])
        return FittedIsolated(child, self, epochs, empty)
