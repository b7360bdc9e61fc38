"""How good and how even-handed predictions are: pure functions of arrays.

Accuracy, Discrimination, Consistency and Delta are those of Zemel et al. (2013), "Learning Fair
Representations", section 5, as the GRAD paper writes them (section 3.1). A prediction ŷ is a label
(0 or 1) or a score in [0, 1]; the functions take either, and the paper's text ("only the predicted
label") is why grad-ext hands them labels unless told otherwise.

Predictions have shape (..., N): leading axes (members of a pack, say) are kept, so one call judges
many models. Groups are 0 and 1, numbers or names. Every function has the signature of Fairlearn's
metrics, ``(y_true, y_pred, *, sensitive_features, sample_weight)``, as far as it needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from grad_ext.errors import InputError
from grad_ext.metrics.neighbors import NEIGHBORS, NeighborGraph, neighbor_graph

Floats = NDArray[np.float64]
# Bins of a continuous attribute.
BINS = 10


def _rows(name: str, values: ArrayLike, n: int | None = None) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise InputError(f"{name}: expected at least one row, got shape {array.shape}")
    if n is not None and array.shape[-1] != n:
        raise InputError(f"{name}: expected {n} rows, got {array.shape[-1]}")
    return array


def _binary(name: str, values: ArrayLike, n: int | None = None) -> Floats:
    array = _rows(name, values, n)
    if not np.isin(array, (0.0, 1.0)).all():
        raise InputError(f"{name}: expected only 0 and 1, got {array[~np.isin(array, (0, 1))][0]}")
    return array


def _weights(sample_weight: ArrayLike | None, n: int) -> Floats:
    return np.ones(n) if sample_weight is None else _rows("sample_weight", sample_weight, n)


def _mean(values: Floats, weight: Floats) -> Any:
    total = weight.sum()
    if not total > 0:
        return np.full(values.shape[:-1], np.nan)[()]
    return np.where(_constant(values), values[..., 0], _sums(values, weight) / total)[()]


def _sums(values: Floats, weight: Floats) -> Floats:
    """Return weighted sums over the last axis, rounded alike however many predictions there are.

    A matrix product would choose its order of additions by the shape.
    """
    return np.asarray((np.ascontiguousarray(values) * weight).sum(axis=-1))


def _constant(values: Floats) -> NDArray[np.bool_]:
    """Return which predictions give every row the same: their means shall be that exactly."""
    return np.asarray((values == values[..., :1]).all(axis=-1))


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
    predicted = _rows("y_pred", y_pred)
    true = _binary("y_true", y_true, predicted.shape[-1])
    return 1.0 - _mean(np.abs(true - predicted), _weights(sample_weight, len(true)))


def balanced_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Any:
    """Return the mean of the accuracies among the rows of either class; 0.5 for a constant label.

    Parameters and return value as `accuracy`; nan where a class is absent.
    """
    predicted = _rows("y_pred", y_pred)
    true = _binary("y_true", y_true, predicted.shape[-1])
    weight = _weights(sample_weight, len(true))
    right = 1.0 - np.abs(true - predicted)
    return (_mean(right, weight * true) + _mean(right, weight * (1.0 - true))) / 2.0


def positive_rate(
    y_true: ArrayLike | None, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Any:
    """Return mean ŷ: the share of favorable predictions.

    Fairlearn's ``selection_rate``, and its ``mean_prediction`` for scores. `y_true` is not looked
    at.
    """
    predicted = _rows("y_pred", y_pred)
    return _mean(predicted, _weights(sample_weight, predicted.shape[-1]))


def _columns(sensitive_features: Any, n: int) -> Floats:
    """Return the columns of sensitive features as numbers, shape (K, N)."""
    if isinstance(sensitive_features, pd.DataFrame):
        columns = [column.to_numpy() for _, column in sensitive_features.items()]
        shape: tuple[int, ...] = sensitive_features.shape
    else:
        groups = sensitive_features
        if not hasattr(groups, "dtype"):
            # As objects, so that None and nan beside names stay missing and become no names.
            groups = np.asarray(groups, dtype=object)
        groups = np.asarray(groups)
        shape = groups.shape
        columns = [groups] if groups.ndim == 1 else list(groups.T)
    if len(shape) not in (1, 2) or shape[0] != n or not columns:
        raise InputError(
            f"sensitive_features: expected shape ({n},) or ({n}, K), got {tuple(shape)}"
        )
    return np.stack([_numbers(column) for column in columns])


def _numbers(column: NDArray[Any]) -> Floats:
    """Return a column as numbers; names are numbered, what is missing is nan."""
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        codes = pd.factorize(column, sort=False)[0].astype(np.float64)
        codes[codes < 0] = np.nan
        return codes


def _given(sensitive_features: ArrayLike | None, protected: ArrayLike | None) -> ArrayLike:
    if (sensitive_features is None) == (protected is None):
        raise InputError(
            "expected exactly one of sensitive_features and protected, got "
            f"{'neither' if protected is None else 'both'}"
        )
    return protected if sensitive_features is None else sensitive_features  # type: ignore[return-value]


def _two_groups(sensitive_features: ArrayLike, n: int) -> Floats:
    columns = _columns(sensitive_features, n)
    return _binary("sensitive_features", columns, n)


def _gaps(values: Floats, groups: Floats, weight: Floats) -> Floats:
    """Privileged minus unprivileged mean, shape (K, ...)."""
    return np.stack([_mean(values, weight * g) - _mean(values, weight * (1.0 - g)) for g in groups])


def _group_means(values: Floats, column: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the weight and the mean of every group that has rows, shapes (G,) and (G, ...)."""
    present = ~np.isnan(column)
    numbers, codes = np.unique(column[present], return_inverse=True)
    member = np.equal.outer(np.arange(len(numbers)), codes) * weight[present]
    total = member.sum(axis=1)
    kept = total > 0
    means = np.empty((int(kept.sum()), *values.shape[:-1]))
    for g, (share, size) in enumerate(zip(member[kept], total[kept], strict=True)):
        means[g] = _sums(values[..., present], share) / size
    return total[kept], np.where(_constant(values), values[..., 0], means)


