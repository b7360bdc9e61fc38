"""Probes: classifiers that predict groups from columns of numbers, and their confidence intervals.

A probe is trained on all folds but one, and predicts that one. Its outputs on different folds come
from different models, so the AUC compares two rows only if they are in the same fold: if outputs were
pooled, an offset between folds would count as order. (Airola et al. 2011, "An experimental comparison
of cross-validation techniques for estimating the area under the ROC curve".)

Confidence intervals are computed from influence values: how much each unit of rows changes the metric
(for the AUC: LeDell et al. 2015, "Computationally efficient confidence intervals for cross-validated
area under the ROC curve estimates"). The folds of a cross-validation are not independent, though: two
rows in different folds occur twice together, once with either of them in the training set. If the
columns contain no information, this doubles the variance of disjoint test sets, and intervals that
ignore it exclude the chance level in one case of seven instead of one of twenty. Therefore the variance
is doubled here. (Bates et al. 2024, "Cross-validation: what does it estimate and how well does it do
it?", find the same deficit in general.) If the columns contain much information, the intervals are
wider than necessary.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from grad_ext.seeds import derive, numpy_generator

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

PROBES = ("logistic regression", "gradient boosting")
# Factor by which shared training rows of the folds increase the variance.
VARIANCE_FACTOR = 2.0


@dataclass(frozen=True)
class Estimate:
    """A metric and the limits of its confidence interval."""

    value: float
    low: float
    high: float


def labels_of_units(codes: Ints, units: Ints) -> Ints:
    """Return one group for each unit, the rarest of the groups of its rows, shape (U,).

    Parameters
    ----------
    codes : int array of shape (N,)
        Group of each row.
    units : int array of shape (N,)
        Unit of each row, from 0 to U - 1, each of them at least once.
    """
    order = np.lexsort((codes, np.bincount(codes)[codes], units))
    first = np.unique(units[order], return_index=True)[1]
    return np.asarray(codes[order][first])


def stratified_folds(labels: Ints, folds: int, generator: np.random.Generator) -> Ints:
    """Return a fold for each unit, shape (U,), with each group spread evenly over the folds."""
    order = generator.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.intp)
    fold[order] = np.arange(len(labels)) % folds
    return fold


def probe_metrics(
    X: Floats, codes: Ints, units: Ints, folds: int, level: float, seed: int
) -> dict[str, tuple[Estimate, Estimate]]:
    """Return the balanced accuracy and AUC of each probe, by its name.

    Parameters
    ----------
    X : array of shape (N, D)
        Columns to predict from, on scales of about 1.
    codes : int array of shape (N,)
        Group of each row, from 0 to G - 1; each group has at least `folds` units.
    units : int array of shape (N,)
        Unit of each row, from 0 to U - 1.
    folds : int
        Number of folds.
    level : float
        Confidence level.
    seed : int
        Seed of the folds and the probes.
    """
    fold = stratified_folds(labels_of_units(codes, units), folds, numpy_generator(seed, "folds"))[
        units
    ]
    metrics = {}
    # On tables of this size more threads gain little, and slow each other down on a busy machine.
    with threadpool_limits(limits=1):
        for name in PROBES:
            ratio = likelihood_ratios(name, X, codes, fold, derive(seed, name) % 2**32)
            metrics[name] = (
                interval(*balanced_accuracy(ratio, codes), units, level),
                interval(*auc(ratio, codes, fold), units, level),
            )
    return metrics


def likelihood_ratios(name: str, X: Floats, codes: Ints, fold: Ints, seed: int) -> Floats:
    """Return the out-of-fold probability of each group divided by its share in training, (N, G).

    Predicting the group with the largest ratio maximises balanced accuracy for groups of any size.
    Class weights would do the same, but make gradient boosting less precise with many groups.
    """
    ratio = np.ones((len(X), int(codes.max()) + 1))
    if (X[0] == X).all():
        return ratio
    for f in range(int(fold.max()) + 1):
        out = fold == f
        with warnings.catch_warnings():
            # A probe that has not converged is still valid, only weaker.
            warnings.simplefilter("ignore", ConvergenceWarning)
            probe = _probe(name, seed).fit(X[~out], codes[~out])
            ratio[out] = probe.predict_proba(X[out])
        ratio[out] /= np.bincount(codes[~out]) / np.count_nonzero(~out)
    return ratio


def _probe(name: str, seed: int) -> Any:
    if name == PROBES[0]:
        return LogisticRegression(max_iter=1000)
    return HistGradientBoostingClassifier(
        max_iter=50, learning_rate=0.2, max_leaf_nodes=8, early_stopping=False, random_state=seed
    )


def balanced_accuracy(ratio: Floats, codes: Ints) -> tuple[float, Floats]:
    """Return the balanced accuracy and the influence of each row on it, shape (N,)."""
    # A probe without information predicts the shares, whose ratios differ by rounding errors only.
    correct = (ratio.round(9).argmax(axis=1) == codes).astype(np.float64)
    size = np.bincount(codes)
    recall = np.bincount(codes, correct) / size
    influence = (correct - recall[codes]) / (size[codes] * len(size))
    return float(recall.mean()), influence


def auc(ratio: Floats, codes: Ints, fold: Ints) -> tuple[float, Floats]:
    """Return the area under the ROC curve and the influence of each row on it, shape (N,).

    With more than two groups it is the mean of the AUCs of each group against all others.
    """
    groups = ratio.shape[1]
    sides = [1] if groups == 2 else range(groups)
    areas = [_area(ratio[:, g], codes == g, fold) for g in sides]
    return (
        float(np.mean([value for value, _ in areas])),
        np.mean([influence for _, influence in areas], axis=0),
    )


def _area(score: Floats, member: NDArray[np.bool_], fold: Ints) -> tuple[float, Floats]:
    """Return the AUC of members against other rows within folds, and the influence of each row."""
    # For each row the number of its pairs that the score orders correctly, with ties counted by
    # half, and the number of all its pairs.
    ordered, pairs = np.zeros(len(score)), np.zeros(len(score))
    for f in range(int(fold.max()) + 1):
        rows = np.flatnonzero(fold == f)
        inside, outside = rows[member[rows]], rows[~member[rows]]
        ordered[rows] = stats.rankdata(score[rows])
        ordered[inside] -= stats.rankdata(score[inside])
        ordered[outside] -= stats.rankdata(score[outside])
        ordered[outside] = len(inside) - ordered[outside]
        pairs[inside], pairs[outside] = len(outside), len(inside)
    total = pairs[member].sum()
    value = float(ordered[member].sum() / total)
    return value, (ordered - pairs * value) / total


def interval(value: float, influence: Floats, units: Ints, level: float) -> Estimate:
    """Return a metric with its confidence interval; rows of one unit may depend on each other."""
    error = np.sqrt(VARIANCE_FACTOR * (np.bincount(units, influence) ** 2).sum())
    reach = float(stats.norm.ppf((1.0 + level) / 2.0) * error)
    return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0))
