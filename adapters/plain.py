"""Plain methods that no baseline of GRAD may be worse than: none of them knows what is protected.

Each is a method for `grad_ext.evaluation.evaluate`; none has a hyperparameter.
"""

from __future__ import annotations

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from grad_ext.adapters.sklearn import Estimators, seed_32
from grad_ext.trial import Trial

# More than either data set that comes with grad-ext needs: what is not converged is not compared.
ITERATIONS = 2000


def majority_class() -> Estimators:
    """Return the constant prediction of the more frequent label, with its share for a score."""
    return Estimators(lambda trial: DummyClassifier(strategy="prior"))


def logistic(trial: Trial) -> LogisticRegression:
    """Return a logistic regression with scikit-learn's default penalty, not yet fitted."""
    return LogisticRegression(max_iter=ITERATIONS)


def boosting(trial: Trial) -> HistGradientBoostingClassifier:
    """Return gradient-boosted trees with scikit-learn's default settings, not yet fitted."""
    return HistGradientBoostingClassifier(random_state=seed_32(trial, "boosting"))


def logistic_regression() -> Estimators:
    """Return logistic regression with scikit-learn's default penalty. The seed changes nothing."""
    return Estimators(logistic)


def gradient_boosting() -> Estimators:
    """Return gradient-boosted trees with scikit-learn's default settings.

    The seed chooses the tenth of the rows that decides when to stop, of more than 10,000 rows; of
    fewer it changes nothing.
    """
    return Estimators(boosting)
