"""Every metric by name: its formula, its label, and which direction is better.

A name is a column of results.csv, or with an attribute's name after it a column for each attribute.
To add a metric, write its formula as a function of `grad_ext.metrics.sums.Means` and add a `Metric`
to `METRICS`: records, results.csv and, if it has `cells`, bootstrap intervals include it from then
on. docs/contributors/metric.md shows the steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy import special

from grad_ext.metrics.sums import Cells, Groups, Means

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric of predictions.

    Attributes
    ----------
    name : str
        As in results.csv; the columns of attributes are ``name_attribute``.
    label : str
        For people.
    formula : callable
        Function of `Means`, or of `Means` and the number of an attribute, that returns an array of
        shape (...): a value for each model, nan where the metric is not defined.
    higher_is_better : bool or None
        None if it is neither: a signed difference, or a quantity to read other metrics by.
    constant : float or None
        Value for a constant prediction; None if it depends on the rows.
    attributes : tuple of str
        Kinds of `Groups` that the formula is computed for, one attribute at a time; if empty, it is
        computed once.
    averaged : bool
        Whether there also is a column of the mean over the attributes.
    neighbors : bool
        Whether it needs a graph of neighbours, without which it is left out.
    scores : bool
        Whether it needs the scores behind the labels, without which it is left out.
    cells : tuple of str
        The means that it is a function of, by cells of rows: 'all', 'class', 'group',
        'class and group' or 'favorable class and group'; 'fifth', and 'compared group' where the groups
        of a continuous attribute are its fifths. The smallest cell decides whether there are enough rows
        for an interval; a metric without cells gets none.
    """

    name: str
    label: str
    formula: Callable[..., Floats]
    higher_is_better: bool | None
    constant: float | None = None
    attributes: tuple[str, ...] = ()
    averaged: bool = False
    neighbors: bool = False
    scores: bool = False
    cells: tuple[str, ...] = ()

    def applies_to(self, groups: Groups) -> bool:
        """Return whether there is a column of this metric for an attribute."""
        return groups.kind in self.attributes


def accuracy(means: Means) -> Floats:
    """Return 1 - mean |y - ŷ|."""
    return 1.0 - means.error


def balanced_accuracy(means: Means) -> Floats:
    """Return the mean of the accuracies among the rows of either class."""
    return np.asarray(means.labels.recall.mean(axis=-1))


def positive_rate(means: Means) -> Floats:
    """Return mean ŷ of the labels."""
    return means.labels.positive


def discrimination(means: Means, attribute: int) -> Floats:
    """Return how far the means of one attribute's groups are from each other."""
    return spread(means.by_group[attribute], means.groups[attribute].continuous)


def averaged(formula: Callable[[Means, int], Floats], means: Means) -> Floats:
    """Return the mean of a formula over the attributes; 0 if there are none."""
    if not means.groups:
        return np.zeros_like(means.positive)
    return np.asarray(np.mean([formula(means, k) for k in range(len(means.groups))], axis=0))


def delta(means: Means) -> Floats:
    """Return accuracy minus Discrimination."""
    return accuracy(means) - averaged(discrimination, means)


def balanced_delta(means: Means) -> Floats:
    """Return balanced accuracy minus Discrimination."""
    return balanced_accuracy(means) - averaged(discrimination, means)


def consistency(means: Means) -> Floats:
    """Return 1 - mean |ŷ - mean ŷ of the neighbours|."""
    return 1.0 - means.neighbor_gap


def majority_accuracy(means: Means) -> Floats:
    """Return the accuracy of the better constant label."""
    return np.maximum(means.base_rate, 1.0 - means.base_rate)


def majority_favorable(means: Means) -> Floats:
    """Return 1 if the favorable label is the more frequent one, else 0."""
    return np.asarray(means.base_rate >= 0.5, dtype=np.float64)


def chance_level(means: Means) -> Floats:
    """Return the mean over the attributes of `chance_levels` at the positive rate."""
    levels = chance_levels(means.labels.positive, means.groups, means.row_weight)
    return np.asarray(levels.mean(axis=0))


def statistical_parity_difference(means: Means, attribute: int) -> Floats:
    """Return the unprivileged group's positive rate less the privileged group's."""
    return _signed_difference(means.labels.by_group[attribute].mean)


def disparate_impact(means: Means, attribute: int) -> Floats:
    """Return the unprivileged group's positive rate divided by the privileged group's."""
    privileged = means.labels.by_group[attribute].mean[..., 1]
    parity = statistical_parity_difference(means, attribute)
    # Not the rate itself: the ratio then rounds as in all earlier results.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((privileged + parity) / privileged)


