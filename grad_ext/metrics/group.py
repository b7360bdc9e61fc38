"""Metrics of predictions, as functions of arrays.

Accuracy, Discrimination, Consistency and Delta are those of Zemel et al. (2013), "Learning Fair
Representations", section 5, as the GRAD paper writes them (section 3.1). A prediction ŷ is a label
(1 for the favorable one) or a score in [0, 1]; the functions take either. Studies evaluate labels, since the paper
uses "only the predicted label".

Predictions have shape (..., N), so one call evaluates many models, each to the same bits as alone.
Groups are 0 and 1, numbers or names. Every function has the signature of Fairlearn's metrics,
``(y_true, y_pred, *, sensitive_features, sample_weight)``, as far as it needs them. The formulas are
those of `grad_ext.metrics.registry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from grad_ext.data.alignment import aligned, index_of
from grad_ext.data.sensitive import sensitive_frame
from grad_ext.errors import InputError
from grad_ext.metrics import registry
from grad_ext.metrics.inputs import (
    as_binary,
    as_predictions,
    as_weights,
    continuous_columns,
    named_columns,
    row_count,
)
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
    pos_label: Any,
    needed: bool = True,
) -> Predictions:
    true, predicted = as_predictions(y_true, y_pred, pos_label, needed=needed)
    index = index_of(y_true, y_pred)
    return Predictions(predicted, true, as_weights(sample_weight, predicted.shape[-1], index))


def _attributes(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    sensitive_features: Any,
    protected: Any,
    sample_weight: ArrayLike | None,
    pos_label: Any,
    continuous: Sequence[str | int],
    needed: bool = True,
) -> Predictions:
    features = one_of(sensitive_features, protected)
    rows = _predictions(y_true, y_pred, sample_weight, pos_label, needed)
    index = index_of(y_true, y_pred)
    return replace(rows, groups=groups_of(features, len(rows.weight), index, continuous))


def one_of(sensitive_features: Any, protected: Any) -> Any:
    """Return the sensitive features, which have two names.

    Raises
    ------
    InputError
        If they are given under neither name, or under both.
    """
    if (sensitive_features is None) == (protected is None):
        raise InputError(
            "expected exactly one of sensitive_features and protected, got "
            f"{'neither' if protected is None else 'both'}"
        )
    return protected if sensitive_features is None else sensitive_features


def groups_of(
    sensitive_features: Any, n: int, index: pd.Index | None, continuous: Sequence[str | int]
) -> tuple[Groups, ...]:
    """Return the groups of each column of sensitive features of N rows.

    Raises as `grad_ext.metrics.inputs.named_columns` and `continuous_columns`.
    """
    columns = named_columns(sensitive_features, n, index)
    numbers = continuous_columns(continuous, list(columns))
    return tuple(
        Groups.of(str(k), "continuous" if name in numbers else "categorical", column)
        for k, (name, column) in enumerate(columns.items())
    )


def _by_attribute(name: str, predictions: Predictions) -> Floats:
    formula = registry.METRICS[name].formula
    return np.stack([formula(predictions, k) for k in range(len(predictions.groups))])


def accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    pos_label: Any = None,
) -> Any:
    """Return ``1 - mean |y - ŷ|``: the share of right labels, or its analogue for scores.

    Zemel et al. (2013), section 5.2 (yAcc).

    Parameters
    ----------
    y_true : array of shape (N,)
        Labels: 0 and 1, booleans, -1 and 1, or any two values.
    y_pred : array of shape (..., N)
        Labels, or scores in [0, 1] of the favorable one.
    sample_weight : array of shape (N,), optional
    pos_label : object, optional
        The favorable label; needed if the labels are other than 0 and 1, booleans, or -1 and 1.

    Returns
    -------
    float or array of shape (...)

    Raises
    ------
    InputError
        If there are more than two labels, it is not known which one is favorable, or arguments with
        a pandas index hold other rows.

    Examples
    --------
    >>> from grad_ext.metrics.group import accuracy
    >>> float(accuracy([1, 0, 1, 1], [1, 0, 0, 1]))
    0.75
    >>> float(accuracy(["no", "yes"], ["yes", "yes"], pos_label="yes"))
    0.5
    """
    return registry.accuracy(_predictions(y_true, y_pred, sample_weight, pos_label))[()]


def balanced_accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    pos_label: Any = None,
) -> Any:
    """Return the mean of the accuracies among the rows of either class; 0.5 for a constant label.

    Parameters and return value as `accuracy`; nan where a class is absent.
    """
    return registry.balanced_accuracy(_predictions(y_true, y_pred, sample_weight, pos_label))[()]


def positive_rate(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    pos_label: Any = None,
) -> Any:
    """Return mean ŷ: the share of favorable predictions.

    Fairlearn's ``selection_rate``, and its ``mean_prediction`` for scores. `y_true` only helps to
    tell labels from scores. Other parameters as `accuracy`.
    """
    return registry.positive_rate(
        _predictions(y_true, y_pred, sample_weight, pos_label, needed=False)
    )[()]


def discrimination_by_attribute(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any = None,
    protected: Any = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    pos_label: Any = None,
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
        Only helps to tell labels from scores.
    y_pred : array of shape (..., N)
        Labels, or scores in [0, 1] of the favorable one; floats outside are predicted numbers.
    sensitive_features : array of shape (N,) or (N, K), Series, frame, list or mapping
        Groups, or numbers; rows where an attribute is nan (or None) are ignored for it.
    protected : array of shape (N,) or (N, K), Series, frame, list or mapping
        The same under another name, for Fairlearn's ``make_derived_metric``, which does not pass on
        ``sensitive_features``; exactly one of the two is needed.
    sample_weight : array of shape (N,), optional
    continuous : sequence of str or int, optional
        Which columns are continuous, by name or number.
    pos_label : object, optional
        The favorable label; needed if the labels are other than 0 and 1, booleans, or -1 and 1.

    Returns
    -------
    array of shape (K, ...)
        nan where fewer than two groups have rows.

    Raises
    ------
    InputError
        As `accuracy`.
    """
    predictions = _attributes(
        y_true, y_pred, sensitive_features, protected, sample_weight, pos_label, continuous, False
    )
    return _by_attribute("discrimination", predictions)


