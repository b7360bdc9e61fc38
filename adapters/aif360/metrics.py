"""Zemel's metrics as one of AIF360's metric classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grad_ext.data.encoding import metric_space
from grad_ext.data.sensitive import CROSS
from grad_ext.errors import InputError, MissingToolkit, unknown
from grad_ext.metrics import registry
from grad_ext.metrics.constant import nearly_constant
from grad_ext.metrics.graph_cache import cached_graph
from grad_ext.metrics.inputs import PREDICTIONS
from grad_ext.metrics.neighbors import NEIGHBORS
from grad_ext.metrics.sums import Groups as AttributeGroups
from grad_ext.metrics.sums import Means, Predictions

try:
    from aif360.datasets import BinaryLabelDataset
    from aif360.decorating_metaclass import dont_decorate
    from aif360.metrics import ClassificationMetric, utils
except ImportError as error:
    raise MissingToolkit("aif360", "aif360") from error

Floats = NDArray[np.float64]
# AIF360's form: values of protected attributes, joined by AND; a list of them by OR.
Groups = Sequence[Mapping[str, float]]

SPACES = ("encoded", "features")


class ZemelMetric(ClassificationMetric):  # type: ignore[misc]
    """AIF360's ClassificationMetric with Discrimination, Consistency and Delta.

    Zemel et al. (2013), "Learning Fair Representations", section 5, as the GRAD paper writes them;
    see `grad_ext.metrics.group`. A constant prediction has Discrimination 0 and Consistency 1, so
    report them with `balanced_accuracy`, `majority_accuracy`, `constant` and `chance_level`.

    Instance weights are used as in AIF360's own metrics (Consistency has none). Rows in neither group
    are ignored in the comparison of the groups, but included in accuracies.

    Parameters
    ----------
    dataset : BinaryLabelDataset
        N rows with the true labels; any two values.
    classified_dataset : BinaryLabelDataset
        The same rows with predicted labels or scores.
    unprivileged_groups, privileged_groups : list of dict, optional
        Groups as AIF360 writes them. Where each dict has one key and there are several keys in
        all, as in ``[{'race': 0}, {'sex': 0}]`` and ``[{'race': 1}, {'sex': 1}]``, each attribute
        is compared on its own; a dict of several keys makes one comparison of the intersections,
        named ``race x sex``. Without groups every protected attribute of the data set is compared,
        between its own unprivileged and privileged values.
    prediction : {'label', 'score'}, default 'label'
        What ŷ is: the predicted label, as in the GRAD paper ("only the predicted label"), or the
        score in [0, 1], as in Zemel et al. Inherited metrics are those of AIF360 in either case.

    Raises
    ------
    InputError
        If groups overlap, are missing on one side, or name an attribute that the data set lacks;
        or if there are no scores of the classifier's own where scores are asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext import ZemelMetric, load_dataset
    >>> german = load_dataset("german", protected=["age", "sex"]).to_aif360()
    >>> generous = german.copy()
    >>> generous.labels = np.full_like(german.labels, german.favorable_label)
    >>> metric = ZemelMetric(german, generous)
    >>> float(metric.discrimination()), float(metric.balanced_accuracy()), metric.constant()
    (0.0, 0.5, True)
    """

    def __init__(
        self,
        dataset: BinaryLabelDataset,
        classified_dataset: BinaryLabelDataset,
        unprivileged_groups: Groups | None = None,
        privileged_groups: Groups | None = None,
        *,
        prediction: str = "label",
    ) -> None:
        if prediction not in PREDICTIONS:
            raise unknown("prediction", prediction, PREDICTIONS)
        # AIF360 takes one pair of groups, and would refuse those of several attributes as overlapping.
        super().__init__(dataset, classified_dataset)
        self.prediction = prediction
        self._pairs = _pairs(self.dataset, unprivileged_groups, privileged_groups)
        if len(self._pairs) == 1:
            [(self.unprivileged_groups, self.privileged_groups)] = self._pairs.values()
        self._labels = _favorable(self.classified_dataset)
        self._true = _favorable(self.dataset)
        groups = tuple(
            AttributeGroups.of(name, "binary", _column(self.dataset, name, *pair))
            for name, pair in self._pairs.items()
        )
        weights = self.dataset.instance_weights.ravel()
        self._label_means = Predictions(self._labels, self._true, weights, groups)
        self._means = self._label_means
        if prediction == "score":
            self._means = replace(self._label_means, predicted=self._scores())

    def _scores(self) -> Floats:
        scores = np.asarray(self.classified_dataset.scores, dtype=np.float64).ravel()
        copied = np.array_equal(self.classified_dataset.scores, self.dataset.scores)
        if copied and not np.array_equal(self._labels, self._true):
            raise InputError(
                "expected scores of the classifier's own, got those of the data set with the true "
                "labels"
            )
        bad = ~((scores >= 0) & (scores <= 1))
        if bad.any():
            raise InputError(f"expected scores in [0, 1], got {scores[bad][0]}")
        return scores

    def _to_condition(self, privileged: bool | None) -> Groups | None:
        if privileged is not None and len(self._pairs) > 1:
            first, *others = self._pairs
            raise InputError(
                f"{first!r} and {', '.join(map(repr, others))} are compared each on its own; "
                f"ask metric.of({first!r}) for what compares two groups"
            )
        condition: Groups | None = super()._to_condition(privileged)
        return condition

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of what is compared, in order."""
        return tuple(self._pairs)

    def of(self, attribute: str) -> ZemelMetric:
        """Return the metric of one of several attributes, with everything that it inherits.

        Parameters
        ----------
        attribute : str
            One of `attributes`.

        Raises
        ------
        InputError
            If it is none of them.
        """
        if attribute not in self._pairs:
            raise unknown("attribute", attribute, self._pairs)
        return ZemelMetric(
            self.dataset,
            self.classified_dataset,
            *self._pairs[attribute],
            prediction=self.prediction,
        )

    @dont_decorate  # type: ignore[untyped-decorator]
    def discrimination_by_attribute(self) -> dict[str, float]:
        """Return ``|mean ŷ of the privileged - mean ŷ of the unprivileged|`` of each attribute.

        For labels the magnitude of AIF360's `statistical_parity_difference`; nan where a group has
        no rows.
        """
        return self._by_attribute(registry.discrimination)

    def discrimination(self) -> float:
        """Return Discrimination, averaged over the attributes."""
        return float(registry.averaged(registry.discrimination, self._means))

    @dont_decorate  # type: ignore[untyped-decorator]
    def chance_level_by_attribute(self) -> dict[str, float]:
        """Return the Discrimination expected by chance for labels of the same positive rate.

        See `grad_ext.metrics.group.chance_level`.
        """
        means = self._label_means
        levels = registry.chance_levels(means.positive, means.groups, means.row_weight)
        return dict(zip(self._pairs, levels.tolist(), strict=True))

    def chance_level(self) -> float:
        """Return the Discrimination expected by chance, averaged over the attributes."""
        return float(registry.chance_level(self._label_means))

    @dont_decorate  # type: ignore[untyped-decorator]
    def delta_by_attribute(self) -> dict[str, float]:
        """Return accuracy minus Discrimination, of each attribute."""
        return self._by_attribute(lambda m, k: registry.accuracy(m) - registry.discrimination(m, k))

    def delta(self) -> float:
        """Return Delta: accuracy minus (mean) Discrimination.

        A constant prediction scores its label's share: see `balanced_delta`.
        """
        return float(registry.delta(self._means))

    @dont_decorate  # type: ignore[untyped-decorator]
    def balanced_delta_by_attribute(self) -> dict[str, float]:
        """Return balanced accuracy minus Discrimination, of each attribute."""
        return self._by_attribute(
            lambda m, k: registry.balanced_accuracy(m) - registry.discrimination(m, k)
        )

    def balanced_delta(self) -> float:
        """Return balanced accuracy minus (mean) Discrimination; 0.5 for a constant label."""
        return float(registry.balanced_delta(self._means))

    @dont_decorate  # type: ignore[untyped-decorator]
    def ks_distance_by_attribute(self) -> dict[str, float]:
        """Return the Kolmogorov-Smirnov distance between the groups' scores, of each attribute.

        See `grad_ext.metrics.score_distances.ks_distance_by_attribute`.

        Raises
        ------
        InputError
            If the data set has no scores of the classifier's own, or one is outside [0, 1].
        """
        means = replace(self._label_means, scores=self._scores())
        return {n: float(registry.ks_distance(means, k)) for k, n in enumerate(self._pairs)}

    def ks_distance(self) -> float:
        """Return the Kolmogorov-Smirnov distance between the groups' scores, averaged."""
        return float(np.mean(list(self.ks_distance_by_attribute().values())))

    @dont_decorate  # type: ignore[untyped-decorator]
    def wasserstein_distance_by_attribute(self) -> dict[str, float]:
        """Return the Wasserstein-1 distance between the groups' scores, of each attribute.

        See `grad_ext.metrics.score_distances.wasserstein_distance_by_attribute`; raises as
        `ks_distance_by_attribute`.
        """
        means = replace(self._label_means, scores=self._scores())
        return {
            n: float(registry.wasserstein_distance(means, k)) for k, n in enumerate(self._pairs)
        }

    def wasserstein_distance(self) -> float:
        """Return the Wasserstein-1 distance between the groups' scores, averaged."""
        return float(np.mean(list(self.wasserstein_distance_by_attribute().values())))

    def balanced_accuracy(self) -> float:
        """Return the mean of the accuracies among the rows of either true label."""
        return float(registry.balanced_accuracy(self._means))

    def majority_accuracy(self) -> float:
        """Return the accuracy of the better constant label."""
        return float(registry.majority_accuracy(self._means))

    def constant(self) -> bool:
        """Return whether every row has the same predicted label."""
        return bool((self._labels == self._labels[0]).all())

    def nearly_constant(self) -> bool:
        """Return whether the predicted labels are constant, or as good as constant.

        See `grad_ext.metrics.constant.nearly_constant`.
        """
        weights = self.dataset.instance_weights.ravel()
        return bool(nearly_constant(self._labels, self._true, weights))

    def zemel_consistency(
        self,
        k: int = NEIGHBORS,
        include_self: bool = False,
        ties: str = "share",
        space: str = "encoded",
        use_protected: bool = False,
    ) -> float:
        """Return Consistency: ``1 - mean |ŷ - mean ŷ of the k nearest neighbours|``.

        The neighbours are computed once for the same rows, for any number of predictions.

        `consistency`, which is AIF360's own, is that of the *true* labels in this class. Its
        ``BinaryLabelDatasetMetric(classified_dataset).consistency(k)`` is that of the predicted ones,
        and equals ``zemel_consistency(k, include_self=True, space='features')`` where no two rows
        lie at the k-th distance and the labels are one apart.

        Parameters
        ----------
        k : int, default 5
            Number of neighbours: AIF360's default, since the paper gives none.
        include_self : bool, default False
            Count each row among its own neighbours, as AIF360 does, which raises every value.
        ties : {'share', 'first'}, default 'share'
            Rows tied at the k-th distance share the remaining weight, so that the order of the rows
            does not matter; or the first ones are taken.
        space : {'encoded', 'features'}, default 'encoded'
            Standardised columns, with those of 0 and 1 unchanged
            (`grad_ext.data.encoding.metric_space`); or the data set's features unchanged, including
            the protected ones, as in AIF360.
        use_protected : bool, default False
            Include the protected attributes in 'encoded'. By default they are excluded, since
            Consistency compares people who are alike except for those.

        Raises
        ------
        InputError
            If `k` is out of range, or a name is unknown.
        """
        if space not in SPACES:
            raise unknown("space", space, SPACES)
        points = self.dataset.features
        if space == "encoded":
            protected = () if use_protected else self.dataset.protected_attribute_names
            kept = [i for i, n in enumerate(self.dataset.feature_names) if n not in protected]
            points = metric_space(pd.DataFrame(points[:, kept]))
        graph = cached_graph(points, k, include_self, ties)
        return float(registry.consistency(replace(self._means, graph=graph)))

    def _by_attribute(self, formula: Callable[[Means, int], Floats]) -> dict[str, float]:
        return {name: float(formula(self._means, k)) for k, name in enumerate(self._pairs)}


