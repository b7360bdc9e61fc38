"""Fairlearn's mitigators as methods, for demographic parity; two of them for equalized odds too.

They take one protected attribute, so several are crossed: every combination of their groups is a
group (Fairlearn's own reading of several columns). None but `threshold_optimizer` needs them at
prediction. Only the base estimators of `threshold_optimizer` take instance weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from grad_ext.adapters.plain import boosting, logistic
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
BASES: dict[str, Callable[[Trial], Any]] = {"logistic": logistic, "boosting": boosting}


MOMENTS = {"demographic_parity": DemographicParity, "equalized_odds": EqualizedOdds}


def _base(name: str) -> Callable[[Trial], Any]:
    if name not in BASES:
        raise unknown("base estimator", name, BASES)
    return BASES[name]


class _WholeSeeds(np.random.RandomState):
    """Draws whole numbers where Fairlearn seeds torch with one from 0 to 1, which torch cuts to 0.

    Without it every seed gives the same model.
    """

    def random(self, size: Any = None) -> Any:
        return self.randint(2**31 - 1, size=size)


class _Adversarial:
    """Leaves torch's global generator, which Fairlearn seeds, as it was."""

    def __init__(self, model: AdversarialFairnessClassifier) -> None:
        self.model = model

    def fit(self, X: Floats, y: NDArray[np.int64], sensitive_features: pd.DataFrame) -> None:
        groups = crossed(sensitive_features).iloc[:, 0].to_numpy(dtype=str)
        with torch.random.fork_rng(devices=[]):
            self.model.fit(X, y, sensitive_features=groups)

    def predict_proba(self, X: Floats) -> Floats:
        said = self.model._raw_predict(X)[:, 0].astype(np.float64)
        return np.stack([1.0 - said, said], axis=1)


def adversarial(
    predictor: Sequence[int | str] = (),
    adversary: Sequence[int | str] = (),
    epochs: int = 50,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    constraint: str = "demographic_parity",
) -> Estimators:
    """Return AdversarialFairnessClassifier (Zhang et al. 2018, "Mitigating Unwanted Biases").

    A trial's λ is its alpha, the weight of the adversary. All is Fairlearn's own, a linear model
    and a linear adversary, but for the order of the rows, which is new in every epoch, and for the
    epochs: of its single one little is learned. With hidden layers its projection of the gradient
    is none, since it takes the inner products of all pairs of a matrix's rows, and models may turn
    out worse than without an adversary.

    Parameters
    ----------
    predictor, adversary : sequence of int and str
        Units and activations of the hidden layers; none by default.
    epochs : int, default 50
        Passes over the training rows, as many as AIF360's adversarial debiasing makes.
    batch_size : int, default 32
        Rows of a minibatch.
    learning_rate : float, default 0.001
        Of both Adams.
    constraint : {'demographic_parity', 'equalized_odds'}
        Whether the adversary sees the score alone, or the label beside it.
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
        said: Floats = self.model._pmf_predict(X)
        return said


class _Chosen(_Reduction):
    @property
    def classes_(self) -> Sequence[int]:
        # That of a constant predictor, where the search chose one, is its one label.
        return list(self.model.predictors_[self.model.best_idx_].classes_)

    def predict_proba(self, X: Floats) -> Floats:
        said: Floats = self.model.predict_proba(X)
        return said


def exponentiated_gradient(
    base: str = "logistic", max_iter: int = 50, constraint: str = "demographic_parity"
) -> Estimators:
    """Return ExponentiatedGradient (Agarwal et al. 2018, "A Reductions Approach").

    A trial's λ is the difference_bound of its constraint: in training, each group's positive rate
    may differ that much from that of all rows. Its eps, which sounds like it, only limits the
    multipliers, and stays at Fairlearn's 0.01. It gives a mixture of classifiers, of which `predict` draws one a row; the score is the probability that
    it draws favorable, and the label that of most of the mixture, so that nothing is left to chance
    but the labels' Discrimination may be large where that of the draws is not.

    Parameters
    ----------
    base : {'logistic', 'boosting'}
        What is reweighted and fitted, at most `max_iter` times.
    max_iter : int, default 50
        Fairlearn's own.
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
    """Return GridSearch (Agarwal et al. 2018), one classifier chosen among those of a grid.

    A trial's λ is its constraint_weight, from 0 (the most accurate on the training rows) to 1 (the
    lowest Discrimination).

    Parameters
    ----------
    base : {'logistic', 'boosting'}
        What is reweighted and fitted at each point.
    grid_size : int, default 20
        Points, about: the grid has a dimension less than there are groups.
    """
    estimator = _base(base)

    def make(trial: Trial) -> _Chosen:
        weight = hyperparameter(trial, "constraint_weight", high=1.0)
        moment = DemographicParity()
        return _Chosen(
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
        said: Floats = self.model._pmf_predict(X, sensitive_features=groups)
        return said


def threshold_optimizer(base: str = "logistic") -> Estimators:
    """Return ThresholdOptimizer (Hardt et al. 2016, "Equality of Opportunity").

    Needs the protected attributes at prediction: each group has thresholds of its own. A trial's λ
    is its tol, the difference of positive rates that it allows in training, 0 for none. It draws
    labels between two thresholds; score and label are as for `exponentiated_gradient`. Weights
    count in the base estimator and not in the thresholds.

    Parameters
    ----------
    base : {'logistic', 'boosting'}
        Whose scores get thresholds.
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