def equal_opportunity_difference(means: Means, attribute: int) -> Floats:
    """Return the difference of the true positive rates, unprivileged less privileged."""
    return _signed_difference(means.labels.by_class_and_group[attribute].mean[..., 1, :])


def average_odds_difference(means: Means, attribute: int) -> Floats:
    """Return the mean difference of true and false positive rates, unprivileged less privileged."""
    by_class = _signed_difference(means.labels.by_class_and_group[attribute].mean)
    return np.asarray((by_class[..., 1] + by_class[..., 0]) / 2.0)


def equalized_odds_difference(means: Means, attribute: int) -> Floats:
    """Return the larger of the largest differences of true and of false positive rates."""
    by_class = spread(means.labels.by_class_and_group[attribute])
    return np.asarray(np.maximum(by_class[..., 0], by_class[..., 1]))


def quintile_difference(means: Means, attribute: int) -> Floats:
    """Return the largest difference of the means of a number's fifths."""
    return spread(means.by_fifth[attribute])


def quintile_chance_level(means: Means, attribute: int) -> Floats:
    """Return the largest difference between fifths that is expected by chance."""
    fifths = means.groups[attribute].compared
    return np.asarray(chance_levels(means.labels.positive, [fifths], means.row_weight)[0])


def correlation(means: Means, attribute: int) -> Floats:
    """Return the correlation of ŷ with a number; it shows linear dependence alone."""
    return means.correlations[attribute]


def ks_distance(means: Means, attribute: int) -> Floats:
    """Return the largest difference of the groups' shares of scores above any threshold."""
    return means.score_distances[attribute].ks


def wasserstein_distance(means: Means, attribute: int) -> Floats:
    """Return the integral over thresholds of the difference of the groups' shares above them."""
    return means.score_distances[attribute].wasserstein


def ks_chance_level(means: Means) -> Floats:
    """Return the mean over the attributes of the Kolmogorov-Smirnov distance expected by chance."""
    return averaged(lambda m, k: m.chance_distances[k].ks, means)


def wasserstein_chance_level(means: Means) -> Floats:
    """Return the mean over the attributes of the Wasserstein distance expected by chance."""
    return averaged(lambda m, k: m.chance_distances[k].wasserstein, means)


def equalized_odds_ks_distance(means: Means, attribute: int) -> Floats:
    """Return the larger of the Kolmogorov-Smirnov distances among the rows of either label."""
    return means.score_distances_by_class[attribute].largest().ks


def equalized_odds_wasserstein_distance(means: Means, attribute: int) -> Floats:
    """Return the larger of the Wasserstein distances among the rows of either label."""
    return means.score_distances_by_class[attribute].largest().wasserstein


def equal_opportunity_ks_distance(means: Means, attribute: int) -> Floats:
    """Return the Kolmogorov-Smirnov distance among the rows of the favorable label."""
    return np.asarray(means.score_distances_by_class[attribute].ks[..., 1])


def equal_opportunity_wasserstein_distance(means: Means, attribute: int) -> Floats:
    """Return the Wasserstein distance among the rows of the favorable label."""
    return np.asarray(means.score_distances_by_class[attribute].wasserstein[..., 1])


def _signed_difference(rates: Floats) -> Floats:
    """Return unprivileged less privileged, from rates of shape (..., 2)."""
    return np.asarray(-(rates[..., 1] - rates[..., 0]))


def spread(cells: Cells, continuous: bool = False) -> Floats:
    """Return how far means are from each other, of shape (...) from cells of shape (..., G).

    The largest less the smallest; for the bins of a continuous attribute, the mean magnitude of
    `deviations`. nan if fewer than two cells have weight.
    """
    known = np.broadcast_to(cells.weight > 0, cells.mean.shape)
    if continuous:
        off = np.ascontiguousarray(abs(deviations(cells)))
        with np.errstate(invalid="ignore"):
            value = (off * cells.weight).sum(axis=-1) / cells.weight.sum(axis=-1)
    else:
        highest = np.where(known, cells.mean, -np.inf).max(axis=-1, initial=-np.inf)
        lowest = np.where(known, cells.mean, np.inf).min(axis=-1, initial=np.inf)
        value = highest - lowest
    return np.where(known.sum(axis=-1) < 2, np.nan, value)


