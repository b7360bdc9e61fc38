"""AIF360's algorithms as functions of arrays, for the child process that runs them.

Each gets features X, labels y, protected attributes a, a seed, a hyperparameter and settings, and
returns a function that scores rows. AIF360 is imported inside the functions, since its algorithms
import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# From features (N, D) and attributes (N, L) to the probabilities of the favorable label, (N,).
Score = Callable[[Floats, Floats], Floats]
# The groups of the single attribute that most of them take.
UNPRIVILEGED, PRIVILEGED = [{"protected_0": 0.0}], [{"protected_0": 1.0}]


def dataset(X: Floats, y: Floats, a: Floats, inside: bool = False) -> Any:
    """Return rows as AIF360's data set, with the protected columns among its features if `inside`."""
    import pandas as pd
    from aif360.datasets import BinaryLabelDataset

    features = [f"feature_{i}" for i in range(X.shape[1])]
    protected = [f"protected_{k}" for k in range(a.shape[1])]
    frame = pd.DataFrame(np.column_stack([X, a, y]), columns=[*features, *protected, "label"])
    rows = BinaryLabelDataset(
        favorable_label=1.0,
        unfavorable_label=0.0,
        df=frame,
        label_names=["label"],
        protected_attribute_names=protected,
        privileged_protected_attributes=[np.array([1.0])] * a.shape[1],
        unprivileged_protected_attributes=[np.array([0.0])] * a.shape[1],
    )
    if not inside:
        rows.features, rows.feature_names = X, features
    return rows


def adversarial(
    X: Floats, y: Floats, a: Floats, seed: int, hyperparameter: float, settings: Mapping[str, Any]
) -> Score:
    """Fit AdversarialDebiasing in a graph and a session of its own."""
    import tensorflow.compat.v1 as tf  # pyright: ignore[reportMissingImports]
    from aif360.algorithms.inprocessing import AdversarialDebiasing

    tf.disable_eager_execution()
    # The order in which threads add changes the last bit, which adversarial training amplifies.
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    graph = tf.Graph()
    with graph.as_default():
        model = AdversarialDebiasing(
            UNPRIVILEGED,
            PRIVILEGED,
            "grad_ext",
            tf.Session(graph=graph, config=config),
            seed=seed,
            adversary_loss_weight=hyperparameter,
            **settings,
        )
        model.fit(dataset(X, y, a))

    def score(rows: Floats, groups: Floats) -> Floats:
        # Labels and attributes are not used.
        zeros = np.zeros(len(rows))
        scores: Floats = model.predict(dataset(rows, zeros, zeros[:, None])).scores[:, 0]
        return scores

    return score


def _reduction(model: Any, X: Floats, y: Floats, a: Floats) -> Score:
    if len(np.unique(y)) < 2:
        # Fairlearn fits a constant model, whose second probability AIF360 then does not find.
        raise ValueError(f"expected rows of two labels, got only {y[0]:g}")
    model.fit(dataset(X, y, a, inside=True))

    def score(rows: Floats, groups: Floats) -> Floats:
        # The columns of the attributes are dropped, whatever their values.
        zeros = np.zeros((len(rows), a.shape[1]))
        scores: Floats = model.predict(dataset(rows, zeros[:, 0], zeros, inside=True)).scores[:, 0]
        return scores

    return score


def exponentiated_gradient(
    X: Floats, y: Floats, a: Floats, seed: int, hyperparameter: float, settings: Mapping[str, Any]
) -> Score:
    """Fit ExponentiatedGradientReduction on logistic regression."""
    from aif360.algorithms.inprocessing import ExponentiatedGradientReduction
    from fairlearn.reductions import DemographicParity
    from sklearn.linear_model import LogisticRegression

    moment = DemographicParity(difference_bound=hyperparameter)
    base = LogisticRegression(max_iter=settings["iterations"])
    return _reduction(ExponentiatedGradientReduction(base, moment), X, y, a)


