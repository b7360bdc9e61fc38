"""Errors of Discrimination in resamples, by hand."""

import numpy as np
import pytest

from grad_ext.metrics.error_bounds import (
    discrimination_errors,
    largest_difference,
    paired_errors,
    reach,
    upper_quantile,
)
from grad_ext.metrics.sums import Groups

TWO = Groups.of("sex", "binary", np.array([0.0, 1.0]))
THREE = Groups.of("race", "categorical", np.array([0.0, 1.0, 2.0]))
BINS = Groups.of("age", "continuous", np.arange(3.0))


def test_quantiles_are_over_the_resamples_where_there_is_a_value():
    values = np.arange(1.0, 100.0)[:, None]
    assert upper_quantile(values, 0.05) == 95
    assert -upper_quantile(-values, 0.05) == 5
    half = np.concatenate([values, np.full((99, 1), np.nan)])
    assert upper_quantile(half, 0.05) == 95
    assert np.isnan(upper_quantile(np.concatenate([half, [[np.nan]]]), 0.05)).all()


def test_errors_of_two_groups_have_a_sign_if_the_groups_differ():
    sample = np.array([[[0.2, 0.8]]])  # one model: a difference of 0.6
    drawn = np.array([[[0.2, 0.7]], [[0.3, 0.8]], [[0.2, 0.9]]])  # of 0.5, 0.5 and 0.7
    errors = discrimination_errors(TWO, sample, drawn, 0.25)
    np.testing.assert_allclose(errors.signed[:, 0], [-0.1, -0.1, 0.1])
    np.testing.assert_allclose(errors.bound[:, 0], 0.1)
    assert errors.clear.tolist() == [True]
    # The privileged group is worse off: the magnitude's error has the other sign.
    mirrored = discrimination_errors(TWO, sample[..., ::-1], drawn[..., ::-1], 0.25)
    np.testing.assert_allclose(mirrored.signed, errors.signed)
    near = discrimination_errors(TWO, np.array([[[0.5, 0.55]]]), drawn, 0.25)
    assert near.clear.tolist() == [False]


@pytest.mark.parametrize(("groups", "bound"), [(THREE, 0.2), (BINS, 0.3)])
def test_errors_without_a_sign_are_bounded(groups, bound):
    """By the range of the groups' errors, or the sum of the bins'."""
    sample = np.array([[[0.2, 0.5, 0.8]]])
    drawn = sample + np.array([0.1, -0.1, 0.1])
    errors = discrimination_errors(groups, sample, drawn, 0.25)
    np.testing.assert_allclose(errors.bound, bound)
    assert errors.signed.tolist() == [[0.0]]
    assert errors.clear.tolist() == [False]


def test_errors_of_two_models_are_subtracted_or_their_bounds_added():
    sample = np.array([[[0.2, 0.8], [0.2, 0.7]]])
    drawn = np.array([[[0.2, 0.7], [0.2, 0.8]]])  # errors of -0.1 and 0.1
    errors = paired_errors(TWO, sample, drawn, 0.25)
    np.testing.assert_allclose(errors.signed, [[0.2]])
    np.testing.assert_allclose(errors.bound, [[0.2]])
    assert errors.clear.shape == (1,)


def test_the_reach_is_symmetric_without_other_versions():
    sample = np.array([[[0.2, 0.8]]])
    drawn = sample + np.linspace(-0.1, 0.1, 41)[:, None, None] * np.array([0.0, 1.0])
    errors = discrimination_errors(TWO, sample, drawn, 0.025)
    down, up = reach(0.0, 1, [errors], 0.025)
    assert down == up
    assert 0.09 < down[0] <= 0.1 + 1e-12


def test_the_largest_difference_without_errors_is_itself():
    means = np.array([[0.2, 0.5, np.nan, 0.9]])
    low, high = largest_difference(means, np.repeat(means[None], 3, axis=0), 0.025)
    np.testing.assert_allclose([low, high], 0.7)