def deviations(cells: Cells) -> Floats:
    """Return each bin's mean less the mean of all, (..., G); 0 without weight, nan among nan."""
    known = np.broadcast_to(cells.weight > 0, cells.mean.shape)
    mean = np.where(known, cells.mean, 0.0)
    with np.errstate(invalid="ignore"):
        total = (mean * cells.weight).sum(axis=-1) / cells.weight.sum(axis=-1)
    highest = np.where(known, mean, -np.inf).max(axis=-1, initial=-np.inf)
    # The mean of equal means can differ from them by rounding.
    equal = ~known | (mean == highest[..., None]).all(axis=-1, where=known, keepdims=True)
    return np.where(equal, 0.0, mean - total[..., None])


def chance_levels(
    positive: Floats, groups: Iterable[Groups], weight: Floats | None = None
) -> Floats:
    """Return the Discrimination expected by chance for each attribute, shape (K, ...).

    Parameters
    ----------
    positive : array of shape (...)
        Positive rate.
    groups : iterable of Groups
        The attributes; only the numbers of rows in their groups matter.
    weight : array of shape (N,), optional
        Weight of each row, with which the effective numbers of rows, (Σ w)² / Σ w², matter.
    """
    # A weighted mean of ones may exceed 1 by rounding.
    rate = np.clip(positive, 0.0, 1.0)
    units = np.array([_unit_chance_level(*g.effective_sizes(weight), g.continuous) for g in groups])
    return np.asarray(np.multiply.outer(units, np.sqrt(rate * (1.0 - rate))))


def _unit_chance_level(sizes: Floats, share: Floats, continuous: bool) -> float:
    """Return the chance level for labels of variance 1, from numbers of rows and shares of weight."""
    if len(sizes) < 2:
        return float("nan")
    if continuous:
        # The variance of a bin's mean less the mean of all.
        variance = (1.0 - 2.0 * share) / sizes + (share**2 / sizes).sum()
        return float(share @ np.sqrt(2.0 / np.pi * variance))
    if len(sizes) == 2:
        return float(np.sqrt(2.0 / np.pi * (1.0 / sizes).sum()))
    # The mean range of independent variables is the integral of P(min <= x < max).
    sd = 1.0 / np.sqrt(sizes)
    x = np.linspace(-8.0 * sd.max(), 8.0 * sd.max(), 4001)
    below = special.ndtr(x[:, None] / sd)
    return float(np.trapezoid(1.0 - below.prod(axis=1) - (1.0 - below).prod(axis=1), x))


