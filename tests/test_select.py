import numpy as np

from grad_ext.select import History, best_epoch, paper


def history(discrimination, accuracy):
    gap, right = np.array(discrimination, dtype=float), np.array(accuracy, dtype=float)
    zero = np.zeros_like(gap)
    return History(zero, zero[:, None], right, zero, zero, gap, gap[:, None])


def test_the_papers_rule():
    # Three members: plain minimum; a tie broken by accuracy; a full tie, of which the first stays.
    gap = [[0.3, 0.1, 0.2], [0.1, 0.2, 0.2], [0.2, 0.1, 0.2]]
    right = [[0.9, 0.7, 0.5], [0.5, 0.9, 0.5], [0.9, 0.8, 0.5]]
    assert best_epoch(history(gap, right), paper).tolist() == [1, 2, 0]


def test_an_epoch_that_is_not_a_number_loses():
    gap = [[np.nan, 0.4, np.nan], [0.2, np.nan, np.nan]]
    right = [[np.nan, 0.9, np.nan], [0.1, np.nan, np.nan]]
    assert best_epoch(history(gap, right), paper).tolist() == [1, 0, 0]


def test_the_rule_likes_a_constant_best():
    """The trap that every report of grad-ext points at."""
    useful_then_constant = history([[0.01], [0.0]], [[0.85], [0.70]])
    assert best_epoch(useful_then_constant, paper).tolist() == [1]