def bins(column: Floats) -> Floats:
    """Return the number of each row's bin, `BINS` of equally many rows; nan stays."""
    present = ~np.isnan(column)
    edges = np.unique(np.quantile(column[present], np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(present, np.searchsorted(edges, column, side="right"), np.nan)


def _spread(values: Floats, column: Floats, weight: Floats, continuous: bool) -> Any:
    """Return how far the means of a column's groups lie apart, shape (...)."""
    if np.isnan(column).all():
        return np.full(values.shape[:-1], np.nan)[()]
    sizes, means = _group_means(values, bins(column) if continuous else column, weight)
    if len(sizes) < 2:
        return np.full(values.shape[:-1], np.nan)[()]
    if continuous:
        by_bin = np.moveaxis(means, 0, -1)
        mean = _sums(by_bin, sizes) / sizes.sum()
        return (_sums(np.abs(by_bin - mean[..., None]), sizes) / sizes.sum())[()]
    return means.max(axis=0) - means.min(axis=0)


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
    predicted = _rows("y_pred", y_pred)
    n = predicted.shape[-1]
    columns = _columns(_given(sensitive_features, protected), n)
    weight = _weights(sample_weight, n)
    return np.stack(
        [_spread(predicted, column, weight, k in continuous) for k, column in enumerate(columns)]
    )


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
    return discrimination_by_attribute(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        protected=protected,
        sample_weight=sample_weight,
        continuous=continuous,
    ).mean(axis=0)


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
    return accuracy(y_true, y_pred, sample_weight=sample_weight) - discrimination(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        protected=protected,
        sample_weight=sample_weight,
        continuous=continuous,
    )


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
    return balanced_accuracy(y_true, y_pred, sample_weight=sample_weight) - discrimination(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        protected=protected,
        sample_weight=sample_weight,
        continuous=continuous,
    )


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
    predicted = _rows("y_pred", y_pred)
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
    return 1.0 - _mean(np.abs(predicted - graph.mean(predicted)), _weights(sample_weight, n))


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
    # A weighted mean of ones may exceed 1 by rounding.
    rate = np.clip(np.asarray(positive, dtype=np.float64), 0.0, 1.0)
    columns = _columns(sensitive_features, len(np.asarray(sensitive_features)))
    units = [_unit_floor(column, k in continuous) for k, column in enumerate(columns)]
    return np.asarray(np.multiply.outer(np.array(units), np.sqrt(rate * (1.0 - rate))))


def _unit_floor(column: Floats, continuous: bool) -> float:
    """Return the chance level for labels of variance 1."""
    present = column[~np.isnan(column)]
    if not len(present):
        return float("nan")
    sizes = np.unique(bins(present) if continuous else present, return_counts=True)[1]
    if len(sizes) < 2:
        return float("nan")
    if continuous:
        share = sizes / sizes.sum()
        return float(share @ np.sqrt(2.0 / np.pi * (1.0 / sizes - 1.0 / sizes.sum())))
    if len(sizes) == 2:
        return float(np.sqrt(2.0 / np.pi * (1.0 / sizes).sum()))
    # The mean range of independent variables is the integral of P(min <= x < max).
    sd = 1.0 / np.sqrt(sizes)
    x = np.linspace(-8.0 * sd.max(), 8.0 * sd.max(), 4001)
    below = special.ndtr(x[:, None] / sd)
    return float(np.trapezoid(1.0 - below.prod(axis=1) - (1.0 - below).prod(axis=1), x))


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
    predicted = _rows("y_pred", y_pred)
    n = predicted.shape[-1]
    true = _binary("y_true", y_true, n)
    groups, weight = _two_groups(sensitive_features, n), _weights(sample_weight, n)
    parity = -_gaps(predicted, groups, weight)
    opportunity = -_gaps(predicted, groups, weight * true)
    false_positives = -_gaps(predicted, groups, weight * (1.0 - true))
    privileged = np.stack([_mean(predicted, weight * g) for g in groups])
    with np.errstate(divide="ignore", invalid="ignore"):
        impact = (privileged + parity) / privileged
    return {
        "statistical_parity_difference": parity,
        "disparate_impact": impact,
        "equal_opportunity_difference": opportunity,
        "average_odds_difference": (opportunity + false_positives) / 2.0,
    }


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
    predicted = _rows("y_pred", y_pred)
    n = predicted.shape[-1]
    true = _binary("y_true", y_true, n)
    weight = _weights(sample_weight, n)
    columns = _columns(sensitive_features, n)
    return np.stack(
        [
            np.maximum(*(_spread(predicted, column, weight * (true == y), False) for y in (0, 1)))
            for column in columns
        ]
    )
