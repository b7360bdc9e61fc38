import numpy as np
import pytest

from grad_ext.errors import InputError
from grad_ext.training.checkpoint import (
    RULES,
    AccuracyWithin,
    History,
    best_epoch,
    paper,
    rule_named,
)


def history(discrimination, accuracy):
    gap, right = np.array(discrimination, dtype=float), np.array(accuracy, dtype=float)
    zero = np.zeros_like(gap)
    return History(zero, zero[:, None], right, zero, zero, gap, gap[:, None])


def test_the_papers_rule():
    # Three members: plain minimum; a tie broken by accuracy; a full tie, of which the last is kept.
    gap = [[0.3, 0.1, 0.2], [0.1, 0.2, 0.2], [0.2, 0.1, 0.2]]
    right = [[0.9, 0.7, 0.5], [0.5, 0.9, 0.5], [0.9, 0.8, 0.5]]
    assert best_epoch(history(gap, right), paper).tolist() == [1, 2, 2]


def test_an_epoch_that_is_not_a_number_loses():
    gap = [[np.nan, 0.4, np.nan], [0.2, np.nan, np.nan]]
    right = [[np.nan, 0.9, np.nan], [0.1, np.nan, np.nan]]
    assert best_epoch(history(gap, right), paper).tolist() == [1, 0, 1]


def test_the_rule_likes_a_constant_best():
    """The trap that every report of grad-ext points at."""
    useful_then_constant = history([[0.01], [0.0]], [[0.85], [0.70]])
    assert best_epoch(useful_then_constant, paper).tolist() == [1]


def test_the_other_rules():
    # Epochs: useless and fair, good and unfair, good enough and fair enough.
    gap, right = [[0.0], [0.2], [0.04]], [[0.5], [0.9], [0.8]]
    seen = history(gap, right)
    chosen = {
        name: best_epoch(seen, rule_named(name)).tolist() for name in (*RULES, "accuracy@0.05")
    }
    assert chosen == {
        "paper": [0],
        "delta": [2],
        "balanced_delta": [0],  # this history's balanced accuracies are all 0
        "last": [2],
        "accuracy@0.05": [2],
    }
    assert best_epoch(seen, rule_named("accuracy@0.5")).tolist() == [1]
    # Where no epoch keeps to the limit, the fairest.
    assert best_epoch(history([[0.3], [0.2]], [[0.9], [0.1]]), AccuracyWithin(0.1)).tolist() == [1]


@pytest.mark.parametrize("name", ["best", "accuracy@", "accuracy@2", "accuracy@-1", "papr"])
def test_unknown_rules(name):
    with pytest.raises(InputError, match=r"unknown rule|from 0 to 1"):
        rule_named(name)
