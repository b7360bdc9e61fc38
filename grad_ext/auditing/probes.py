"""Fresh probes: how well groups can be read off columns of numbers, and how sure that is.

A probe is trained on all folds but one and asked about that one. Its outputs on different folds
are those of different models, so the AUC compares two rows only if they are of one fold: pooled, an
unlucky fold's offset would count as order. (Airola et al. 2011, "An experimental comparison of
cross-validation techniques for estimating the area under the ROC curve".)

The intervals come from influence values: how much each unit of rows moves the figure (for the AUC:
LeDell et al. 2015, "Computationally efficient confidence intervals for cross-validated area under
the ROC curve estimates"). Folds of one cross-validation are not independent, though: two rows of
different folds meet twice, once with either of them in the training part. If the columns know
nothing, that doubles the variance of disjoint test rows, and intervals which ignore it exclude
chance in one case of seven in place of one of twenty; so the variance is doubled here. (Bates et al.
2024, "Cross-validation: what does it estimate and how well does it do it?", find the same lack in
general.) Where there is much to read the intervals are wider than they need be.
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
# What folds that share their training rows do to the variance.
SHARED = 2.0


@dataclass(frozen=True)
class Figure:
    """A figure and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def labels_of_units(codes: Ints, units: Ints) -> Ints:
    """Return one group for each unit, the rarest of its rows', shape (U,).

    Parameters
    ----------
    codes : int array of shape (N,)
        Group of each row.
    units : int array of shape (N,)
        Unit of each row, all numbers from 0 to U - 1.
    """
    order = np.lexsort((codes, np.bincount(codes)[codes], units))
    first = np.unique(units[order], return_index=True)[1]
    return np.asarray(codes[order][first])


def dealt(labels: Ints, folds: int, generator: np.random.Generator) -> Ints:
    """Return a fold for each unit, shape (U,): every group is dealt evenly over the folds."""
    order = generator.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.intp)
    fold[order] = np.arange(len(labels)) % folds
    return fold


def read(
    X: Floats, codes: Ints, units: Ints, folds: int, level: float, seed: int
) -> dict[str, tuple[Figure, Figure]]:
    """Return balanced accuracy and AUC of every probe.

    Parameters
    ----------
    X : array of shape (N, D)
        Columns to read from, on scales of about 1.
    codes : int array of shape (N,)
        Group of each row, from 0 to G - 1, each that of at least `folds` units.
    units : int array of shape (N,)
        Unit of each row, from 0 to U - 1.
    folds : int
        Parts that the units are dealt into.
    level : float
        Confidence level.
    seed : int
        Of the folds and of the probes.
    """
    fold = dealt(labels_of_units(codes, units), folds, numpy_generator(seed, "folds"))[units]
    read_off = {}
    # On tables like these more threads gain little, and wait for each other on a busy machine.
    with threadpool_limits(limits=1):
        for name in PROBES:
            ratio = likelihood_ratios(name, X, codes, fold, derive(seed, name) % 2**32)
            read_off[name] = (
                interval(*balanced_accuracy(ratio, codes), units, level),
                interval(*auc(ratio, codes, fold), units, level),
            )
    return read_off


def likelihood_ratios(name: str, X: Floats, codes: Ints, fold: Ints, seed: int) -> Floats:
    """Return each group's out-of-fold probability over its share in training, shape (N, G).

    The largest of them is the guess that balanced accuracy asks for, whatever the groups' sizes;
    weights would do the same, but cost the ensemble precision where groups are many.
    """
    ratio = np.ones((len(X), int(codes.max()) + 1))
    if (X[0] == X).all():
        return ratio
    for f in range(int(fold.max()) + 1):
        out = fold == f
        with warnings.catch_warnings():
            # A probe that has not converged is a probe still.
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
    """Return the mean of the groups' shares of right guesses, and each row's influence, (N,)."""
    # A probe that found nothing answers with the shares themselves, which rounding must not order.
    right = (ratio.round(9).argmax(axis=1) == codes).astype(np.float64)
    size = np.bincount(codes)
    recall = np.bincount(codes, right) / size
    influence = (right - recall[codes]) / (size[codes] * len(size))
    return float(recall.mean()), influence


def auc(ratio: Floats, codes: Ints, fold: Ints) -> tuple[float, Floats]:
    """Return the area under the ROC curve and each row's influence, shape (N,).

    Of more than two groups the mean of each against all others.
    """
    groups = ratio.shape[1]
    sides = [1] if groups == 2 else range(groups)
    areas = [_area(ratio[:, g], codes == g, fold) for g in sides]
    return (
        float(np.mean([value for value, _ in areas])),
        np.mean([influence for _, influence in areas], axis=0),
    )


def _area(score: Floats, member: NDArray[np.bool_], fold: Ints) -> tuple[float, Floats]:
    """Return the share of a fold's pairs, a member and another, that the score puts in order."""
    # How many of a row's pairs are in order, ties by half; and how many pairs it has.
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


def interval(value: float, influence: Floats, units: Ints, level: float) -> Figure:
    """Return a figure with its confidence interval, whatever a unit's rows have in common."""
    error = np.sqrt(SHARED * (np.bincount(units, influence) ** 2).sum())
    reach = float(stats.norm.ppf((1.0 + level) / 2.0) * error)
    return Figure(value, max(value - reach, 0.0), min(value + reach, 1.0))