def discrimination(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any = None,
    protected: Any = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    pos_label: Any = None,
) -> Any:
    """Return Discrimination, averaged over the protected attributes.

    GRAD paper, equation 1 and, for several attributes, section 2 ("the lowest average"). A constant
    prediction has Discrimination 0: report it with `balanced_accuracy`, and with `chance_level`.

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
        y_true, y_pred, sensitive_features, protected, sample_weight, pos_label, continuous, False
    )
    return registry.averaged(registry.discrimination, predictions)[()]


def delta(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any = None,
    protected: Any = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    pos_label: Any = None,
) -> Any:
    """Return Delta: accuracy minus (mean) Discrimination.

    GRAD paper, section 3.1. A constant prediction gets the share of the majority class, which on
    German credit is above every method of the paper's Table 1: see `balanced_delta`.

    Parameters as `discrimination_by_attribute`, but that `y_true` is needed.

    Examples
    --------
    >>> from grad_ext import delta
    >>> float(delta([1, 0, 1, 0], [1, 1, 1, 0], sensitive_features=[1, 1, 0, 0]))
    0.25
    """
    predictions = _attributes(
        y_true, y_pred, sensitive_features, protected, sample_weight, pos_label, continuous
    )
    return registry.delta(predictions)[()]


def balanced_delta(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any = None,
    protected: Any = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    pos_label: Any = None,
) -> Any:
    """Return balanced accuracy minus (mean) Discrimination; 0.5 for a constant label.

    Delta with an accuracy that is not highest for a constant prediction. Parameters as `delta`.

    Examples
    --------
    >>> from grad_ext import balanced_delta
    >>> float(balanced_delta([1, 1, 1, 0], [1, 1, 1, 1], sensitive_features=[1, 1, 0, 0]))
    0.5
    """
    predictions = _attributes(
        y_true, y_pred, sensitive_features, protected, sample_weight, pos_label, continuous
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
    pos_label: Any = None,
) -> Any:
    """Return Consistency: ``1 - mean |ŷ - mean ŷ of the k nearest neighbours|``.

    GRAD paper, equation 2; Zemel et al. (2013), section 5.2 (yNN). A constant prediction has
    Consistency 1.

    Parameters
    ----------
    y_true : array of shape (N,) or None
        Only helps to tell labels from scores.
    y_pred : array of shape (..., N)
        Labels, or scores in [0, 1] of the favorable one.
    X : array of shape (N, D)
        Coordinates of the rows, on comparable scales (`grad_ext.data.encoding.metric_space` encodes
        the columns of a table or frame); Euclidean distance.
    graph : NeighborGraph
        Instead of `X`: `grad_ext.metrics.neighbors.neighbor_graph` of it, computed once for many
        predictions; `k`, `include_self` and `ties` are then those of the graph.
    sensitive_features : array, optional
        Ignored, so that all metrics can be called alike: `X` decides whether the protected
        attributes are part of the distance.
    sample_weight : array of shape (N,), optional
        Weights in the mean; all neighbours have the same weight.
    k : int, default 5
        Number of neighbours (AIF360's default; the paper gives none).
    include_self : bool, default False
        Count each row among its own neighbours, as AIF360's ``consistency`` does, which raises
        every value.
    ties : {'share', 'first'}, default 'share'
        Rows tied at the k-th distance share the remaining weight, so that the order of the rows does
        not matter; or the first of them are taken.
    pos_label : object, optional
        The favorable label, as for `accuracy`.

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
    rows = _predictions(y_true, y_pred, sample_weight, pos_label, needed=False)
    n = len(rows.weight)
    if (X is None) == (graph is None):
        raise InputError("consistency needs exactly one of X and graph")
    if graph is None:
        points = np.asarray(aligned("X", X, index_of(y_true, y_pred), "y"))
        if points.ndim != 2 or len(points) != n:
            raise InputError(f"X: expected {n} rows, got shape {points.shape}")
        graph = neighbor_graph(points, k=k, include_self=include_self, ties=ties)
    elif len(graph) != n:
        raise InputError(f"graph: expected {n} rows, got {len(graph)}")
    return registry.consistency(replace(rows, graph=graph, neighbor_weight=rows.weight))[()]


def chance_level(
    positive: ArrayLike,
    sensitive_features: Any,
    *,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
) -> Floats:
    """Return the Discrimination expected by chance, for each protected attribute.

    For labels that are independent of the attribute and favorable at rate p, the groups' rates are
    close to independent normals of variance p (1 - p) / n_g. Of two groups the mean magnitude of
    the difference is sqrt(2/π) sqrt(p (1 - p) (1/n₁ + 1/n₀)); of more it is the mean range of the
    normals; for a continuous attribute the mean of the bins' magnitudes. With weights n_g is the
    effective number of rows, (Σ w)² / Σ w² (Kish, 1965).

    Parameters
    ----------
    positive : float or array of shape (...)
        Positive rate p.
    sensitive_features : array of shape (N,) or (N, K), Series, frame, list or mapping
        Groups or numbers, as for `discrimination_by_attribute`; only the groups' sizes matter.
    sample_weight : array of shape (N,), optional
    continuous : sequence of str or int, optional
        Which columns are continuous, by name or number.

    Returns
    -------
    array of shape (K, ...)
        nan where fewer than two groups have rows.
    """
    n = row_count(sensitive_features)
    groups = groups_of(sensitive_features, n, None, continuous)
    weight = None if sample_weight is None else as_weights(sample_weight, n)
    return registry.chance_levels(np.asarray(positive, dtype=np.float64), groups, weight)


def toolkit_metrics(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    pos_label: Any = None,
) -> dict[str, Floats]:
    """Return the group metrics of the toolkits, with AIF360's names and signs.

    Unprivileged minus (for ``disparate_impact``: over) privileged, as in
    ``aif360.metrics.ClassificationMetric``.

    Parameters
    ----------
    y_true, y_pred, pos_label
        Labels and predicted labels, as for `accuracy`.
    sensitive_features : array of shape (N,) or (N, K), Series, frame, list or mapping
        Groups, 1 for the privileged and 0.
    sample_weight : array of shape (N,), optional

    Returns
    -------
    dict of arrays of shape (K, ...)
        ``statistical_parity_difference``, ``disparate_impact``, ``equal_opportunity_difference``,
        ``average_odds_difference``; nan where a rate has no rows to be taken over.
    """
    rows = _predictions(y_true, y_pred, sample_weight, pos_label)
    frame = sensitive_frame(sensitive_features, len(rows.weight), index_of(y_true, y_pred), "y")
    # Of names it is not known which one is the privileged group.
    columns = [as_binary(f"sensitive_features {name!r}", one) for name, one in frame.items()]
    groups = tuple(Groups.of(str(k), "binary", column) for k, column in enumerate(columns))
    predictions = replace(rows, groups=groups)
    return {name: _by_attribute(name, predictions) for name in TOOLKIT_METRICS}


def equalized_odds_by_attribute(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    pos_label: Any = None,
) -> Floats:
    """Return the equalized odds difference for each protected attribute.

    The larger of two differences: among the rows of either label, the largest difference between
    any two groups' shares of favorable predictions. Fairlearn's ``equalized_odds_difference`` and,
    of two groups, AIF360's; except that a group without rows of a label is left out, where Fairlearn
    uses a rate of 0. A constant prediction has 0.

    Parameters
    ----------
    y_true, y_pred, pos_label
        Labels, and labels or scores, as for `accuracy`.
    sensitive_features : array of shape (N,) or (N, K), Series, frame, list or mapping
        Groups; rows where an attribute is nan (or None) are ignored for it.
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
    predictions = _attributes(
        y_true, y_pred, sensitive_features, None, sample_weight, pos_label, ()
    )
    return _by_attribute("equalized_odds_difference", predictions)
