"""Fairlearn's mitigators as methods, for demographic parity; two of them for equalized odds too.

Several protected attributes are crossed, as Fairlearn does: every combination of their groups is a
group. Only `threshold_optimizer` needs them for prediction, and only its base estimators take instance
weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from grad_ext.adapters.plain import boosting, lightgbm, logistic
from grad_ext.adapters.sklearn import Estimators, hyperparameter, seed_32
from grad_ext.data.sensitive import crossed
from grad_ext.errors import InputError, MissingToolkit, unknown
from grad_ext.trial import Trial

try:
    from fairlearn.adversarial import AdversarialFairnessClassifier
    from fairlearn.postprocessing import ThresholdOptimizer
    from fairlearn.reductions import (
        DemographicParity,
        EqualizedOdds,
        ExponentiatedGradient,
        GridSearch,
    )
except ImportError as error:
    raise MissingToolkit("fairlearn", "fairlearn") from error

Floats = NDArray[np.float64]
BASES: dict[str, Callable[[Trial], Any]] = {
    "logistic": logistic,
    "boosting": boosting,
    "lightgbm": lightgbm,
}
MOMENTS = {"demographic_parity": DemographicParity, "equalized_odds": EqualizedOdds}


def _base(name: str) -> Callable[[Trial], Any]:
    if name not in BASES:
        raise unknown("base estimator", name, BASES)
    return BASES[name]


class _WholeSeeds(np.random.RandomState):
    """Draws whole numbers instead of numbers from 0 to 1.

    Fairlearn seeds torch with such a number, which torch truncates to 0, so that every seed would
    give the same model.
    """

    def random(self, size: Any = None) -> Any:
        return self.randint(2**31 - 1, size=size)


class _Adversarial:
    """Restores torch's global generator, which Fairlearn seeds."""

    def __init__(self, model: AdversarialFairnessClassifier) -> None:
        self.model = model

    def fit(self, X: Floats, y: NDArray[np.int64], sensitive_features: pd.DataFrame) -> None:
        groups = crossed(sensitive_features).iloc[:, 0].to_numpy(dtype=str)
        with torch.random.fork_rng(devices=[]):
            self.model.fit(X, y, sensitive_features=groups)

    def predict_proba(self, X: Floats) -> Floats:
        scores = self.model._raw_predict(X)[:, 0].astype(np.float64)
        return np.stack([1.0 - scores, scores], axis=1)


def adversarial(
    predictor: Sequence[int | str] = (),
    adversary: Sequence[int | str] = (),
    epochs: int = 50,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    constraint: str = "demographic_parity",
) -> Estimators:
    """Return AdversarialFairnessClassifier (Zhang et al. 2018, "Mitigating Unwanted Biases").

    A trial's λ is its alpha, the weight of the adversary. The settings are Fairlearn's defaults, a
    linear model and a linear adversary, but for shuffling and the number of epochs, of which
    Fairlearn's default is one. With hidden layers its gradient is not the projection that the paper
    describes, since it multiplies all pairs of a matrix's rows, and models may be worse than without
    an adversary.

    Parameters
    ----------
    predictor, adversary : sequence of int and str
        Units and activations of the hidden layers; none by default.
    epochs : int, default 50
        Passes over the training rows, as in AIF360's adversarial debiasing.
    batch_size : int, default 32
        Rows of a minibatch.
    learning_rate : float, default 0.001
        Of both Adams.
    constraint : {'demographic_parity', 'equalized_odds'}
        Whether the adversary gets the score alone, or the label too.
    """
    if constraint not in MOMENTS:
        raise unknown("constraint", constraint, MOMENTS)

    def make(trial: Trial) -> _Adversarial:
        return _Adversarial(
            AdversarialFairnessClassifier(
                backend="torch",
                constraints=constraint,
                predictor_model=list(predictor),
                adversary_model=list(adversary),
                alpha=hyperparameter(trial, "alpha"),
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=learning_rate,
                shuffle=True,
                random_state=_WholeSeeds(seed_32(trial, "adversarial")),
            )
        )

    return Estimators(make, epochs)


class _Reduction:
    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Floats, y: NDArray[np.int64], sensitive_features: pd.DataFrame) -> None:
        self.model.fit(X, y, sensitive_features=crossed(sensitive_features))


class _Mixture(_Reduction):
    def predict_proba(self, X: Floats) -> Floats:
        scores: Floats = self.model._pmf_predict(X)
        return scores


