"""Metrics of predictions, as functions of arrays.

Accuracy, Discrimination, Consistency and Delta are those of Zemel et al. (2013), "Learning Fair
Representations", section 5, as the GRAD paper writes them (section 3.1). A prediction ŷ is a label
(0 or 1) or a score in [0, 1]; the functions take either. Studies evaluate labels, since the paper
uses "only the predicted label".

Predictions have shape (..., N), so one call evaluates many models, each to the same bits as alone.
Groups are 0 and 1, numbers or names. Every function has the signature of Fairlearn's metrics,
``(y_true, y_pred, *, sensitive_features, sample_weight)``, as far as it needs them. The formulas are
those of `grad_ext.metrics.registry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grad_ext.errors import InputError
from grad_ext.metrics import registry
from grad_ext.metrics.inputs import as_binary, as_columns, as_rows, as_weights
from grad_ext.metrics.neighbors import NEIGHBORS, NeighborGraph, neighbor_graph
from grad_ext.metrics.sums import Groups, Predictions

Floats = NDArray[np.float64]
# AIF360's names.
TOOLKIT_METRICS = (
    "statistical_parity_difference",
    "disparate_impact",
    "equal_opportunity_difference",
    "average_odds_difference",
)


def _predictions(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    columns: Floats | Sequence[Any] = (),
    continuous: Sequence[int] = (),
    kind: str = "categorical",
) -> Predictions:
    predicted = as_rows("y_pred", y_pred)
    n = predicted.shape[-1]
    true = None if y_true is None else as_binary("y_true", y_true, n)
    groups = tuple(
        Groups.of(str(k), "continuous" if k in continuous else kind, column)
        for k, column in enumerate(columns)
    )
    return Predictions(predicted, true, as_weights(sample_weight, n), groups)


def _attributes(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    sensitive_features: ArrayLike | None,
    protected: ArrayLike | None,
    sample_weight: ArrayLike | None,
    continuous: Sequence[int],
) -> Predictions:
    if (sensitive_features is None) == (protected is None):
        raise InputError(
            "expected exactly one of sensitive_features and protected, got "
            f"{'neither' if protected is None else 'both'}"
        )
    features = protected if sensitive_features is None else sensitive_features
    columns = as_columns(features, as_rows("y_pred", y_pred).shape[-1])
    return _predictions(y_true, y_pred, sample_weight, columns, continuous)


def _by_attribute(name: str, predictions: Predictions) -> Floats:
    formula = registry.METRICS[name].formula
    return np.stack([formula(predictions, k) for k in range(len(predictions.groups))])


def accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Any:
    """Return ``1 - mean |y - ŷ|``: the share of right labels, or its analogue for scores.

    Zemel et al. (2013), section 5.2 (yAcc).

    Parameters
    ----------
    y_true : array of shape (N,)
        Labels, 0 or 1.
    y_pred : array of shape (..., N)
        Labels or scores.
    sample_weight : array of shape (N,), optional

    Returns
    -------
    float or array of shape (...)

    Examples
    --------
    >>> from grad_ext.metrics.group import accuracy
    >>> float(accuracy([1, 0, 1, 1], [1, 0, 0, 1]))
    0.75
    """
    return registry.accuracy(_predictions(y_true, y_pred, sample_weight))[()]


def balanced_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Any:
    """Return the mean of the accuracies among the rows of either class; 0.5 for a constant label.

    Parameters and return value as `accuracy`; nan where a class is absent.
    """
    return registry.balanced_accuracy(_predictions(y_true, y_pred, sample_weight))[()]


def positive_rate(
    y_true: ArrayLike | None, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Any:
    """Return mean ŷ: the share of favorable predictions.

    Fairlearn's ``selection_rate``, and its ``mean_prediction`` for scores. `y_true` is not looked
    at.
    """
    return registry.positive_rate(_predictions(None, y_pred, sample_weight))[()]


def discrimination_by_attribute(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    *,
    sensitive_features: ArrayLike | None = None,
    protected: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[int] = (),
) -> Floats:
    """Return Discrimination for each protected attribute.

    For two groups ``|mean ŷ of one - mean ŷ of the other|`` (GRAD paper, equation 1), which for
    labels is the magnitude of AIF360's ``statistical_parity_difference`` and Fairlearn's
    ``demographic_parity_difference``. For more groups the largest difference between any two, as
    Fairlearn has it. For a continuous attribute the generalized demographic parity of Jiang et al.
    (2022), "Generalized Demographic Parity for Group Fairness", ICLR, in its histogram estimate:
    the mean of ``|mean ŷ of a bin - mean ŷ|`` over ten bins of equally many rows.

    Parameters
    ----------
    y_true : array of shape (N,) or None
        Not looked at.
    y_pred : array of shape (..., N)
        Labels or scores.
    sensitive_features : array of shape (N,) or (N, K)
        Groups, or numbers; rows where an attribute is nan (or None) do not count for it.
    protected : array of shape (N,) or (N, K)
        The same under another name, for Fairlearn's ``make_derived_metric``, which keeps
        ``sensitive_features`` to itself; exactly one of the two is needed.
    sample_weight : array of shape (N,), optional
    continuous : sequence of int, optional
        Which columns are continuous.

    Returns
    -------
    array of shape (K, ...)
        nan where fewer than two groups have rows.
    """
    predictions = _attributes(
        None, y_pred, sensitive_features, protected, sample_weight, continuous
    )
    return _by_attribute("discrimination", predictions)


def discrimination(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    *,
    sensitive_features: ArrayLike | None = None,
    protected: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[int] = (),
) -> Any:
    """Return Discrimination, averaged over the protected attributes.

    GRAD paper, equation 1 and, for several attributes, section 2 ("the lowest average"). A constant
    prediction has Discrimination 0: read it beside `balanced_accuracy`, and beside
    `chance_level`, what chance alone would show.

    Parameters as `discrimination_by_attribute`.

    Returns
    -------
    float or array of shape (...)

    Examples
    --------
    >>> from grad_ext import discrimination
    >>> float(discrimination([1, 0, 1, 0], [1, 1, 1, 0], sensitive_features=[1, 1, 0, 0]))
    0.5
    """
    predictions = _attributes(
        None, y_pred, sensitive_features, protected, sample_weight, continuous
    )
    return registry.averaged(registry.discrimination, predictions)[()]


def delta(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: ArrayLike | None = None,
    protected: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[int] = (),
) -> Any:
    """Return Delta: accuracy minus (mean) Discrimination.

    GRAD paper, section 3.1. A constant prediction scores the majority's share, which on German
    credit is above every method of the paper's Table 1: see `balanced_delta`.

    Parameters as `discrimination_by_attribute`, but that `y_true` is needed.

    Examples
    --------
    >>> from grad_ext import delta
    >>> float(delta([1, 0, 1, 0], [1, 1, 1, 0], sensitive_features=[1, 1, 0, 0]))
    0.25
    """
    predictions = _attributes(
        y_true, y_pred, sensitive_features, protected, sample_weight, continuous
    )
    return registry.delta(predictions)[()]


def balanced_delta(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: ArrayLike | None = None,
    protected: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[int] = (),
) -> Any:
    """Return balanced accuracy minus (mean) Discrimination; 0.5 for a constant label.

    Delta's form with an accuracy that a constant prediction does not win. Parameters as `delta`.

    Examples
    --------
    >>> from grad_ext import balanced_delta
    >>> float(balanced_delta([1, 1, 1, 0], [1, 1, 1, 1], sensitive_features=[1, 1, 0, 0]))
    0.5
    """
    predictions = _attributes(
        y_true, y_pred, sensitive_features, protected, sample_weight, continuous
    )
    return registry.balanced_delta(predictions)[()]


def consistency(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    *,
    X: ArrayLike | None = None,
    graph: NeighborGraph | None = None,
    sensitive_features: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    k: int = NEIGHBORS,
    include_self: bool = False,
    ties: str = "share",
) -> Any:
    """Return Consistency: ``1 - mean |ŷ - mean ŷ of the k nearest neighbours|``.

    GRAD paper, equation 2; Zemel et al. (2013), section 5.2 (yNN). A constant prediction has
    Consistency 1.

    Parameters
    ----------
    y_true : array of shape (N,) or None
        Not looked at.
    y_pred : array of shape (..., N)
        Labels or scores.
    X : array of shape (N, D)
        Where the rows lie, as numbers that are comparable (`grad_ext.metrics.neighbors.metric_space`
        encodes a table's or a frame's columns); Euclidean distance.
    graph : NeighborGraph
        Instead of `X`: `grad_ext.metrics.neighbors.neighbor_graph` of it, found once for many predictions;
        `k`, `include_self` and `ties` are then the graph's.
    sensitive_features : array, optional
        Not looked at, so that all metrics can be called alike: whether the protected attributes
        count in the distance is a matter of `X`.
    sample_weight : array of shape (N,), optional
        Of the rows in the mean; every neighbour counts alike.
    k : int, default 5
        Number of neighbours (AIF360's default; the paper does not say).
    include_self : bool, default False
        Count each row among its own neighbours, as AIF360's ``consistency`` does. That flatters
        every model, so it is off.
    ties : {'share', 'first'}, default 'share'
        What becomes of rows tied at the k-th distance: they share the weight that is left, so that
        the order of the rows does not matter, or those that come first are taken.

    Returns
    -------
    float or array of shape (...)

    Raises
    ------
    InputError
        If neither or both of `X` and `graph` are given, or they have another number of rows.

    Examples
    --------
    >>> from grad_ext import consistency
    >>> X = [[0.0], [1.0], [1.8], [5.0]]
    >>> float(consistency([1, 1, 0, 0], [1, 1, 0, 0], X=X, k=1))
    0.5
    """
    predicted = as_rows("y_pred", y_pred)
    n = predicted.shape[-1]
    if (X is None) == (graph is None):
        raise InputError("consistency needs exactly one of X and graph")
    if graph is None:
        points = np.asarray(X)
        if points.ndim != 2 or len(points) != n:
            raise InputError(f"X: expected {n} rows, got shape {points.shape}")
        graph = neighbor_graph(points, k=k, include_self=include_self, ties=ties)
    elif len(graph) != n:
        raise InputError(f"graph: expected {n} rows, got {len(graph)}")
    weight = as_weights(sample_weight, n)
    predictions = Predictions(predicted, None, weight, graph=graph, neighbor_weight=weight)
    return registry.consistency(predictions)[()]


def chance_level(
    positive: ArrayLike, sensitive_features: ArrayLike, *, continuous: Sequence[int] = ()
) -> Floats:
    """Return the Discrimination that chance alone would show, for each protected attribute.

    For labels that are independent of the attribute and favorable at rate p, the groups' rates are
    close to independent normals of variance p (1 - p) / n_g. Of two groups the mean magnitude of
    the difference is sqrt(2/π) sqrt(p (1 - p) (1/n₁ + 1/n₀)); of more it is the mean range of the
    normals; for a continuous attribute the mean of the bins' magnitudes.

    Parameters
    ----------
    positive : float or array of shape (...)
        Positive rate p.
    sensitive_features : array of shape (N,) or (N, K)
        Groups or numbers, as for `discrimination_by_attribute`; only the groups' sizes matter.
    continuous : sequence of int, optional
        Which columns are continuous.

    Returns
    -------
    array of shape (K, ...)
        nan where fewer than two groups have rows.
    """
    columns = as_columns(sensitive_features, len(np.asarray(sensitive_features)))
    groups = [
        Groups.of(str(k), "continuous" if k in continuous else "categorical", column)
        for k, column in enumerate(columns)
    ]
    return registry.chance_levels(np.asarray(positive, dtype=np.float64), groups)


def toolkit_metrics(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> dict[str, Floats]:
    """Return the group metrics of the toolkits, with AIF360's names and signs.

    Unprivileged minus (for ``disparate_impact``: over) privileged, as in
    ``aif360.metrics.ClassificationMetric``.

    Parameters
    ----------
    y_true : array of shape (N,)
        Labels, 0 or 1.
    y_pred : array of shape (..., N)
        Predicted labels, 0 or 1.
    sensitive_features : array of shape (N,) or (N, K)
        Groups, 1 for the privileged.
    sample_weight : array of shape (N,), optional

    Returns
    -------
    dict of arrays of shape (K, ...)
        ``statistical_parity_difference``, ``disparate_impact``, ``equal_opportunity_difference``,
        ``average_odds_difference``; nan where a rate has no rows to be taken over.
    """
    n = as_rows("y_pred", y_pred).shape[-1]
    columns = as_binary("sensitive_features", as_columns(sensitive_features, n))
    predictions = _predictions(y_true, y_pred, sample_weight, columns, kind="binary")
    return {name: _by_attribute(name, predictions) for name in TOOLKIT_METRICS}


def equalized_odds_by_attribute(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> Floats:
    """Return the equalized odds difference for each protected attribute.

    The larger of two differences: among the rows of either label, the largest difference between
    any two groups' shares of favorable predictions. Fairlearn's ``equalized_odds_difference`` and,
    of two groups, AIF360's; but a group without rows of a label is left out there, where Fairlearn
    has a rate of 0. A constant prediction has 0.

    Parameters
    ----------
    y_true : array of shape (N,)
        Labels, 0 or 1.
    y_pred : array of shape (..., N)
        Labels or scores.
    sensitive_features : array of shape (N,) or (N, K)
        Groups; rows where an attribute is nan (or None) do not count for it.
    sample_weight : array of shape (N,), optional

    Returns
    -------
    array of shape (K, ...)
        nan where, among the rows of a label, fewer than two groups have any.

    Examples
    --------
    >>> from grad_ext.metrics.group import equalized_odds_by_attribute
    >>> y, labels = [1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 0, 0]
    >>> equalized_odds_by_attribute(y, labels, sensitive_features=[0, 0, 1, 1, 0, 1])
    array([0.5])
    """
    predictions = _attributes(y_true, y_pred, sensitive_features, None, sample_weight, ())
    return _by_attribute("equalized_odds_difference", predictions)
