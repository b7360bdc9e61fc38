"""Simple reference methods, which use no protected attributes and have no hyperparameter.

Each function returns a method for `grad_ext.evaluation.evaluate`.
"""

from __future__ import annotations

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from grad_ext.adapters.sklearn import Estimators, seed_32
from grad_ext.trial import Trial

# More than German and Adult need, since a fit that has not converged is not comparable.
ITERATIONS = 2000


def majority_class() -> Estimators:
    """Return the majority-class classifier, whose score is the favorable label's share."""
    return Estimators(lambda trial: DummyClassifier(strategy="prior"))


def logistic(trial: Trial) -> LogisticRegression:
    """Return an unfitted logistic regression with scikit-learn's default penalty."""
    return LogisticRegression(max_iter=ITERATIONS)


def boosting(trial: Trial) -> HistGradientBoostingClassifier:
    """Return unfitted gradient-boosted trees with scikit-learn's default settings."""
    return HistGradientBoostingClassifier(random_state=seed_32(trial, "boosting"))


def logistic_regression() -> Estimators:
    """Return logistic regression with scikit-learn's default penalty, which is deterministic."""
    return Estimators(logistic)


def gradient_boosting() -> Estimators:
    """Return gradient-boosted trees with scikit-learn's default settings.

    With more than 10,000 rows, the seed chooses the tenth of them that early stopping holds out;
    with fewer, the fit is deterministic.
    """
    return Estimators(boosting)