def _favorable(dataset: BinaryLabelDataset) -> Floats:
    """Return 1 where a label is the favorable one, else 0, shape (N,)."""
    return np.asarray(dataset.labels.ravel() == dataset.favorable_label, dtype=np.float64)


def _pairs(
    dataset: BinaryLabelDataset, unprivileged: Groups | None, privileged: Groups | None
) -> dict[str, tuple[Groups, Groups]]:
    """Return what is compared by name: unprivileged and privileged groups."""
    known = list(dataset.protected_attribute_names)
    if unprivileged is None and privileged is None:
        if not known:
            raise InputError("expected at least one protected attribute, got none")
        return {
            name: ([{name: v} for v in low], [{name: v} for v in high])
            for name, low, high in zip(
                known,
                dataset.unprivileged_protected_attributes,
                dataset.privileged_protected_attributes,
                strict=True,
            )
        }
    low, high = _listed("unprivileged", unprivileged), _listed("privileged", privileged)
    names = list(dict.fromkeys(name for group in [*low, *high] for name in group))
    for name in names:
        if name not in known:
            raise unknown("protected attribute", name, known)
    if any(len(group) > 1 for group in [*low, *high]):
        return {CROSS.join(names): (low, high)}
    pairs: dict[str, tuple[Groups, Groups]] = {
        n: ([g for g in low if n in g], [g for g in high if n in g]) for n in names
    }
    for name, pair in pairs.items():
        if not all(pair):
            missing = "privileged" if pair[0] else "unprivileged"
            raise InputError(f"{missing}_groups: expected a group of {name!r} too, got none")
    return pairs


def _listed(which: str, groups: Groups | None) -> Groups:
    listed = [] if groups is None else groups
    whole = not isinstance(listed, Mapping) and all(isinstance(g, Mapping) and g for g in listed)
    if not listed or not whole:
        raise InputError(
            f"{which}_groups: expected a list of dicts such as [{{'sex': 1}}], got {groups!r}"
        )
    return listed


def _column(dataset: BinaryLabelDataset, name: str, low: Groups, high: Groups) -> Floats:
    """Return 1 for the privileged, 0 for the unprivileged and nan for other rows, shape (N,)."""
    unprivileged, privileged = (
        utils.compute_boolean_conditioning_vector(
            dataset.protected_attributes, dataset.protected_attribute_names, condition
        )
        for condition in (low, high)
    )
    both = int((unprivileged & privileged).sum())
    if both:
        raise InputError(
            f"{name!r}: expected groups that do not overlap, got {both} rows in both of them"
        )
    return np.where(privileged, 1.0, np.where(unprivileged, 0.0, np.nan))
