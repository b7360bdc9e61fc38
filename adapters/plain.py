"""Simple reference methods, and the plug-in rule, the one of them that has a hyperparameter.

Each function returns a method for `grad_ext.evaluation.evaluate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from grad_ext.adapters.sklearn import Estimators, hyperparameter, seed_32
from grad_ext.data.sensitive import crossed
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.trial import Trial

# More than German and Adult need, since a fit that has not converged is not comparable.
ITERATIONS = 2000
# Of the plug-in rule's calibration.
FOLDS = 3
Floats = NDArray[np.float64]


def majority_class() -> Estimators:
    """Return the majority-class classifier, whose score is the favorable label's share."""
    return Estimators(lambda trial: DummyClassifier(strategy="prior"))


def logistic(trial: Trial) -> LogisticRegression:
    """Return an unfitted logistic regression with scikit-learn's default penalty."""
    return LogisticRegression(max_iter=ITERATIONS)


def boosting(trial: Trial) -> HistGradientBoostingClassifier:
    """Return unfitted gradient-boosted trees with scikit-learn's default settings."""
    return HistGradientBoostingClassifier(random_state=seed_32(trial, "boosting"))


def lightgbm(trial: Trial) -> Any:
    """Return an unfitted LightGBM classifier with its default settings, on one thread."""
    try:
        from lightgbm import LGBMClassifier
    except ImportError as error:
        raise MissingToolkit("lightgbm", "lightgbm") from error
    return LGBMClassifier(
        random_state=seed_32(trial, "lightgbm"), n_jobs=1, verbose=-1, deterministic=True,
        force_row_wise=True,
    )  # fmt: skip


def light_gradient_boosting() -> Estimators:
    """Return LightGBM's gradient-boosted trees with its default settings, which are deterministic."""
    return Estimators(lightgbm)


class PlugIn:
    """The plug-in rule that decides without the attribute: a penalised probability.

    The accuracy less a multiple of the gap between two groups is greatest for the rule that predicts the
    favorable label where P(y | x) - 1/2 is at least λ (P(high | x) / P(high) - P(low | x) / P(low)) / 2,
    with the groups of the highest and lowest favorable rates (Menon and Williamson 2018, "The Cost of
    Fairness in Binary Classification"). Both probabilities are those of boosted trees, calibrated on
    folds that they did not learn from.

    Parameters
    ----------
    strength : float
        λ.
    seed : int
        Seed of the trees.
    """

    def __init__(self, strength: float, seed: int) -> None:
        self.strength, self.seed = strength, seed

    def _probability(self, X: Floats, labels: NDArray[Any], w: Floats) -> CalibratedClassifierCV:
        trees = HistGradientBoostingClassifier(random_state=self.seed)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=self.seed)
        model = CalibratedClassifierCV(trees, method="sigmoid", cv=folds)
        return model.fit(X, labels, sample_weight=w)

    def fit(
        self,
        X: Floats,
        y: NDArray[np.int64],
        sensitive_features: pd.DataFrame,
        sample_weight: Floats,
    ) -> None:
        """Fit both probabilities."""
        if len(np.unique(y)) < 2:
            raise InputError("expected rows of two labels, got one")
        groups = crossed(sensitive_features).iloc[:, 0].to_numpy()
        self._label = self._probability(X, y, sample_weight)
        scores = self._label.predict_proba(X)[:, 1]
        names, codes = np.unique(groups, return_inverse=True)
        total = np.bincount(codes, weights=sample_weight)
        rates = np.bincount(codes, weights=sample_weight * scores) / total
        self._high, self._low = int(rates.argmax()), int(rates.argmin())
        self._share = total / total.sum()
        self._group = None
        if self.strength and len(names) > 1:
            self._group = self._probability(X, codes, sample_weight)

    def predict_proba(self, X: Floats) -> Floats:
        """Return the penalised probabilities, cut to between 0 and 1."""
        scores = self._label.predict_proba(X)[:, 1]
        if self._group is not None:
            ratio = self._group.predict_proba(X) / self._share
            scores = scores - 0.5 * self.strength * (ratio[:, self._high] - ratio[:, self._low])
        scores = np.clip(scores, 0.0, 1.0)
        return np.stack([1.0 - scores, scores], axis=1)


def plug_in() -> Estimators:
    """Return the plug-in rule without the attribute; a trial's λ is its strength: see `PlugIn`."""
    return Estimators(
        lambda trial: PlugIn(hyperparameter(trial, "strength"), seed_32(trial, "plug-in"))
    )


def logistic_regression() -> Estimators:
    """Return logistic regression with scikit-learn's default penalty, which is deterministic."""
    return Estimators(logistic)


def gradient_boosting() -> Estimators:
    """Return gradient-boosted trees with scikit-learn's default settings.

    With more than 10,000 rows, the seed chooses the tenth of them that early stopping holds out;
    with fewer, the fit is deterministic.
    """
    return Estimators(boosting)
