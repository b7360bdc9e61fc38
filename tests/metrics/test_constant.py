"""Which predictions are constant, or as good as constant."""

import numpy as np
import pytest

from grad_ext.metrics.constant import nearly_constant

# 1,000 rows, of which 250 are favorable.
Y = np.arange(1000) < 250


def labels(true_positive, false_positive):
    """Return labels with so many favorable ones among the rows of either label."""
    return np.where(Y, np.arange(1000) < true_positive, np.arange(1000) < 250 + false_positive)


@pytest.mark.parametrize(
    ("true_positive", "false_positive", "expected"),
    [
        (0, 0, True),
        (250, 750, True),
        # A tenth of the labels is 25 rows.
        (24, 0, True),
        (25, 0, False),
        # Of the unfavorable ones 75.
        (250, 676, True),
        (250, 675, False),
        # Balanced accuracy 0.52: by chance 0.5 +- sqrt(2/pi) sqrt(.4 .6 (1/250 + 1/750)) / 2 = 0.0143.
        (110, 300, False),
        (105, 300, True),  # 0.51
        (20, 500, True),  # below 0.5
    ],
)
def test_1000_rows_by_hand(true_positive, false_positive, expected):
    assert nearly_constant(labels(true_positive, false_positive), Y) == expected
    # The other label as the favorable one.
    assert nearly_constant(~labels(true_positive, false_positive), ~Y) == expected


def test_many_models_at_once():
    models = np.stack([labels(200, 100), labels(0, 0), labels(10, 0), labels(100, 300)])
    assert nearly_constant(models, Y.astype(float)).tolist() == [False, True, True, True]


def test_weights_are_repetitions_and_scales_do_not_matter():
    weight = np.where(Y, 3.0, 1.0)
    for predicted in (labels(24, 0), labels(30, 0), labels(110, 310), labels(105, 300)):
        alone = nearly_constant(predicted, Y, weight)
        assert nearly_constant(predicted, Y, 0.3 * weight) == alone
    # By weight, 24 of 250 are 72 of 750 and 25 are a tenth.
    assert nearly_constant(labels(24, 0), Y, weight)
    assert not nearly_constant(labels(25, 0), Y, weight)
    # Rows without weight do not count.
    assert nearly_constant(labels(200, 0), Y, np.where(np.arange(1000) < 200, 0.0, 1.0))


def test_several_classes():
    y = np.arange(900) % 3
    right = np.where(np.arange(900) < 300, y, 0)
    assert not nearly_constant(right, y)
    rare = np.where(np.arange(900) < 60, y, 0)
    assert nearly_constant(rare, y)
    assert nearly_constant(np.random.default_rng(0).permutation(y), y)


def test_rows_of_one_label_show_constants_alone():
    y = np.zeros(100)
    assert nearly_constant(np.ones(100), y)
    assert nearly_constant(np.zeros(100), y)
    assert not nearly_constant(np.arange(100) % 2, y)
