"""Zemel's metrics as scorers: pass `zemel_scorer` wherever scikit-learn takes `scoring`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from grad_ext.data.alignment import index_of
from grad_ext.data.sensitive import attributes_of, numbers, sensitive_frame
from grad_ext.errors import InputError, unknown
from grad_ext.metrics.graph_cache import cached_graph
from grad_ext.metrics.group import (
    accuracy,
    balanced_accuracy,
    balanced_delta,
    consistency,
    delta,
    discrimination,
)
from grad_ext.metrics.inputs import PREDICTIONS, as_weights
from grad_ext.metrics.neighbors import NEIGHBORS, TIES
from grad_ext.metrics.points import as_frame, points_of
from grad_ext.metrics.registry import METRICS
from grad_ext.metrics.score_distances import ks_distance, wasserstein_distance

# Names of scorers; greater is better, so metrics of which lower values are better are negated.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "discrimination": discrimination,
    "delta": delta,
    "balanced_delta": balanced_delta,
    "consistency": consistency,
    "ks_distance": ks_distance,
    "wasserstein_distance": wasserstein_distance,
}
_SCORES = {
    name if METRICS[name].higher_is_better else f"neg_{name}": metric
    for name, metric in _FUNCTIONS.items()
}


class ZemelScorer(BaseEstimator):  # type: ignore[misc]
    """A scorer that scikit-learn calls as ``scorer(estimator, X, y)``; see `zemel_scorer`."""

    # The argument before X, which is no metadata that a search could route.
    __metadata_request__score = {"estimator": UNUSED}  # noqa: RUF012

    def __init__(
        self,
        metric: str,
        *,
        protected: str | Sequence[Any] | None = None,
        prediction: str = "label",
        k: int = NEIGHBORS,
        include_self: bool = False,
        ties: str = TIES[0],
        use_protected: bool = False,
        continuous: Sequence[str] = (),
        pos_label: Any = None,
    ) -> None:
        self.metric = metric
        self.protected = protected
        self.prediction = prediction
        self.k = k
        self.include_self = include_self
        self.ties = ties
        self.use_protected = use_protected
        self.continuous = continuous
        self.pos_label = pos_label

    def score(
        self,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sensitive_features: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the metric of a fitted classifier of two classes; greater is better.

        Scikit-learn derives the metadata that the scorer can request from this signature.

        Parameters
        ----------
        estimator : classifier
            Fitted.
        X : array or frame of shape (N, D)
            Features.
        y : array of shape (N,)
            Labels.
        sensitive_features : array, Series, frame, list or mapping, optional
            Protected attributes, if the scorer was created without their names.
        sample_weight : array of shape (N,), optional

        Raises
        ------
        InputError
            If there are not two classes, or no attributes to compare by.
        """
        labels = np.asarray(y).ravel()
        classes = _two_classes(estimator, labels)
        favorable = self._favorable(classes)
        true = (labels == classes[favorable]).astype(np.float64)
        predicted = self._predicted(estimator, X, classes, favorable)
        index = index_of(X, y)
        groups = self._sensitive(X, sensitive_features, index)
        weight = None if sample_weight is None else as_weights(sample_weight, len(labels), index)
        given: dict[str, Any] = {"sample_weight": weight}
        if self.metric == "consistency":
            left_out = () if self.use_protected or groups is None else list(groups.columns)
            points = points_of(X, left_out)
            given["graph"] = cached_graph(points, self.k, self.include_self, self.ties)
        elif self.metric not in ("accuracy", "balanced_accuracy"):
            if groups is None:
                raise InputError(
                    f"{self.metric} needs protected attributes: name columns of X or levels of its "
                    "index in `protected`, or route sensitive_features to the scorer"
                )
            attributes = attributes_of(groups, self.continuous)
            given["sensitive_features"] = numbers(groups, attributes)
            given["continuous"] = [i for i, a in enumerate(attributes) if a.levels is None]
        value = float(_SCORES[self.metric](true, predicted, **given))
        # A constant's score is 0 and not -0.
        return 0.0 - value if self.metric.startswith("neg_") else value

    __call__ = score

    def _favorable(self, classes: NDArray[Any]) -> int:
        """Return which of two classes is the favorable one."""
        if self.pos_label is None:
            return 1
        chosen = [k for k, label in enumerate(classes.tolist()) if label == self.pos_label]
        if len(chosen) != 1:
            raise InputError(
                f"pos_label: expected one of the labels {classes.tolist()}, got {self.pos_label!r}"
            )
        return chosen[0]

    def _predicted(
        self, estimator: Any, X: Any, classes: NDArray[Any], favorable: int
    ) -> NDArray[np.float64]:
        of_scores = METRICS[self.metric.removeprefix("neg_")].scores
        if self.prediction == "label" and not of_scores:
            labels = np.asarray(estimator.predict(X)).ravel()
            return np.asarray(labels == classes[favorable], dtype=np.float64)
        if not hasattr(estimator, "predict_proba"):
            needing = self.metric if of_scores else "prediction='score'"
            raise InputError(f"{needing} needs predict_proba, {type(estimator).__name__} has none")
        return np.asarray(estimator.predict_proba(X), dtype=np.float64)[:, favorable]

    def _sensitive(
        self, X: Any, sensitive_features: Any, index: pd.Index | None
    ) -> pd.DataFrame | None:
        if self.protected is None:
            if sensitive_features is None:
                return None
            return sensitive_frame(sensitive_features, np.shape(X)[0], index)
        if sensitive_features is not None:
            raise InputError(
                f"expected sensitive_features or protected={self.protected!r}, got both"
            )
        frame = as_frame(X)
        names = [self.protected] if isinstance(self.protected, str) else list(self.protected)
        known = [*frame.columns, *(name for name in frame.index.names if name is not None)]
        for name in names:
            if name not in known:
                raise unknown("column of X or level of its index", name, known)
        columns = {
            str(name): frame[name] if name in frame.columns else frame.index.get_level_values(name)
            for name in names
        }
        return sensitive_frame(columns, len(frame))

    def _accept_sample_weight(self) -> bool:
        # scikit-learn calls this if there are several scorers and routing is off.
        return True