class _Best(_Reduction):
    @property
    def classes_(self) -> Sequence[int]:
        # A constant predictor, if the search chose one, has one class.
        return list(self.model.predictors_[self.model.best_idx_].classes_)

    def predict_proba(self, X: Floats) -> Floats:
        scores: Floats = self.model.predict_proba(X)
        return scores


def exponentiated_gradient(
    base: str = "logistic", max_iter: int = 50, constraint: str = "demographic_parity"
) -> Estimators:
    """Return ExponentiatedGradient (Agarwal et al. 2018, "A Reductions Approach").

    A trial's λ is the difference_bound of its constraint: in training, each group's positive rate
    may differ that much from that of all rows. Its eps only bounds the multipliers and stays at
    Fairlearn's 0.01. The fitted model is a mixture of classifiers, of which Fairlearn's `predict`
    draws one for each row. Here the score is the probability that it draws the favorable label, and
    the label that of most of the mixture: predictions are deterministic, but the Discrimination of
    the labels may be larger than that of the draws.

    Parameters
    ----------
    base : {'logistic', 'boosting', 'lightgbm'}
        The estimator that is fitted to reweighted rows, at most `max_iter` times.
    max_iter : int, default 50
        Iterations at most, with Fairlearn's default.
    constraint : {'demographic_parity', 'equalized_odds'}
        Whether the bound holds for the positive rate of all rows, or for those of either label.
    """
    estimator = _base(base)
    if constraint not in MOMENTS:
        raise unknown("constraint", constraint, MOMENTS)

    def make(trial: Trial) -> _Mixture:
        moment = MOMENTS[constraint](difference_bound=hyperparameter(trial, "difference_bound"))
        return _Mixture(ExponentiatedGradient(estimator(trial), moment, max_iter=max_iter))

    return Estimators(make)


def grid_search(base: str = "logistic", grid_size: int = 20) -> Estimators:
    """Return GridSearch (Agarwal et al. 2018), the best classifier of a grid.

    A trial's λ is its constraint_weight, from 0 (the most accurate on the training rows) to 1 (the
    lowest Discrimination).

    Parameters
    ----------
    base : {'logistic', 'boosting', 'lightgbm'}
        The estimator that is fitted to reweighted rows at each point of the grid.
    grid_size : int, default 20
        Number of points, about. The grid has one dimension less than there are groups.
    """
    estimator = _base(base)

    def make(trial: Trial) -> _Best:
        weight = hyperparameter(trial, "constraint_weight", high=1.0)
        moment = DemographicParity()
        return _Best(
            GridSearch(estimator(trial), moment, constraint_weight=weight, grid_size=grid_size)
        )

    return Estimators(make)


class _Thresholds:
    def __init__(self, model: ThresholdOptimizer) -> None:
        self.model = model

    def fit(
        self,
        X: Floats,
        y: NDArray[np.int64],
        sensitive_features: pd.DataFrame,
        sample_weight: Floats,
    ) -> None:
        weights = {"sample_weight": sample_weight} if np.ptp(sample_weight) > 0 else {}
        groups = crossed(sensitive_features)
        self.model.fit(X, y, sensitive_features=groups, **weights)
        self.known = set(groups.iloc[:, 0])

    def predict_proba(self, X: Floats, sensitive_features: pd.DataFrame) -> Floats:
        groups = crossed(sensitive_features)
        new = set(groups.iloc[:, 0]) - self.known
        if new:
            raise InputError(
                f"{groups.columns[0]!r}: no training row is in group {min(new)!r}, so it has no "
                "threshold"
            )
        scores: Floats = self.model._pmf_predict(X, sensitive_features=groups)
        return scores


def threshold_optimizer(base: str = "logistic") -> Estimators:
    """Return ThresholdOptimizer (Hardt et al. 2016, "Equality of Opportunity").

    It needs the protected attributes for prediction: each group has its own thresholds. A trial's λ
    is its tol, the difference of positive rates that it allows in training. Between two thresholds
    Fairlearn draws labels; scores and labels are as for `exponentiated_gradient`. Instance weights
    are used by the base estimator and not for the thresholds.

    Parameters
    ----------
    base : {'logistic', 'boosting', 'lightgbm'}
        The estimator of the scores.
    """
    estimator = _base(base)

    def make(trial: Trial) -> _Thresholds:
        tol = hyperparameter(trial, "tol", high=1.0)
        return _Thresholds(
            ThresholdOptimizer(
                estimator=estimator(trial), predict_method="predict_proba", tol=tol or None
            )
        )

    return Estimators(make)
