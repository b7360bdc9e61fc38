"""Weighted means by class and group, by hand, and the same from torch."""

import numpy as np
import pytest
import torch

from grad_ext.errors import InputError
from grad_ext.metrics import sums
from grad_ext.metrics.sums import Groups, Predictions, bins, cell_means

Y = np.array([1.0, 1, 0, 0])
PREDICTED = np.array([[1.0, 0, 1, 0], [1, 1, 1, 1]])
WEIGHT = np.array([1.0, 3, 2, 2])
SEX = Groups.of("sex", "binary", np.array([1.0, 0, 1, np.nan]))


def test_means_by_hand():
    means = Predictions(PREDICTED, Y, WEIGHT, (SEX,))
    assert means.error.tolist() == [5 / 8, 4 / 8]
    assert means.positive.tolist() == [3 / 8, 1.0]
    assert means.base_rate == 0.5
    assert means.recall.tolist() == [[0.5, 0.25], [0.0, 1.0]]
    # Group 0 is row 1; group 1 is rows 0 and 2; the last row has no group.
    assert means.by_group[0].weight.tolist() == [3.0, 3.0]
    assert means.by_group[0].mean.tolist() == [[0.0, 1.0], [1.0, 1.0]]
    by_class = means.by_class_and_group[0]
    assert by_class.weight.tolist() == [[0.0, 2.0], [3.0, 1.0]]
    np.testing.assert_array_equal(by_class.mean[0], [[np.nan, 1.0], [0.0, 1.0]])


def test_what_is_missing_is_named():
    means = Predictions(PREDICTED, None, WEIGHT, ())
    assert not means.has_neighbors
    with pytest.raises(InputError, match="y_true"):
        _ = means.error
    with pytest.raises(InputError, match="graph of neighbours"):
        _ = means.neighbor_gap


@pytest.mark.parametrize("block", [2, 4096])
def test_a_tensor_has_the_means_of_an_array(block, monkeypatch):
    monkeypatch.setattr(sums, "BLOCK_ROWS", block)
    rng = np.random.default_rng(0)
    predicted, weights = rng.random((3, 7)), rng.random((2, 7))
    expected = cell_means(predicted, weights)
    got = cell_means(torch.tensor(predicted), weights)
    np.testing.assert_allclose(got.mean, expected.mean, rtol=1e-14)
    np.testing.assert_array_equal(got.weight, expected.weight)


def test_a_constant_has_its_value_as_the_mean_exactly():
    weights = np.random.default_rng(0).random((4, 1000))
    for predicted in (np.full((2, 1000), 0.1), torch.full((2, 1000), 0.1, dtype=torch.float64)):
        assert (cell_means(predicted, weights).mean == 0.1).all()
    assert np.isnan(cell_means(np.ones((1, 3)), np.zeros((1, 3))).mean).all()


def test_groups_of_each_kind():
    column = np.array([2.0, 0, 2, np.nan])
    three = Groups.of("race", "categorical", column)
    assert three.values.tolist() == [0.0, 2.0]
    assert three.member.tolist() == [[0, 1, 0, 0], [1, 0, 1, 0]]
    assert three.member.sum(axis=1).tolist() == [1, 2]
    assert (three.continuous, three.has_sign, SEX.has_sign) == (False, True, True)
    # Of a binary attribute both groups are there, even if one has no rows.
    assert Groups.of("sex", "binary", np.ones(3)).values.tolist() == [0.0, 1.0]
    ages = Groups.of("age", "continuous", np.arange(20.0))
    assert ages.continuous
    assert not ages.has_sign
    assert ages.member.sum(axis=1).tolist() == [2] * 10


def test_bins_of_equally_many_rows():
    assert bins(np.array([5.0, np.nan, 5.0])).tolist()[::2] == [1.0, 1.0]
    assert np.isnan(bins(np.array([np.nan, np.nan]))).all()
    assert np.bincount(bins(np.random.default_rng(0).random(50)).astype(int)).tolist() == [5] * 10
