"""A permutation test of the independence of predictions and protected attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from grad_ext import checks
from grad_ext.constraints import DEFAULT_CONSTRAINT, constraint_named
from grad_ext.data.alignment import index_of
from grad_ext.data.sensitive import sensitive_frame
from grad_ext.errors import InputError, unknown
from grad_ext.metrics.group import groups_of
from grad_ext.metrics.inputs import as_predictions, as_weights
from grad_ext.metrics.registry import METRICS, Metric
from grad_ext.metrics.sums import Groups, Predictions
from grad_ext.outputs import Binary
from grad_ext.seeds import numpy_generator

Ints = NDArray[np.intp]

PERMUTATIONS = 999
# Values that differ by less are equal, but for rounding.
ROUNDING = 1e-12


def permutation_test(
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    metric: str = "discrimination",
    sample_weight: ArrayLike | None = None,
    continuous: Sequence[str | int] = (),
    constraint: str = DEFAULT_CONSTRAINT,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    pos_label: Any = None,
) -> pd.DataFrame:
    """Test whether predictions depend on each protected attribute.

    The values of the attribute change places among the rows, which makes them independent of the
    predictions. If predictions are independent of the attribute, P(p <= α) <= α for any metric and any
    number of rows (Good, 2005, "Permutation, Parametric and Bootstrap Tests of Hypotheses"). Rows have to
    be independent of each other: several rows of one patient are not.

    Parameters
    ----------
    y_true : array of shape (N,) or None
        Labels; needed by metrics and constraints that compare rows of equal labels.
    y_pred : array of shape (N,)
        Labels or scores of one model.
    sensitive_features : array of shape (N,) or (N, K), Series, frame, list or mapping
        Groups, or numbers; rows where an attribute is missing keep it and do not count for it.
    metric : str, default 'discrimination'
        A metric of attributes in `grad_ext.metrics.registry.METRICS`, the magnitude of which is
        compared. For a continuous attribute 'discrimination' compares its ten bins, 'quintile_difference'
        its fifths and 'correlation' linear dependence alone; 'ks_distance' and
        'wasserstein_distance' compare distributions of scores.
    sample_weight : array of shape (N,), optional
        Weights, which stay with the predictions.
    continuous : sequence of str or int, optional
        Which columns are continuous, by name or number.
    constraint : str, default 'demographic_parity'
        Values change places among all rows, or among the rows of each stratum of a constraint
        (``metric='equalized_odds_difference', constraint='equalized_odds'``).
    permutations : int, default 999
        How many.
    seed : int, default 0
        Their seed.
    pos_label : object, optional
        The favorable label; needed if the labels are other than 0 and 1, booleans, or -1 and 1.

    Returns
    -------
    pandas.DataFrame
        A row for each attribute that the metric is defined for: ``value``, ``by_chance`` (the mean
        magnitude over the permutations) and ``p_value``. p-values are not corrected for several
        attributes.

    Raises
    ------
    InputError
        If lengths differ, there is no such metric or constraint, or it needs labels and there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext import permutation_test
    >>> age = np.arange(20.0, 70.0, 0.25)
    >>> middle = (age > 35) & (age < 55)  # no linear dependence
    >>> for metric in ("correlation", "quintile_difference"):
    ...     test = permutation_test(
    ...         None, middle, sensitive_features={"age": age}, continuous=["age"], metric=metric
    ...     )
    ...     print(bool(test.loc["age", "p_value"] < 0.01))
    False
    True
    """
    chosen, rule = METRICS.get(metric), constraint_named(constraint)
    known = [name for name, one in METRICS.items() if one.attributes and "chance" not in name]
    if chosen is None or metric not in known:
        raise unknown("metric of attributes", metric, known)
    checks.whole("permutations", permutations, 1)
    needed = rule.uses_labels or any("class" in cell for cell in chosen.cells) or "odds" in metric
    if needed and y_true is None:
        raise InputError(f"y_true: expected labels for {metric} and {constraint}, got None")
    true, predicted = as_predictions(y_true, y_pred, pos_label, needed=needed)
    if predicted.ndim != 1:
        raise InputError(f"y_pred: expected one prediction a row, got shape {predicted.shape}")
    index = index_of(y_true, y_pred)
    n = len(predicted)
    frame = sensitive_frame(sensitive_features, n, index, "y")
    groups = [
        replace(_with_sign(one), name=str(name))
        for name, one in zip(frame, groups_of(frame, n, index, continuous), strict=True)
    ]
    rows = Predictions(predicted, true, as_weights(sample_weight, n, index), scores=predicted)
    strata = rule.strata_of(np.zeros(n) if true is None else true, Binary("target"))
    tests = {
        one.name: _tested(chosen, rows, one, strata, permutations, seed)
        for one in groups
        if chosen.applies_to(one)
    }
    if not tests:
        raise InputError(
            f"{metric}: expected an attribute of the kinds {', '.join(chosen.attributes)}, got "
            f"{', '.join(one.kind for one in groups)}"
        )
    return pd.DataFrame.from_dict(
        tests, orient="index", columns=["value", "by_chance", "p_value"]
    ).rename_axis("attribute")


def _with_sign(groups: Groups) -> Groups:
    """Return groups of 0 and 1 as those of a binary attribute, which signed metrics need."""
    binary = not groups.continuous and set(groups.values.tolist()) == {0.0, 1.0}
    return replace(groups, kind="binary") if binary else groups


def _tested(
    metric: Metric,
    rows: Predictions,
    groups: Groups,
    strata: NDArray[np.int64],
    permutations: int,
    seed: int,
) -> tuple[float, float, float]:
    """Return the value of a metric, its mean magnitude over permutations, and the p-value."""
    value = float(metric.formula(replace(rows, groups=(groups,)), 0))
    if np.isnan(value):
        return value, np.nan, np.nan
    generator = numpy_generator(seed, "permutations", groups.name)
    present = ~np.isnan(groups.codes)
    parts = [np.flatnonzero(present & (strata == one)) for one in np.unique(strata[strata >= 0])]
    drawn = np.empty(permutations)
    for b in range(permutations):
        order = np.arange(len(strata))
        for part in parts:
            order[part] = generator.permutation(part)
        drawn[b] = metric.formula(replace(rows, groups=(_permuted(groups, order),)), 0)
    # An undefined value counts as one as large.
    as_much = np.isnan(drawn) | (np.abs(drawn) >= abs(value) - ROUNDING)
    p_value = float((1 + as_much.sum()) / (1 + permutations))
    return value, float(np.nanmean(np.abs(drawn))), p_value


def _permuted(groups: Groups, order: Ints) -> Groups:
    return replace(
        groups,
        codes=groups.codes[order],
        fifths=None if groups.fifths is None else _permuted(groups.fifths, order),
        numbers=None if groups.numbers is None else groups.numbers[order],
    )
