"""The training loop with a pack that follows a script."""

import numpy as np
import torch

from grad_ext.training.checkpoint import last, paper
from grad_ext.training.loop import load, train_epochs

# By epoch and member.
DISCRIMINATION = np.array([[0.3, 0.1, np.nan], [0.1, 0.2, np.nan], [0.2, 0.1, np.nan]])
ACCURACY = np.array([[0.5, 0.6, 0.5], [0.5, 0.7, 0.5], [0.5, 0.5, 0.5]])


class Scripted:
    """Three members of one weight, which counts the epochs."""

    def __init__(self):
        self.weight, self.done = torch.zeros(3, 1), 0

    def epoch(self):
        self.done += 1
        self.weight += 1.0
        return np.array([[0.5, 0.75]] * 3) * self.done

    def metrics(self):
        now = self.done - 1
        return {
            "accuracy": ACCURACY[now],
            "balanced_accuracy": ACCURACY[now],
            "positive_rate": ACCURACY[now],
            "discrimination_by_attribute": DISCRIMINATION[now][None],
        }

    def state(self):
        return {"weight": self.weight}


def test_each_member_has_its_own_best_epoch():
    """The lowest Discrimination, ties by accuracy; a member that diverged has the last."""
    pack, done = Scripted(), []
    best, history, epochs = train_epochs(pack, 3, paper, done.append)
    assert epochs.tolist() == [1, 0, 2]
    assert best["weight"].tolist() == [[2.0], [1.0], [3.0]]
    assert pack.weight.tolist() == [[3.0]] * 3
    assert done == [1, 2, 3]
    np.testing.assert_array_equal(history.loss, np.outer([0.5, 1.0, 1.5], np.ones(3)))
    np.testing.assert_array_equal(
        history.attribute_loss[:, 0], np.outer([0.75, 1.5, 2.25], np.ones(3))
    )
    np.testing.assert_array_equal(history.discrimination, DISCRIMINATION)
    load(pack.state(), best)
    assert pack.weight.tolist() == [[2.0], [1.0], [3.0]]


def test_the_last_epoch():
    best, _, epochs = train_epochs(Scripted(), 2, last)
    assert epochs.tolist() == [1, 1, 1]
    assert best["weight"].tolist() == [[2.0]] * 3
