"""Probes: metrics computed by hand and by slow code, folds, and coverage of the intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from grad_ext.auditing.probes import (
    PROBES,
    auc,
    balanced_accuracy,
    interval,
    labels_of_units,
    probe_metrics,
    stratified_folds,
)


def test_eight_rows_by_hand():
    codes = np.array([1, 0, 1, 0, 1, 0, 0, 1])
    fold = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    score = np.array([0.9, 0.1, 0.3, 0.3, 5.0, 6.0, 4.0, 7.0])
    # Fold 0: 0.9 beats both, 0.3 beats 0.1 and ties with 0.3: 3.5 of 4 pairs. Fold 1: 5 beats 4, 7
    # beats both: 3 of 4. No row of fold 0 is compared with one of fold 1.
    value, influence = auc(np.column_stack([-score, score]), codes, fold)
    assert value == 6.5 / 8
    ordered = np.array([2, 2, 1.5, 1.5, 1, 1, 2, 2])
    np.testing.assert_allclose(influence, (ordered - 2 * 6.5 / 8) / 8)
    # Predictions 1 0 0 0 1 1 0 1: three of four are correct in each group, all but rows 2 and 5.
    ratio = np.array([[0, 1], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1.0]])
    value, influence = balanced_accuracy(ratio, codes)
    assert value == 0.75
    correct = np.array([1, 1, 0, 1, 1, 0, 1, 1])
    np.testing.assert_allclose(influence, (correct - 0.75) / 8)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), groups=st.integers(2, 4), folds=st.integers(2, 4))
def test_auc_is_the_share_of_pairs_in_order(data, groups, folds):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    codes = np.repeat(np.arange(groups), folds * 2)
    fold = stratified_folds(codes, folds, rng)
    ratio = rng.integers(0, 5, (len(codes), groups)).astype(float)
    if groups == 2:
        ratio[:, 0] = -ratio[:, 1]
    value, influence = auc(ratio, codes, fold)
    areas = []
    for g in range(groups):
        won = [
            np.sign(ratio[i, g] - ratio[j, g]) / 2 + 0.5
            for i in np.flatnonzero(codes == g)
            for j in np.flatnonzero(codes != g)
            if fold[i] == fold[j]
        ]
        areas.append(np.mean(won))
    assert value == pytest.approx(np.mean(areas))
    assert influence.sum() == pytest.approx(0, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    folds=st.integers(2, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_folds_are_stratified(sizes, folds, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    fold = stratified_folds(labels, folds, np.random.default_rng(seed))
    for group in range(len(sizes)):
        assert np.ptp(np.bincount(fold[labels == group], minlength=folds)) <= 1
    assert np.ptp(np.bincount(fold, minlength=folds)) <= 1


def test_a_unit_has_the_rarest_of_its_groups():
    # Rows of groups 0 1 2: four, two, one. Unit 0 has 0 0 1, unit 1 has 0 2, unit 2 has 0 1.
    codes, units = np.array([0, 0, 1, 0, 2, 0, 1]), np.array([0, 0, 0, 1, 1, 2, 2])
    assert labels_of_units(codes, units).tolist() == [1, 2, 1]


def test_an_interval_by_hand():
    influence = np.array([0.1, -0.1, 0.2, -0.2])
    reach = norm.ppf(0.975) * np.sqrt(2 * (2 * 0.1**2 + 2 * 0.2**2))
    estimate = interval(0.5, influence, np.arange(4), 0.95)
    np.testing.assert_allclose(
        [estimate.low, estimate.high], [max(0.5 - reach, 0), min(0.5 + reach, 1)]
    )
    # Rows 0 and 1 are in one unit, 2 and 3 in another: their influences cancel.
    one = interval(0.5, influence, np.array([0, 0, 1, 1]), 0.95)
    assert one.low == pytest.approx(0.5)
    # Two equal rows in a unit count as one with twice the influence.
    both = interval(0.5, np.array([0.1, 0.1]), np.array([0, 0]), 0.6)
    assert both.high == pytest.approx(0.5 + norm.ppf(0.8) * np.sqrt(2) * 0.2)


@pytest.mark.parametrize("probe", PROBES)
def test_intervals_on_noise_have_their_coverage(probe, monkeypatch):
    """By simulation: they contain the chance level in about 95 %, and match the spread over samples."""
    monkeypatch.setattr("grad_ext.auditing.probes.PROBES", (probe,))
    count = 150 if probe == PROBES[0] else 60
    samples = []
    for seed in range(count):
        X = np.random.default_rng([5, seed]).normal(size=(120, 4))
        samples.append(probe_metrics(X, np.arange(120) % 2, np.arange(120), 5, 0.95, seed)[probe])
    for k in range(2):
        values = np.array([(f[k].value, f[k].low, f[k].high) for f in samples])
        coverage = np.mean((values[:, 1] <= 0.5) & (values[:, 2] >= 0.5))
        # 95 % minus two and a half binomial standard errors.
        assert coverage >= 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / count)
        errors = (values[:, 2] - values[:, 1]) / 2 / norm.ppf(0.975)
        # It would be 1.4 if the variance of the folds were not corrected.
        assert 0.75 < values[:, 0].std() / errors.mean() < 1.25
        assert values[:, 0].mean() == pytest.approx(0.5, abs=0.025)
