"""AIF360's other mitigators as methods. docs/baselines.md lists those that do not run.

Learned fair representations and reweighing are those of `aif360.sklearn`, which does not import
TensorFlow; all others run in a child process. Base estimators are logistic regressions as in
`grad_ext.adapters.plain`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from grad_ext.adapters.aif360.isolated import IsolatedMethod, separate
from grad_ext.adapters.plain import ITERATIONS, logistic
from grad_ext.adapters.sklearn import Estimators, hyperparameter, seed_32
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.trial import Trial

Floats = NDArray[np.float64]
WITH_FAIRLEARN = {"aif360": "aif360", "fairlearn": "fairlearn"}


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep AIF360's messages about missing packages from configuring the root logger."""
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


try:
    with _hushed():
        from aif360.sklearn.preprocessing import LearnedFairRepresentations, Reweighing
except ImportError as error:
    raise MissingToolkit("aif360", "aif360") from error


class _LFR:
    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Floats, y: NDArray[np.int64], sensitive_features: pd.DataFrame) -> None:
        if (sensitive_features.max() > 1).any():
            raise InputError("LFR: expected protected attributes of two groups")
        privileged = sensitive_features.all(axis=1).astype(np.int64)
        index = pd.Index(privileged, name="privileged")
        with warnings.catch_warnings():
            # The limit of iterations is part of the method.
            warnings.filterwarnings("ignore", "lbfgs failed", ConvergenceWarning)
            try:
                self.model.fit(pd.DataFrame(X, index=index), y, priv_group=1)
            except AttributeError as error:
                # AIF360's warning of an early end fails with this error, after the fit.
                if error.name != "decode":
                    raise

    def predict_proba(self, X: Floats) -> Floats:
        scores: Floats = self.model.predict_proba(X)
        return scores


def lfr(prototypes: int = 10, reconstruction: float = 0.01, iterations: int = 200) -> Estimators:
    """Return LearnedFairRepresentations (Zemel et al. 2013), the one with torch's gradients.

    A trial's λ is its fairness_weight (A_z). Rows that are privileged in every attribute are one
    group, all others the other. Scores lie near the overall positive rate, so that metrics of scores
    and of labels differ much; with a large A_z the predictions are constant.

    Parameters
    ----------
    prototypes : int, default 10
        Zemel et al.'s k.
    reconstruction : float, default 0.01
        A_x, beside a target weight A_y of 1.
    iterations : int, default 200
        Iterations of L-BFGS, at most.
    """

    def make(trial: Trial) -> _LFR:
        return _LFR(
            LearnedFairRepresentations(
                n_prototypes=prototypes,
                reconstruct_weight=reconstruction,
                fairness_weight=hyperparameter(trial, "fairness_weight"),
                max_iter=iterations,
                random_state=seed_32(trial, "lfr"),
            )
        )

    return Estimators(make)


class _Reweighed:
    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(
        self,
        X: Floats,
        y: NDArray[np.int64],
        sensitive_features: pd.DataFrame,
        sample_weight: Floats,
    ) -> None:
        index = pd.MultiIndex.from_frame(sensitive_features)
        rows = pd.DataFrame(X, index=index)
        _, weights = Reweighing().fit_transform(rows, y, sample_weight=sample_weight)
        self.model.fit(X, y, sample_weight=weights)
        self.classes_ = self.model.classes_

    def predict_proba(self, X: Floats) -> Floats:
        scores: Floats = self.model.predict_proba(X)
        return scores


def reweighing() -> Estimators:
    """Return Reweighing (Kamiran and Calders 2012) before logistic regression.

    It has no hyperparameter and is deterministic. Several attributes are crossed: every combination
    of their groups is a group.
    """
    return Estimators(lambda trial: _Reweighed(logistic(trial)))


def exponentiated_gradient_reduction(timeout: float | None = None) -> IsolatedMethod:
    """Return ExponentiatedGradientReduction, which is Fairlearn's ExponentiatedGradient.

    A trial's λ is the difference_bound of its constraint. Scores and labels are those of
    `grad_ext.adapters.fairlearn.exponentiated_gradient`.
    """
    return IsolatedMethod(
        algorithm="exponentiated_gradient",
        settings={"iterations": ITERATIONS},
        hyperparameter="difference_bound",
        groups=separate,
        packages=WITH_FAIRLEARN,
        timeout=timeout,
    )


def grid_search_reduction(grid_size: int = 20, timeout: float | None = None) -> IsolatedMethod:
    """Return GridSearchReduction, which is Fairlearn's GridSearch; λ is its constraint_weight."""
    return IsolatedMethod(
        algorithm="grid_search",
        settings={"iterations": ITERATIONS, "grid_size": grid_size},
        hyperparameter="constraint_weight",
        highest=1.0,
        groups=separate,
        packages=WITH_FAIRLEARN,
        timeout=timeout,
    )


def gerry_fair(iterations: int = 10, timeout: float | None = None) -> IsolatedMethod:
    """Return GerryFairClassifier (Kearns et al. 2018) on linear regression.

    A trial's λ is its gamma, the violation that it allows. Its goal is not demographic parity but
    equal false positive rates of all subgroups given by a linear function of the protected
    attributes. The score is the share of its classifiers that predict the favorable label.

    Parameters
    ----------
    iterations : int, default 10
        Rounds of its game, with a classifier each.
    timeout : float, optional
        Seconds that each fit may take, and each scoring.
    """
    return IsolatedMethod(
        algorithm="gerry_fair",
        settings={"max_iters": iterations},
        hyperparameter="gamma",
        groups=separate,
        timeout=timeout,
    )


def reject_option(timeout: float | None = None) -> IsolatedMethod:
    """Return RejectOptionClassification (Kamiran et al. 2012) after logistic regression.

    It needs the protected attributes for prediction; rows that are privileged in every attribute are
    one group. A trial's λ is the largest absolute statistical parity difference that it allows in
    training; if none of its thresholds meets it, it takes the lowest difference, which may be far
    below zero.
    """
    return _postprocessing("reject_option", "metric_ub", timeout)


def equalized_odds(timeout: float | None = None) -> IsolatedMethod:
    """Return EqOddsPostprocessing (Hardt et al. 2016) after logistic regression.

    It needs the protected attributes for prediction; rows that are privileged in every attribute are
    one group. It has no hyperparameter, its goal is equalized odds and not demographic parity, and it
    draws labels at random, by the seed.
    """
    return _postprocessing("equalized_odds", "lambda", timeout)


def calibrated_equalized_odds(timeout: float | None = None) -> IsolatedMethod:
    """Return CalibratedEqOddsPostprocessing (Pleiss et al. 2017); otherwise as `equalized_odds`."""
    return _postprocessing("calibrated_odds", "lambda", timeout)


def _postprocessing(algorithm: str, hyperparameter: str, timeout: float | None) -> IsolatedMethod:
    return IsolatedMethod(
        algorithm=algorithm,
        settings={"iterations": ITERATIONS},
        hyperparameter=hyperparameter,
        needs_attributes=True,
        timeout=timeout,
    )
