"""Intervals of means, compared with values computed by hand."""

import numpy as np
import pandas as pd
import pytest

from grad_ext.report.statistics.intervals import SIGNIFICANCE, interval, paired_interval


def test_an_interval_by_hand():
    # Mean 2, sd 1, t(2 degrees, 97.5 %) = 4.3027.
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert (mean, high - mean) == (2.0, pytest.approx(4.3027 / 3**0.5, abs=1e-4))
    assert low == pytest.approx(4.0 - high)
    assert np.isnan(interval([1.0])[1:]).all()
    assert SIGNIFICANCE == 0.05


def test_pairs_of_one_split_are_averaged_if_there_are_several_splits():
    index = pd.MultiIndex.from_product([[0, 1], [0, 1]], names=["split_seed", "seed"])
    one, other = pd.Series([0.3, 0.5, 0.7, 0.9], index), pd.Series(0.1, index)
    assert paired_interval(one, other) == pytest.approx(interval([0.3, 0.7]))
    first = index.get_level_values("split_seed") == 0
    assert paired_interval(one[first], other[first]) == pytest.approx(interval([0.2, 0.4]))
