"""Uncertainty of metrics due to the choice of the rows: bootstrap intervals and a paired test.

Every metric is a function of weighted means over rows (`grad_ext.metrics.registry`), so a resample
does not need the rows again: each row's contributions are summed within its unit (the row itself, or
all rows of one patient), and one product of the units' counts with those sums yields all metrics of
all models in many resamples.

Discrimination, a magnitude, has intervals of its own: `grad_ext.metrics.error_bounds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from grad_ext import checks
from grad_ext.checks import sample_weights
from grad_ext.data.alignment import aligned, index_of
from grad_ext.data.sensitive import attributes_of, numbers, sensitive_frame
from grad_ext.errors import InputError
from grad_ext.metrics.error_bounds import (
    Errors,
    discrimination_errors,
    largest_difference,
    paired_errors,
    reach,
    second_less_first,
    upper_quantile,
)
from grad_ext.metrics.inputs import as_predictions, as_rows, as_weights, continuous_columns
from grad_ext.metrics.neighbors import NeighborGraph, neighbor_graph
from grad_ext.metrics.registry import METRICS, Metric, attribute_column, spread
from grad_ext.metrics.resampling import Resamples, Units, cell_weights, resampled, swapped
from grad_ext.metrics.score_resampling import resampled_errors, swapped_distances
from grad_ext.metrics.sums import Cells, Groups, Predictions

Floats = NDArray[np.float64]

# Confidence level of intervals, and 1 less the significance level of tests.
LEVEL = 0.95
RESAMPLES = 1000
# A mean over fewer units has no interval: so few do not represent the others.
FEWEST = 10
# Statistics that differ by less are equal, but for rounding.
ROUNDING = 1e-12


def intervals(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    y_score: ArrayLike | None = None,
    X: ArrayLike | None = None,
    graph: NeighborGraph | None = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    groups: ArrayLike | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    pos_label: Any = None,
) -> pd.DataFrame:
    """Return every metric with its bootstrap confidence interval.

    The intervals are about the choice of the rows. The model, the neighbours of a row and the bins
    of a continuous attribute are held fixed. They are percentile intervals (Efron and
    Tibshirani, 1993, "An Introduction to the Bootstrap", chapter 13), except for metrics that include
    Discrimination, a magnitude:

    - Discrimination of two groups: the symmetric interval of the signed difference, folded at 0. Of
      more groups: the largest low and the largest high end of such intervals for all pairs, which
      hold at once (Beran, 1988, "Balanced Simultaneous Confidence Sets", JASA 83).
    - Discrimination of a continuous attribute, and the mean over several attributes: the value
      plus and minus the quantile of a bound of its error (see the module).
    - Distances between the groups' distributions of scores, and differences between the fifths of a
      continuous attribute: likewise.
    - Delta and balanced Delta: likewise. If two groups clearly differ, the error is that of the
      accuracy less that of the difference; otherwise their magnitudes are added. The high end is at
      most that of the accuracy.

    The last three, and those of more than two groups, are conservative.

    A constant prediction has Discrimination 0 for any rows, and the interval [0, 0], so read balanced
    accuracy too. Likewise the bootstrap shows no uncertainty for a group whose rows all have the same
    label.

    Parameters
    ----------
    y_true : array of shape (N,)
        Labels: 0 and 1, booleans, -1 and 1, or any two values.
    y_pred : array of shape (N,) or (P, N)
        Labels, or scores in [0, 1] of the favorable one, of one model or of P.
    sensitive_features : array, Series, frame, list or mapping, of N rows
        A column for each attribute; rows where it is missing are ignored for it. Floats of many
        values are continuous, as for the estimators.
    y_score : array of shape (N,) or (P, N), optional
        Scores in [0, 1] of the favorable label, whose distributions are compared; `y_pred` if that
        holds scores. Of labels alone the distances between distributions are left out.
    X : array of shape (N, D), optional
        Features that Consistency measures distances in; without `X` and `graph` it is left out.
    graph : NeighborGraph, optional
        Instead of `X`: `grad_ext.neighbor_graph` of it.
    sample_weight : array of shape (N,), optional
        A row that is drawn twice counts with twice its weight.
    continuous : sequence of str or int, optional
        Continuous attributes, by name or by number of the column.
    groups : array of shape (N,), optional
        The unit of each row (its patient) if rows are not independent: units are drawn, with all
        their rows (Field and Welsh, 2007, "Bootstrapping clustered data", JRSS B 69). If not given,
        every row is a unit.
    level : float, default 0.95
        Confidence level.
    resamples : int, default 1000
        How many, at least 2 / (1 - `level`).
    seed : int, default 0
        The draws depend only on it and on the number of units, so a model's intervals do not depend
        on other models or attributes.
    pos_label : object, optional
        The favorable label; needed if the labels are other than 0 and 1, booleans, or -1 and 1.

    Returns
    -------
    pandas.DataFrame
        Columns ``estimate``, ``low`` and ``high``, and a row for each metric, by the names of
        results.csv. The toolkits' signed metrics are included for attributes of 0 and 1 (the
        privileged). For P models the index has their number as its first level. The ends are nan if a
        mean is over fewer than 10 units, or is not defined in more than half of the resamples.

    Raises
    ------
    InputError
        If lengths differ, there are more than two labels, it is not known which one is favorable, a
        prediction is neither a label nor in [0, 1], arguments with a pandas index hold other rows, a
        row has no unit, or the resamples are too few for the level.

    Examples
    --------
    >>> from grad_ext.metrics.bootstrap import intervals
    >>> y, labels, sex = [1, 0, 1, 1] * 25, [1, 0, 0, 1] * 25, [1, 1, 0, 0] * 25
    >>> table = intervals(y, labels, sensitive_features=sex)
    >>> [round(float(end), 2) for end in table.loc["accuracy"]]
    [0.75, 0.66, 0.83]
    """
    tail = _checked_tail(level, resamples)
    true, predicted = as_predictions(y_true, y_pred, pos_label)
    index = index_of(y_true, y_pred)
    rows = _predictions(
        true, predicted, index, sensitive_features, X, graph, sample_weight, continuous
    )
    rows = replace(rows, scores=_scores("y_score", y_score, index, rows.predicted))
    units = Units.of(aligned("groups", groups, index, "y"), len(rows.weight))
    sample, drawn = resampled(rows, units, resamples, seed)
    errors = [
        discrimination_errors(group, once, again, tail)
        for group, once, again in zip(rows.groups, sample.vectors, drawn.vectors, strict=True)
    ]
    bounds = resampled_errors(rows, units, resamples, seed).metrics if rows.has_scores else {}
    bounds |= _fifth_bounds(sample, drawn)
    low, high = _ends(rows, units, sample.metrics, drawn.metrics, errors, bounds, tail)
    for k, group in enumerate(rows.groups):
        name = attribute_column("discrimination", group.name)
        several = not group.continuous and len(group.values) > 2
        if several and not np.isnan(low[name]).any():
            low[name], high[name] = largest_difference(sample.vectors[k][0], drawn.vectors[k], tail)
        if len(rows.groups) == 1:
            low["discrimination"], high["discrimination"] = low[name], high[name]
    for name in sample.metrics:
        if name.startswith("discrimination") or name in bounds:
            low[name], high[name] = np.maximum(low[name], 0.0), np.minimum(high[name], 1.0)
    high["delta"] = np.minimum(high["delta"], high["accuracy"])
    high["balanced_delta"] = np.minimum(high["balanced_delta"], high["balanced_accuracy"])
    tables = [
        pd.DataFrame(
            {
                "estimate": {name: values[0, p] for name, values in sample.metrics.items()},
                "low": {name: values[p] for name, values in low.items()},
                "high": {name: values[p] for name, values in high.items()},
            }
        ).rename_axis("metric")
        for p in range(len(rows.predicted))
    ]
    if predicted.ndim == 1:
        return tables[0]
    return pd.concat(dict(enumerate(tables)), names=["model"])


def paired_test(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    sensitive_features: Any,
    first_score: ArrayLike | None = None,
    second_score: ArrayLike | None = None,
    X: ArrayLike | None = None,
    graph: NeighborGraph | None = None,
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    groups: ArrayLike | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    pos_label: Any = None,
) -> pd.DataFrame:
    """Return the difference of two models in every metric on the same rows, with p-values.

    The p-value is that of the paired randomisation test (Noreen, 1989, "Computer-Intensive Methods
    for Testing Hypotheses"): the two predictions for a row change places with probability 1/2, and
    p = (1 + the resamples that differ by as much) / (1 + `resamples`). If it does not matter which
    model made which prediction for a row, P(p <= α) <= α for any metric and any number of rows.
    A small p means that it matters; it does not mean that the metric differs on all other rows. Two
    models that favour opposite groups equally are an example: one of them happens to have the higher
    Discrimination on these rows. The interval covers such cases.

    The interval of the difference is that of the paired bootstrap, with both models evaluated on the
    same resamples: percentiles, except for metrics that include Discrimination, where it is the
    difference plus and minus the quantile of its error. If two groups clearly differ for one of the
    models, that is the error of the difference of their signed differences, longer on the side where
    the other model's may have the other sign. Otherwise it is the sum of the bounds for both models,
    which is wide: of more than two groups, only large differences are significant.

    Parameters
    ----------
    first, second : array of shape (N,)
        Labels, or scores in [0, 1], of the two models.
    first_score, second_score : array of shape (N,), optional
        Both models' scores, whose distributions are compared; as `y_score` of `intervals`.
    y_true, sensitive_features, X, graph, sample_weight, continuous, groups, level, resamples, seed, \
    pos_label
        As for `intervals`; rows of one unit change places together.

    Returns
    -------
    pandas.DataFrame
        Columns ``first``, ``second``, ``difference`` (second - first), ``low``, ``high`` and
        ``p_value``, and a row for each metric. The p-values are not corrected for multiple testing.

    Raises
    ------
    InputError
        As `intervals`.

    Examples
    --------
    >>> from grad_ext.metrics.bootstrap import paired_test
    >>> y, labels, sex = [1, 0, 1, 1] * 25, [1, 0, 0, 1] * 25, [1, 1, 0, 0] * 25
    >>> table = paired_test(y, labels, [1] * 100, sensitive_features=sex)
    >>> table.loc["balanced_accuracy", ["first", "second"]].round(2).tolist()
    [0.83, 0.5]
    >>> bool(table.loc["balanced_accuracy", "p_value"] < 0.01)
    True
    """
    tail = _checked_tail(level, resamples)
    true, one = as_predictions(y_true, first, pos_label, name="first")
    other = as_predictions(y_true, second, pos_label, name="second")[1]
    if one.ndim != 1 or one.shape != other.shape:
        raise InputError(
            "first, second: expected one prediction a row each, got shapes "
            f"{one.shape} and {other.shape}"
        )
    both, index = np.stack([one, other]), index_of(y_true, first, second)
    rows = _predictions(true, both, index, sensitive_features, X, graph, sample_weight, continuous)
    if (first_score is None) != (second_score is None):
        raise InputError("expected both or neither of first_score and second_score, got one")
    parts = ((first_score, "first_score", one), (second_score, "second_score", other))
    scores = [_scores(name, given, index, labels) for given, name, labels in parts]
    if scores[0] is not None and scores[1] is not None:
        rows = replace(rows, scores=np.stack([scores[0], scores[1]]))
    units = Units.of(aligned("groups", groups, index, "y"), len(rows.weight))
    sample, drawn = resampled(rows, units, resamples, seed)
    errors = [
        paired_errors(group, once, again, tail)
        for group, once, again in zip(rows.groups, sample.vectors, drawn.vectors, strict=True)
    ]
    swaps_of = swapped(rows, units, resamples, seed)
    differ, again, swaps = (
        {name: second_less_first(values) for name, values in resamples_of.metrics.items()}
        for resamples_of in (sample, drawn, swaps_of)
    )
    bounds = {
        name: bound.sum(axis=1, keepdims=True)
        for name, bound in _fifth_bounds(sample, drawn).items()
    }
    observed = dict(differ)
    if rows.has_scores:
        both_errors = resampled_errors(rows, units, resamples, seed).metrics
        bounds |= {name: v.sum(axis=1, keepdims=True) for name, v in both_errors.items()}
        for name, values in swapped_distances(rows, units, resamples, seed).metrics.items():
            # At the points of the swaps, where the functions of the sample are compared too.
            observed[name], swaps[name] = np.split(second_less_first(values), [1])
    low, high = _ends(rows, units, differ, again, errors, bounds, tail)
    return pd.DataFrame(
        {
            "first": {name: values[0, 0] for name, values in sample.metrics.items()},
            "second": {name: values[0, 1] for name, values in sample.metrics.items()},
            "difference": {name: values[0, 0] for name, values in differ.items()},
            "low": {name: values[0] for name, values in low.items()},
            "high": {name: values[0] for name, values in high.items()},
            "p_value": {n: _p_value(observed[n][0, 0], swaps[n][:, 0]) for n in differ},
        }
    ).rename_axis("metric")


def _checked_tail(level: float, resamples: int) -> float:
    """Return the share of resamples beyond either end of an interval."""
    checks.between_0_and_1("level", level)
    fewest = int(np.ceil(np.round(2 / (1 - level), 6)))
    if resamples < fewest:
        raise InputError(
            f"resamples: expected at least {fewest} for level {level}, got {resamples}"
        )
    return (1 - level) / 2


def _predictions(
    true: Floats | None,
    predicted: Floats,
    index: pd.Index | None,
    sensitive_features: Any,
    X: ArrayLike | None,
    graph: NeighborGraph | None,
    sample_weight: ArrayLike | None,
    continuous: Sequence[str | int],
) -> Predictions:
    """Return the predictions of P models, shape (P, N), with the groups of the rows.

    Raises
    ------
    InputError
        As `intervals`.
    """
    n = predicted.shape[-1]
    if predicted.ndim > 2:
        raise InputError(f"y_pred: expected shape (N,) or (P, N), got {predicted.shape}")
    within = (predicted >= 0) & (predicted <= 1)
    if not within.all():
        raise InputError(f"y_pred: expected values in [0, 1], got {predicted[~within][0]}")
    if true is None:
        raise InputError("y_true: expected labels, got None")
    weight = sample_weights(as_weights(sample_weight, n, index), "sample_weight")
    for name, values in (("y_true", true), ("sample_weight", weight)):
        if values.ndim != 1:
            raise InputError(f"{name}: expected shape ({n},), got {values.shape}")
    groups = _groups(sensitive_features, continuous, n, index)
    if X is not None and graph is not None:
        raise InputError("expected at most one of X and graph, got both")
    if X is not None:
        points = np.asarray(aligned("X", X, index, "y"))
        if len(points) != n:
            raise InputError(f"X: expected {n} rows, got {len(points)}")
        graph = neighbor_graph(points)
    if graph is not None and len(graph) != n:
        raise InputError(f"graph: expected {n} rows, got {len(graph)}")
    return Predictions(np.atleast_2d(predicted), true, weight, groups, graph=graph)


def _scores(
    name: str, given: ArrayLike | None, index: pd.Index | None, predicted: Any
) -> Floats | None:
    """Return scores of the shape of the predictions, which they are if they are no labels.

    Raises
    ------
    InputError
        If their shape is another, or one is outside [0, 1].
    """
    predicted = np.asarray(predicted)
    if given is None:
        return None if np.isin(predicted, (0.0, 1.0)).all() else predicted
    scores = as_rows(name, aligned(name, given, index, "y"), predicted.shape[-1])
    if predicted.ndim == 2:
        scores = np.atleast_2d(scores)
    if scores.shape != predicted.shape:
        raise InputError(
            f"{name}: expected a score for each prediction, shape {predicted.shape}, "
            f"got {scores.shape}"
        )
    within = (scores >= 0) & (scores <= 1)
    if not within.all():
        raise InputError(f"{name}: expected values in [0, 1], got {scores[~within][0]}")
    return scores


def _groups(
    sensitive_features: Any, continuous: Sequence[str | int], n: int, index: pd.Index | None
) -> tuple[Groups, ...]:
    frame = sensitive_frame(sensitive_features, n, index, "y")
    attributes = attributes_of(frame, continuous_columns(continuous, list(frame.columns)))
    groups = []
    for attribute, values in zip(attributes, numbers(frame, attributes).T, strict=True):
        if attribute.levels is None:
            kind = "continuous"
        else:
            # Which group is the privileged one is known only if they are 0 and 1.
            kind = "binary" if set(attribute.levels) == {0, 1} else "categorical"
        groups.append(Groups.of(attribute.name, kind, values))
    return tuple(groups)


def _smallest_cells(rows: Predictions, units: Units) -> dict[str, int]:
    """Return the number of units in the smallest cell that each metric is a function of."""

    def smallest(weights: Floats) -> int:
        sizes = (units.sums(weights) > 0).sum(axis=-1)
        return int(sizes[sizes > 0].min(initial=len(rows.weight)))

    weights = cell_weights(rows)
    cells = {"all": smallest(rows.weight), "class": smallest(weights["class"])}
    by_attribute = []
    for k, groups in enumerate(rows.groups):
        group = weights[f"group {k}"]
        # The errors of a continuous attribute's bins are summed, and none of them has to be known.
        sizes = {"group": smallest(group.sum(axis=0) if groups.continuous else group)}
        if groups.fifths is not None:
            sizes["fifth"] = smallest(weights[f"fifth {k}"])
        if f"class and group {k}" in weights:
            both = weights[f"class and group {k}"]
            sizes |= {
                "class and group": smallest(both),
                "favorable class and group": smallest(both[1]),
            }
        if rows.has_scores:
            every = np.ones(len(rows.weight))
            parts = [rows.in_groups(groups, part) for part in (every, 1.0 - rows.true, rows.true)]
            whole, *compared = map(smallest, parts)
            sizes |= {
                "compared group": whole,
                "class and compared group": min(compared),
                "favorable class and compared group": compared[1],
            }
        by_attribute.append(cells | sizes)
    shared = ("group", "compared group") if rows.has_scores else ("group",)
    overall = cells | {cell: min(sizes[cell] for sizes in by_attribute) for cell in shared}

    def fewest(metric: Metric, sizes: Mapping[str, int]) -> int:
        return min(sizes[cell] for cell in metric.cells)

    counts = {}
    known = [m for m in METRICS.values() if m.cells and (rows.has_scores or not m.scores)]
    for metric in known:
        if not metric.attributes or metric.averaged:
            counts[metric.name] = fewest(metric, overall)
        for groups, sizes in zip(rows.groups, by_attribute, strict=True):
            if metric.applies_to(groups):
                counts[attribute_column(metric.name, groups.name)] = fewest(metric, sizes)
    return counts


def _ends(
    rows: Predictions,
    units: Units,
    sample: Mapping[str, Floats],
    drawn: Mapping[str, Floats],
    errors: Sequence[Errors],
    bounds: Mapping[str, Floats],
    tail: float,
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return the low and the high ends, each of shape (P,).

    Metrics that include Discrimination, and those with bounds of their error, lie around the value, at a quantile of their errors; the
    others between percentiles.
    """
    involved: dict[str, tuple[Floats | float, int, Sequence[Errors]]]
    involved = {"discrimination": (0.0, 1, errors)}
    for groups, e in zip(rows.groups, errors, strict=True):
        involved[attribute_column("discrimination", groups.name)] = 0.0, 1, [e]
    for name, part in (("delta", "accuracy"), ("balanced_delta", "balanced_accuracy")):
        involved[name] = drawn[part] - sample[part], -1, errors
    for name, bound in bounds.items():
        unclear = np.zeros(bound.shape[1], dtype=np.bool_)
        involved[name] = 0.0, 1, [Errors(np.zeros_like(bound), (), bound, unclear)]
    low, high, fewest = {}, {}, _smallest_cells(rows, units)
    for name, (value,) in sample.items():
        if name in involved:
            down, up = reach(*involved[name], tail)
            low[name], high[name] = value - down, value + up
        else:
            low[name], high[name] = (
                -upper_quantile(-drawn[name], tail),
                upper_quantile(drawn[name], tail),
            )
        unknown = np.isnan(value) | (fewest[name] < FEWEST)
        low[name] = np.where(unknown, np.nan, low[name])
        high[name] = np.where(unknown, np.nan, high[name])
    return low, high


def _fifth_bounds(sample: Resamples, drawn: Resamples) -> dict[str, Floats]:
    """Return the resampled bounds (B, P) of the errors of the differences between fifths."""
    bounds = {}
    for k, groups in enumerate(sample.groups):
        if groups.fifths is not None:
            errors = drawn.by_fifth[k].mean - sample.by_fifth[k].mean
            bounds[attribute_column("quintile_difference", groups.name)] = spread(
                Cells(~np.isnan(errors) * 1.0, errors)
            )
    return bounds


def _p_value(difference: float, swapped: Floats) -> float:
    """Return the share of swaps that differ as much, including the sample itself.

    Swaps for which the metric is not defined are counted as differing as much.
    """
    if np.isnan(difference):
        return float("nan")
    as_much = np.isnan(swapped) | (np.abs(swapped) >= abs(difference) - ROUNDING)
    return float((1 + as_much.sum()) / (1 + len(swapped)))