def grid_search(
    X: Floats, y: Floats, a: Floats, seed: int, hyperparameter: float, settings: Mapping[str, Any]
) -> Score:
    """Fit GridSearchReduction on logistic regression."""
    from aif360.algorithms.inprocessing import GridSearchReduction
    from sklearn.linear_model import LogisticRegression

    model = GridSearchReduction(
        LogisticRegression(max_iter=settings["iterations"]),
        "DemographicParity",
        prot_attr=[f"protected_{k}" for k in range(a.shape[1])],
        constraint_weight=hyperparameter,
        grid_size=settings["grid_size"],
    )
    return _reduction(model, X, y, a)


def gerry_fair(
    X: Floats, y: Floats, a: Floats, seed: int, hyperparameter: float, settings: Mapping[str, Any]
) -> Score:
    """Fit GerryFairClassifier, for subgroups' false positive rates."""
    from aif360.algorithms.inprocessing import GerryFairClassifier

    model = GerryFairClassifier(gamma=hyperparameter, fairness_def="FP", **settings)
    model.fit(dataset(X, y, a))

    def score(rows: Floats, groups: Floats) -> Floats:
        zeros = np.zeros((len(rows), a.shape[1]))
        unlabelled = dataset(rows, zeros[:, 0], zeros)
        scores: Floats = model.predict(unlabelled, threshold=False).labels[:, 0]
        return scores

    return score


def _thresholds(model: Any, X: Floats, y: Floats, a: Floats, iterations: int) -> Score:
    """Fit a postprocessing algorithm to the scores of a logistic regression on the training rows."""
    from sklearn.linear_model import LogisticRegression

    base = LogisticRegression(max_iter=iterations).fit(X, y)

    def scored(rows: Floats, groups: Floats) -> Any:
        predicted = dataset(rows, np.zeros(len(rows)), groups)
        predicted.scores = base.predict_proba(rows)[:, 1:]
        predicted.labels = (predicted.scores >= 0.5).astype(np.float64)
        return predicted

    model.fit(dataset(X, y, a), scored(X, a))

    def score(rows: Floats, groups: Floats) -> Floats:
        labels: Floats = model.predict(scored(rows, groups)).labels[:, 0]
        return labels

    return score


def reject_option(
    X: Floats, y: Floats, a: Floats, seed: int, hyperparameter: float, settings: Mapping[str, Any]
) -> Score:
    """Fit RejectOptionClassification, whose hyperparameter bounds the statistical parity difference."""
    from aif360.algorithms.postprocessing import RejectOptionClassification

    model = RejectOptionClassification(
        UNPRIVILEGED,
        PRIVILEGED,
        metric_name="Statistical parity difference",
        metric_ub=hyperparameter,
        metric_lb=-hyperparameter,
    )
    return _thresholds(model, X, y, a, settings["iterations"])


def equalized_odds(
    X: Floats, y: Floats, a: Floats, seed: int, hyperparameter: float, settings: Mapping[str, Any]
) -> Score:
    """Fit EqOddsPostprocessing."""
    from aif360.algorithms.postprocessing import EqOddsPostprocessing

    model = EqOddsPostprocessing(UNPRIVILEGED, PRIVILEGED, seed=seed)
    return _thresholds(model, X, y, a, settings["iterations"])


def calibrated_odds(
    X: Floats, y: Floats, a: Floats, seed: int, hyperparameter: float, settings: Mapping[str, Any]
) -> Score:
    """Fit CalibratedEqOddsPostprocessing."""
    from aif360.algorithms.postprocessing import CalibratedEqOddsPostprocessing

    model = CalibratedEqOddsPostprocessing(UNPRIVILEGED, PRIVILEGED, seed=seed)
    return _thresholds(model, X, y, a, settings["iterations"])


Mitigator = Callable[[Floats, Floats, Floats, int, float, Mapping[str, Any]], Score]
MITIGATORS: dict[str, Mitigator] = {
    f.__name__: f
    for f in (
        adversarial,
        exponentiated_gradient,
        grid_search,
        gerry_fair,
        reject_option,
        equalized_odds,
        calibrated_odds,
    )
}
