"""Zemel's metrics for Fairlearn's MetricFrame, which gets `zemel_metrics` and `zemel_params`.

The functions of `grad_ext.metrics.group` have the signature of Fairlearn's metrics and work with
``make_derived_metric``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grad_ext.data.sensitive import attributes_of, numbers, sensitive_frame
from grad_ext.errors import InputError
from grad_ext.metrics.group import (
    accuracy,
    balanced_accuracy,
    balanced_delta,
    consistency,
    delta,
    discrimination,
    positive_rate,
)
from grad_ext.metrics.inputs import row_count
from grad_ext.metrics.neighbors import NEIGHBORS, TIES
from grad_ext.metrics.points import points_of
from grad_ext.metrics.score_distances import ks_distance, wasserstein_distance


@dataclass(frozen=True)
class _Comparing:
    """A metric that compares groups, for MetricFrame: nan without sensitive features."""

    metric: Callable[..., Any]

    @property
    def __name__(self) -> str:
        return self.metric.__name__

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        sensitive_features: ArrayLike | None = None,
        protected: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
    ) -> Any:
        if sensitive_features is None and protected is None:
            return float("nan")
        return self.metric(
            y_true,
            y_pred,
            sensitive_features=sensitive_features,
            protected=protected,
            sample_weight=sample_weight,
            pos_label=pos_label,
        )


def _consistency(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    X: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    k: int = NEIGHBORS,
    include_self: bool = False,
    ties: str = TIES[0],
    pos_label: Any = None,
) -> Any:
    """Return Consistency for MetricFrame: nan without X, and in groups of too few rows."""
    if X is None or len(np.asarray(X)) < k + (not include_self):
        return float("nan")
    return consistency(
        y_true,
        y_pred,
        X=X,
        sample_weight=sample_weight,
        k=k,
        include_self=include_self,
        ties=ties,
        pos_label=pos_label,
    )


zemel_metrics: dict[str, Callable[..., Any]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "positive_rate": positive_rate,
    "discrimination": _Comparing(discrimination),
    "delta": _Comparing(delta),
    "balanced_delta": _Comparing(balanced_delta),
    "consistency": _consistency,
    "ks_distance": _Comparing(ks_distance),
    "wasserstein_distance": _Comparing(wasserstein_distance),
}
"""Metrics for Fairlearn's MetricFrame, by name.

Labels are 0 and 1, booleans, or -1 and 1; for other labels give each metric its favorable one:
``{name: functools.partial(metric, pos_label="yes") for name, metric in zemel_metrics.items()}``.

MetricFrame calls a metric with the rows of one group. The difference of ``positive_rate`` between
its groups is their Discrimination. ``discrimination``, ``delta``, ``balanced_delta``, ``ks_distance``
and ``wasserstein_distance`` compare by *another* attribute within the group (the last two are for
scores), and ``consistency`` uses the group's own rows as neighbours; they need `zemel_params`, and are nan without them or if a group has too few rows.
"""


def zemel_params(
    *,
    sensitive_features: Any = None,
    X: Any = None,
    sample_weight: ArrayLike | None = None,
    use_protected: bool = False,
) -> dict[str, dict[str, Any]]:
    """Return MetricFrame's `sample_params` for `zemel_metrics`.

    MetricFrame takes one value per row of each parameter, so several columns are passed as arrays,
    and group names as numbers.

    Parameters
    ----------
    sensitive_features : array, Series, frame, list or mapping of N rows, optional
        Groups, by number or name, that the metrics which compare groups do so by within each of
        MetricFrame's groups; rows with a missing value are ignored.
    X : array or frame of shape (N, D), optional
        Features that ``consistency`` measures distances in, standardised or one-hot encoded over all
        rows, see `grad_ext.data.encoding.metric_space`.
    sample_weight : array of shape (N,), optional
        Instance weights, for every metric.
    use_protected : bool, default False
        Keep the columns of `X` that have the names of sensitive features.

    Returns
    -------
    dict of dict
        Parameters by metric and name.

    Raises
    ------
    InputError
        If a sensitive feature holds numbers that are not groups.
    """
    weight = {} if sample_weight is None else {"sample_weight": np.asarray(sample_weight)}
    groups: dict[str, Any] = {}
    points: dict[str, Any] = {}
    names: Collection[str] = ()
    if sensitive_features is not None:
        frame = sensitive_frame(sensitive_features, row_count(sensitive_features))
        attributes = attributes_of(frame, ())
        for attribute in attributes:
            if attribute.levels is None:
                raise InputError(
                    f"sensitive feature {attribute.name!r}: expected groups, got numbers; "
                    "pandas.cut makes groups of them"
                )
        names = list(frame.columns)
        codes = numbers(frame, attributes)
        groups["sensitive_features"] = codes[:, 0] if len(attributes) == 1 else _cells(codes)
    if X is not None:
        points["X"] = _cells(points_of(X, () if use_protected else names))
    return {
        name: weight
        | (groups if isinstance(metric, _Comparing) else {})
        | (points if metric is _consistency else {})
        for name, metric in zemel_metrics.items()
    }


def _cells(rows: NDArray[np.float64]) -> NDArray[Any]:
    """Return rows as one column whose cells are arrays."""
    return np.fromiter(rows, dtype=object, count=len(rows))