def _two_classes(estimator: Any, labels: NDArray[Any]) -> NDArray[Any]:
    # Fairlearn's mitigators have no classes_.
    classes = np.asarray(getattr(estimator, "classes_", np.unique(labels)))
    if classes.shape != (2,):
        raise InputError(f"expected a classifier of two classes, got {len(classes)}")
    if not np.isin(labels, classes).all():
        other = labels[~np.isin(labels, classes)][0]
        raise InputError(f"y: expected the labels {classes.tolist()}, got {other!r}")
    return classes


def zemel_scorer(
    metric: str = "delta",
    *,
    protected: str | Sequence[Any] | None = None,
    prediction: str = "label",
    k: int = NEIGHBORS,
    include_self: bool = False,
    ties: str = TIES[0],
    use_protected: bool = False,
    continuous: Sequence[str] = (),
    pos_label: Any = None,
) -> ZemelScorer:
    """Return a scorer for scikit-learn's searches and cross-validation; greater is better.

    It is called with a fitted classifier of two classes and the rows of a fold. The protected
    attributes come from `protected`, or as ``sensitive_features`` through metadata routing
    (``zemel_scorer().set_score_request(sensitive_features=True)``).

    Parameters
    ----------
    metric : str, default 'delta'
        ``accuracy``, ``balanced_accuracy``, ``neg_discrimination`` (the negative of
        Discrimination), ``delta``, ``balanced_delta``, ``consistency``, ``neg_ks_distance`` or
        ``neg_wasserstein_distance``. With all but the balanced ones a search may select a constant
        prediction, which has Discrimination 0, Consistency 1 and no distance between groups.
    protected : str or sequence of str, optional
        Names of columns of X, or of levels of its index (AIF360's scikit-learn convention), that
        hold the protected attributes.
    prediction : {'label', 'score'}, default 'label'
        What ŷ is: the label of `predict`, or the second class's `predict_proba`. The distances
        between distributions are always those of the scores.
    k, include_self, ties
        Of Consistency, as `grad_ext.metrics.group.consistency`.
    use_protected : bool, default False
        Include the protected columns of X in Consistency's distance, which is between the fold's
        own rows, encoded by `grad_ext.data.encoding.metric_space`.
    continuous : sequence of str, optional
        Protected attributes that are numbers and not groups, as in `GRADClassifier`.
    pos_label : object, optional
        The favorable label; ``classes_[1]`` if not given.

    Returns
    -------
    ZemelScorer
        ``scorer(estimator, X, y, *, sensitive_features=None, sample_weight=None)``; nan where a
        fold has one group only.

    Raises
    ------
    InputError
        If a name is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyClassifier
    >>> from grad_ext import zemel_scorer
    >>> X, y = pd.DataFrame({"x": [1, 2, 3, 4], "sex": ["f", "f", "m", "m"]}), [1, 0, 1, 1]
    >>> constant = DummyClassifier().fit(X, y)
    >>> zemel_scorer("delta", protected="sex")(constant, X, y)
    0.75
    >>> zemel_scorer("balanced_delta", protected="sex")(constant, X, y)
    0.5
    """
    for what, name, known in (
        ("metric", metric, _SCORES),
        ("prediction", prediction, PREDICTIONS),
        ("ties", ties, TIES),
    ):
        if name not in known:
            raise unknown(what, name, known)
    return ZemelScorer(
        metric,
        protected=protected,
        prediction=prediction,
        k=k,
        include_self=include_self,
        ties=ties,
        use_protected=use_protected,
        continuous=continuous,
        pos_label=pos_label,
    )
