"""What attribute branches get of the prediction, by hand."""

import math

import torch

from grad_ext.engine.score_view import ScoreView, view_width
from grad_ext.outputs import Binary, Categorical, Continuous


def test_probabilities_and_their_gradient_by_hand():
    logits = torch.tensor([[[0.0, math.log(3), -math.log(3), 100.0, -100.0]]], dtype=torch.float64)
    view = ScoreView(Binary("target"), logits)
    # Probabilities 1/2, 3/4, 1/4; and of five times the logit, 243 to 1.
    expected = [[0.0, 1.0, -1.0, 2.0, -2.0], [0.0, 4 * 243 / 244 - 2, 4 / 244 - 2, 2.0, -2.0]]
    torch.testing.assert_close(view.values()[0], torch.tensor(expected, dtype=torch.float64))
    # 4 p (1 - p), five times as much of the sharper one, and nothing where the logit is clamped.
    slope = 4 * (3 / 16 + 5 * 243 / 244**2)
    expected = torch.tensor([[[6.0, slope, slope, 0.0, 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(view.gradient(torch.ones(1, 2, 5).double()), expected)


def test_several_classes_and_numbers():
    three = torch.tensor([[[0.0], [math.log(2)], [0.0]]], dtype=torch.float64)
    sharp = [1 / 34, 32 / 34, 1 / 34]
    expected = torch.tensor([*(4 * p - 2 for p in [0.25, 0.5, 0.25, *sharp])], dtype=torch.float64)
    view = ScoreView(Categorical("target", 3), three)
    torch.testing.assert_close(view.values()[0, :, 0], expected)
    numbers = ScoreView(Continuous("target"), three[:, :1])
    assert numbers.values().equal(three[:, :1])
    assert numbers.gradient(three[:, 1:2]).equal(three[:, 1:2])
    assert [view_width(b) for b in (Binary("a"), Categorical("a", 3), Continuous("a"))] == [2, 6, 1]
