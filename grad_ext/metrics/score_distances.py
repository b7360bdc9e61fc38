"""Distances between the groups' distributions of scores, as functions of arrays.

They have the signature of `grad_ext.metrics.group`, but take scores: a label is a score at one
threshold, and of labels both distances are the Discrimination of two groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grad_ext.constraints import DEFAULT_CONSTRAINT, constraint_named
from grad_ext.data.alignment import aligned, index_of
from grad_ext.errors import InputError
from grad_ext.metrics.distributions import Distances, chance_draws, distances, stacked
from grad_ext.metrics.group import groups_of, one_of
from grad_ext.metrics.inputs import as_predictions, as_rows, as_weights, row_count
from grad_ext.metrics.sums import Predictions
from grad_ext.outputs import Binary

Floats = NDArray[np.float64]


def ks_distance_by_attribute(
    y_true: ArrayLike | None,
    y_score: ArrayLike,
    *,
    sensitive_features: Any = None,
    protected: Any = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    constraint: str = DEFAULT_CONSTRAINT,
    pos_label: Any = None,
) -> Floats:
    """Return the Kolmogorov-Smirnov distance between the groups' scores for each attribute.

    The largest difference, over all thresholds, between the groups' shares of scores above the
    threshold; of more than two groups that of the pair furthest apart, of a continuous attribute that
    of its fifths. At most 0.02 means that no threshold has a Discrimination above 0.02.
    `scipy.stats.ks_2samp` computes it for two groups without weights.

    Parameters
    ----------
    y_true : array of shape (N,) or None
        Labels; needed by constraints that compare rows of equal labels.
    y_score : array of shape (..., N)
        Scores, or predicted numbers.
    sensitive_features, protected : array of shape (N,) or (N, K), Series, frame, list or mapping
        Groups, or numbers, as for `grad_ext.metrics.group.discrimination_by_attribute`.
    sample_weight : array of shape (N,), optional
    continuous : sequence of str or int, optional
        Which columns are continuous, by name or number.
    constraint : str, default 'demographic_parity'
        Which rows are compared: all; those of each label, of which the larger distance counts
        ('equalized_odds'); those of the favorable one ('equal_opportunity'); or the strata of a
        constraint of one's own.
    pos_label : object, optional
        The favorable label; needed if the labels are other than 0 and 1, booleans, or -1 and 1.

    Returns
    -------
    array of shape (K, ...)
        nan where fewer than two groups have rows, or a score is not finite.

    Raises
    ------
    InputError
        If lengths differ, a score is not a number, the constraint is unknown, or it needs labels and
        there are none.

    Examples
    --------
    >>> from grad_ext.metrics.score_distances import ks_distance_by_attribute
    >>> scores, sex = [0.9, 0.6, 0.4, 0.6, 0.4, 0.1], [1, 1, 1, 0, 0, 0]
    >>> ks_distance_by_attribute(None, scores, sensitive_features=sex).round(2)
    array([0.33])
    """
    rows = _rows(
        y_true, y_score, sensitive_features, protected, sample_weight, continuous, constraint,
        pos_label,
    )  # fmt: skip
    return np.stack([one.ks for one in _by_attribute(rows, constraint)])


def wasserstein_distance_by_attribute(
    y_true: ArrayLike | None,
    y_score: ArrayLike,
    *,
    sensitive_features: Any = None,
    protected: Any = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    constraint: str = DEFAULT_CONSTRAINT,
    pos_label: Any = None,
) -> Floats:
    """Return the Wasserstein-1 distance between the groups' scores for each attribute.

    The area between the groups' distribution functions: for scores in [0, 1] the mean, over all
    thresholds, of the difference between the groups' shares of scores above the threshold, and for
    predicted numbers a distance in their units. It is at least the difference of the mean scores. Of
    more than two groups it is that of the pair furthest apart, of a continuous attribute that of its
    fifths. `scipy.stats.wasserstein_distance` computes it for two groups.

    Parameters, return value and errors as `ks_distance_by_attribute`.

    Examples
    --------
    >>> from grad_ext.metrics.score_distances import wasserstein_distance_by_attribute
    >>> scores, sex = [0.9, 0.6, 0.4, 0.6, 0.4, 0.1], [1, 1, 1, 0, 0, 0]
    >>> wasserstein_distance_by_attribute(None, scores, sensitive_features=sex).round(2)
    array([0.27])
    """
    rows = _rows(
        y_true, y_score, sensitive_features, protected, sample_weight, continuous, constraint,
        pos_label,
    )  # fmt: skip
    return np.stack([one.wasserstein for one in _by_attribute(rows, constraint)])


def ks_distance(
    y_true: ArrayLike | None,
    y_score: ArrayLike,
    *,
    sensitive_features: Any = None,
    protected: Any = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    constraint: str = DEFAULT_CONSTRAINT,
    pos_label: Any = None,
) -> Any:
    """Return the Kolmogorov-Smirnov distance between the groups' scores, averaged over attributes.

    Parameters and errors as `ks_distance_by_attribute`. Equal scores for all rows have the distance
    0: read it with accuracy, or the area under the ROC curve.

    Returns
    -------
    float or array of shape (...)

    Examples
    --------
    >>> from grad_ext import ks_distance
    >>> float(ks_distance(None, [0.9, 0.6, 0.4, 0.1], sensitive_features=[1, 1, 0, 0]))
    1.0
    """
    return ks_distance_by_attribute(
        y_true, y_score, sensitive_features=sensitive_features, protected=protected,
        sample_weight=sample_weight, continuous=continuous, constraint=constraint,
        pos_label=pos_label,
    ).mean(axis=0)[()]  # fmt: skip


def wasserstein_distance(
    y_true: ArrayLike | None,
    y_score: ArrayLike,
    *,
    sensitive_features: Any = None,
    protected: Any = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    constraint: str = DEFAULT_CONSTRAINT,
    pos_label: Any = None,
) -> Any:
    """Return the Wasserstein-1 distance between the groups' scores, averaged over attributes.

    Parameters and errors as `wasserstein_distance_by_attribute`. Equal scores for all rows have the
    distance 0: read it with accuracy, or the area under the ROC curve.

    Returns
    -------
    float or array of shape (...)

    Examples
    --------
    >>> from grad_ext import wasserstein_distance
    >>> float(wasserstein_distance(None, [0.75, 0.5, 0.25, 0.25], sensitive_features=[1, 1, 0, 0]))
    0.375
    """
    return wasserstein_distance_by_attribute(
        y_true, y_score, sensitive_features=sensitive_features, protected=protected,
        sample_weight=sample_weight, continuous=continuous, constraint=constraint,
        pos_label=pos_label,
    ).mean(axis=0)[()]  # fmt: skip


def distance_chance_levels(
    y_true: ArrayLike | None,
    y_score: ArrayLike,
    *,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    constraint: str = DEFAULT_CONSTRAINT,
    pos_label: Any = None,
) -> dict[str, Floats]:
    """Return both distances as expected by chance, for each attribute.

    If scores do not depend on the groups, the errors of the groups' distribution functions are close
    to Brownian bridges over the common one, divided by the roots of the groups' numbers of rows, with
    weights of their effective numbers (Σ w)² / Σ w². The distances between simulated ones are
    averaged. Ties are those of the scores.

    Parameters
    ----------
    y_true, y_score, sensitive_features, sample_weight, continuous, constraint, pos_label
        As for `ks_distance_by_attribute`.

    Returns
    -------
    dict of arrays of shape (K, ...)
        ``ks_distance`` and ``wasserstein_distance``.

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext.metrics.score_distances import distance_chance_levels
    >>> scores, sex = np.arange(200) / 200, np.arange(200) % 2
    >>> levels = distance_chance_levels(None, scores, sensitive_features=sex)
    >>> levels["ks_distance"].round(2)
    array([0.12])
    """
    rows = _rows(
        y_true, y_score, sensitive_features, None, sample_weight, continuous, constraint, pos_label
    )
    scores = np.asarray(rows.predicted)
    models = scores.reshape(-1, scores.shape[-1])
    ks, wasserstein = [], []
    for groups in rows.groups:
        strata = [rows.in_groups(groups, one) for one in _strata(rows, constraint)]
        each = [_expected(model, strata) for model in models]
        ks.append(np.reshape([one for one, _ in each], scores.shape[:-1]))
        wasserstein.append(np.reshape([other for _, other in each], scores.shape[:-1]))
    return {"ks_distance": np.stack(ks), "wasserstein_distance": np.stack(wasserstein)}


def _expected(scores: Floats, strata: Sequence[Floats]) -> tuple[float, float]:
    """Return the means over the draws of the largest distances over the strata."""
    draws = [chance_draws(scores, weights, seed) for seed, weights in enumerate(strata)]
    count = min(len(one.ks) for one in draws)
    largest = stacked([Distances(d.ks[:count], d.wasserstein[:count]) for d in draws]).largest()
    return float(largest.ks.mean()), float(largest.wasserstein.mean())


def _rows(
    y_true: ArrayLike | None,
    y_score: ArrayLike,
    sensitive_features: Any,
    protected: Any,
    sample_weight: ArrayLike | None,
    continuous: Sequence[str | int],
    constraint: str,
    pos_label: Any,
) -> Predictions:
    needed = constraint_named(constraint).uses_labels
    if needed and y_true is None:
        raise InputError(f"constraint {constraint!r}: expected labels y_true, got None")
    features, index = one_of(sensitive_features, protected), index_of(y_true, y_score)
    true = None
    if not needed and _numbers(y_score):
        # Numbers of any size: no label has to be the favorable one.
        scores = as_rows("y_score", aligned("y_score", y_score, index, "y_true"))
        if y_true is not None and row_count(y_true) != scores.shape[-1]:
            raise InputError(f"y_score: expected {row_count(y_true)} rows, got {scores.shape[-1]}")
    else:
        true, scores = as_predictions(y_true, y_score, pos_label, name="y_score", needed=needed)
    n = scores.shape[-1]
    weight = as_weights(sample_weight, n, index)
    return Predictions(scores, true, weight, groups_of(features, n, index, continuous))


def _numbers(y_score: ArrayLike) -> bool:
    """Return whether scores are more than two numbers, and no labels."""
    array = np.asarray(y_score)
    return array.dtype.kind in "iuf" and len(np.unique(array)) > 2


def _strata(rows: Predictions, constraint: str) -> list[Floats]:
    """Return 1 for the rows of each stratum and 0 for the others, of shape (N,)."""
    rule = constraint_named(constraint)
    y = np.zeros(len(rows.weight)) if rows.y is None else rows.y
    strata = rule.strata_of(y, Binary("target"))
    return [(strata == one) * 1.0 for one in range(rule.heads(2))]


def _by_attribute(rows: Predictions, constraint: str) -> list[Distances]:
    """Return the largest distances over the strata for each attribute, of shape (...)."""
    scores, strata = np.asarray(rows.predicted), _strata(rows, constraint)
    return [
        stacked([distances(scores, rows.in_groups(groups, one)) for one in strata]).largest()
        for groups in rows.groups
    ]
