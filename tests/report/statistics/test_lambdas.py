"""Flat ranges and significant differences of curves over λ."""

import numpy as np
import pytest
from report_data import record, study
from scipy import stats

from grad_ext.report.statistics.lambdas import (
    flat_range,
    least_significant_difference,
    nearest,
    paired_differences,
)
from grad_ext.report.tables import results


def test_flat_range_by_hand():
    assert flat_range([(0.0,), (0.02,), (0.025,), (0.03,), (0.5,)], 0.01) == (1, 3)
    assert flat_range([(0.0, 0.0), (0.0, 0.5), (0.0, 0.5)], 0.01) == (1, 2)
    assert flat_range([(0.0,), (1.0,)], 0.01) == (0, 0)
    # A slow drift is not flat, however small each step.
    assert flat_range([(i * 0.006,) for i in range(10)], 0.01) == (0, 1)


def test_the_least_significant_difference_is_students():
    # Standard error of a difference of two means of 4: sqrt(2 · 0.05² · 4/3 / 4); for a single pair
    # it is Student's test, with 6 degrees of freedom, of three metrics.
    least = least_significant_difference(results(study({1: 0.80, 10: 0.75}, noise=0.05)))
    expected = stats.t.ppf(1 - 0.025 / 3, 6) * np.sqrt(2 * 0.05**2 * 4 / 3 / 4)
    assert least["accuracy"] == pytest.approx(expected, abs=5e-4)
    assert least["discrimination"] == 0.0
    assert not least_significant_difference(results(study({1: 0.8, 10: 0.7}, seeds=1))).any()


def test_differences_are_those_of_the_same_seed():
    plain = results([record(0, s, 0.80, 0.20) for s in range(4)])
    # 0.02, 0.03 and 0.04 lower; the fourth seed has no partner.
    grad = results([record(50, s, 0.78 - 0.01 * s, 0.15) for s in range(3)])
    moved = paired_differences(grad, plain)
    reach = stats.t.ppf(0.975, 2) * 0.01 / 3**0.5
    assert (moved.n, moved.over_splits) == (3, False)
    assert moved.metrics["accuracy"] == pytest.approx((-0.03, -0.03 - reach, -0.03 + reach))
    assert moved.metrics["discrimination"] == pytest.approx((-0.05, -0.05, -0.05))
    assert paired_differences(grad[:1], plain[1:]) is None


def test_over_several_splits_each_is_one_observation():
    """Two seeds on each of two splits: two observations, of -0.02 and -0.04."""
    frame = results([record(lam, s) for lam in (0, 100) for s in range(4)])
    frame = frame.assign(split_seed=[0, 0, 1, 1] * 2, seed=[0, 1] * 4)
    frame["accuracy"] = [0.8] * 4 + [0.78, 0.78, 0.75, 0.77]
    moved = paired_differences(frame[4:], frame[:4])
    reach = stats.t.ppf(0.975, 1) * 0.02 / 2**0.5 / 2**0.5
    assert (moved.n, moved.over_splits) == (2, True)
    assert moved.metrics["accuracy"] == pytest.approx((-0.03, -0.03 - reach, -0.03 + reach))


def test_the_nearest_lambda_is_so_on_a_logarithmic_scale():
    frame = results([record(lam, 0) for lam in (1, 40, 300)])
    lam, models = nearest(frame, 100.0)
    assert lam == 40.0
    assert models["lam"].tolist() == [40.0]