ANY_GROUPS = ("binary", "categorical", "continuous")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", accuracy, True, cells=("all",)),
        Metric(
            "balanced_accuracy", "balanced accuracy", balanced_accuracy, True, 0.5, cells=("class",)
        ),
        Metric(
            "discrimination", "Discrimination", discrimination, False, 0.0,
            attributes=ANY_GROUPS, averaged=True, cells=("group",),
        ),
        Metric(
            "ks_distance", "Kolmogorov-Smirnov distance", ks_distance, False, 0.0,
            attributes=ANY_GROUPS, averaged=True, scores=True, cells=("compared group",),
        ),
        Metric(
            "wasserstein_distance", "Wasserstein distance", wasserstein_distance, False, 0.0,
            attributes=ANY_GROUPS, averaged=True, scores=True, cells=("compared group",),
        ),
        Metric(
            "quintile_difference", "difference between fifths", quintile_difference, False, 0.0,
            attributes=("continuous",), cells=("fifth",),
        ),
        Metric(
            "quintile_chance_level", "chance level of the difference between fifths",
            quintile_chance_level, None, 0.0, attributes=("continuous",),
        ),
        Metric("correlation", "correlation", correlation, None, attributes=("continuous",)),
        Metric("delta", "Delta", delta, True, cells=("group",)),
        Metric(
            "balanced_delta", "balanced Delta", balanced_delta, True, 0.5, cells=("group", "class")
        ),
        Metric(
            "consistency", "Consistency", consistency, True, 1.0, neighbors=True, cells=("all",)
        ),
        Metric("positive_rate", "positive rate", positive_rate, None, cells=("all",)),
        Metric("majority_accuracy", "accuracy of the majority class", majority_accuracy, None),
        Metric("majority_favorable", "majority class is favorable", majority_favorable, None),
        Metric("chance_level", "chance level", chance_level, None, 0.0),
        Metric(
            "ks_chance_level", "chance level of the Kolmogorov-Smirnov distance",
            ks_chance_level, None, 0.0, scores=True,
        ),
        Metric(
            "wasserstein_chance_level", "chance level of the Wasserstein distance",
            wasserstein_chance_level, None, 0.0, scores=True,
        ),
        Metric(
            "statistical_parity_difference", "statistical parity difference",
            statistical_parity_difference, None, 0.0, attributes=("binary",), cells=("group",),
        ),
        Metric(
            "disparate_impact", "disparate impact",
            disparate_impact, None, 1.0, attributes=("binary",), cells=("group",),
        ),
        Metric(
            "equal_opportunity_difference", "equal opportunity difference",
            equal_opportunity_difference, None, 0.0,
            attributes=("binary",), cells=("favorable class and group",),
        ),
        Metric(
            "average_odds_difference", "average odds difference",
            average_odds_difference, None, 0.0,
            attributes=("binary",), cells=("class and group",),
        ),
        # No interval: the larger of two magnitudes lies above the truth in every resample.
        Metric(
            "equalized_odds_difference", "equalized odds difference",
            equalized_odds_difference, False, 0.0, attributes=("binary", "categorical"),
        ),
        Metric(
            "equalized_odds_ks_distance", "equalized odds Kolmogorov-Smirnov distance",
            equalized_odds_ks_distance, False, 0.0,
            attributes=ANY_GROUPS, scores=True, cells=("class and compared group",),
        ),
        Metric(
            "equalized_odds_wasserstein_distance", "equalized odds Wasserstein distance",
            equalized_odds_wasserstein_distance, False, 0.0,
            attributes=ANY_GROUPS, scores=True, cells=("class and compared group",),
        ),
        Metric(
            "equal_opportunity_ks_distance", "equal opportunity Kolmogorov-Smirnov distance",
            equal_opportunity_ks_distance, False, 0.0,
            attributes=ANY_GROUPS, scores=True, cells=("favorable class and compared group",),
        ),
        Metric(
            "equal_opportunity_wasserstein_distance", "equal opportunity Wasserstein distance",
            equal_opportunity_wasserstein_distance, False, 0.0,
            attributes=ANY_GROUPS, scores=True, cells=("favorable class and compared group",),
        ),
    )
}  # fmt: skip


# How columns derived from metrics end: limits of intervals and standard deviations.
DERIVED = re.compile(r"(.*_)?(low|high|sd|std)|\(.*\)", re.DOTALL)


def attribute_column(metric: str, attribute: str) -> str:
    """Return the name of the column of an attribute's metric, which no other column has.

    Attributes whose names end as those of derived columns do are in parentheses, as are those that are
    in parentheses themselves.

    Examples
    --------
    >>> from grad_ext.metrics.registry import attribute_column
    >>> attribute_column("discrimination", "age"), attribute_column("discrimination", "low")
    ('discrimination_age', 'discrimination_(low)')
    """
    return f"{metric}_({attribute})" if DERIVED.fullmatch(attribute) else f"{metric}_{attribute}"


def attribute_metric(column: str) -> Metric | None:
    """Return the metric of an attribute's column of results.csv, None if it is no such column.

    Examples
    --------
    >>> from grad_ext.metrics.registry import attribute_metric
    >>> attribute_metric("discrimination_age").label, attribute_metric("discrimination")
    ('Discrimination', None)
    """
    of_attributes = (metric for metric in METRICS.values() if metric.attributes)
    return next((m for m in of_attributes if column.startswith(f"{m.name}_")), None)


def evaluate_means(
    means: Means, chosen: Callable[[Metric], bool] = lambda metric: True
) -> dict[str, Floats]:
    """Return metrics by the names of results.csv, each of shape (...), in the order of `METRICS`.

    Consecutive metrics of attributes are sorted by attribute.

    Parameters
    ----------
    means : Means
        Of one model or several.
    chosen : callable, optional
        Which of the metrics to return, all if not given.
    """
    values: dict[str, Floats] = {}
    for single, metrics in groupby(METRICS.values(), lambda metric: not metric.attributes):
        listed = [
            metric
            for metric in metrics
            if chosen(metric)
            and (means.has_neighbors or not metric.neighbors)
            and (means.has_scores or not metric.scores)
        ]
        for metric in listed:
            if metric.averaged:
                values[metric.name] = averaged(metric.formula, means)
            elif single:
                values[metric.name] = metric.formula(means)
        for k, groups in enumerate(means.groups):
            for metric in listed:
                if metric.applies_to(groups):
                    values[attribute_column(metric.name, groups.name)] = metric.formula(means, k)
    return values
