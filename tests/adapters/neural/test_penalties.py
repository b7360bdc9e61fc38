"""Penalties on minibatches: gradients against finite differences, values by hand."""

import math

import numpy as np
import pytest
import torch

from grad_ext.adapters.neural.penalties import BatchPenalty, _hsic, _mmd, fairret_loss
from grad_ext.outputs import Binary


def mean_gap(z, groups, w):
    """The difference of two groups' mean logits."""
    return (z @ groups[:, 1]) / groups[:, 1].sum() - (z @ groups[:, 0]) / groups[:, 0].sum()


def test_a_gradient_by_hand():
    """Of two members, strengths 2 and 0, with a row that is not compared."""
    strength = torch.tensor([[2.0], [0.0]], dtype=torch.float64)
    penalty = BatchPenalty(mean_gap, Binary("target"), [(1, 2)], strength)
    cells, weights = torch.tensor([[0, 0, 1, -1]]), torch.ones(1, 4, dtype=torch.float64)
    logits = torch.zeros(2, 1, 4, dtype=torch.float64)
    index = torch.tensor([0, 1, 2, 3, 3, 2, 1, 0])
    gradient = penalty.gradient(logits, index, cells, weights, 0.5)
    # Half of the strength of 2; a mean of two rows, and one of one.
    np.testing.assert_allclose(gradient[0, 0], [-0.5, -0.5, 1.0, 0.0])
    assert (gradient[1] == 0).all()


@pytest.mark.parametrize("loss", [_mmd, _hsic])
def test_equal_groups_have_none_and_shifted_ones_more(loss):
    scores = torch.linspace(-2, 2, 20, dtype=torch.float64)
    groups = torch.eye(2, dtype=torch.float64).repeat_interleave(20, 0)
    w = torch.ones(40, dtype=torch.float64)
    values = [float(loss(torch.cat([scores, scores + s]), groups, w)) for s in (0.0, 0.5, 2.0)]
    assert values[0] == pytest.approx(0.0, abs=1e-9)
    assert values[0] < values[1] < values[2]


def test_hsic_of_the_group_itself_is_1():
    groups = torch.eye(2, dtype=torch.float64).repeat_interleave(5, 0)
    z = 40.0 * (groups[:, 1] - 0.5)
    assert float(_hsic(z, groups, torch.ones(10, dtype=torch.float64))) == pytest.approx(
        1, abs=1e-6
    )


def test_mmd_by_loops():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(7, generator=generator, dtype=torch.float64)
    w = torch.rand(7, generator=generator, dtype=torch.float64) + 0.5
    group = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    p = torch.sigmoid(z)
    total = 0.0
    share = [float(w[i] / w[group == group[i]].sum()) * (1 if group[i] else -1) for i in range(7)]
    for i in range(7):
        for j in range(7):
            kernel = [math.exp(-((p[i] - p[j]) ** 2) / (2 * h**2)) for h in (0.05, 0.2, 0.5)]
            total += share[i] * share[j] * sum(kernel) / 3
    groups = torch.nn.functional.one_hot(group, 2).double()
    assert float(_mmd(z, groups, w)) == pytest.approx(math.sqrt(total), rel=1e-3)


def test_fairrets_loss_by_hand():
    """The groups' positive rates 0.5 and 0.75 over the overall one, 0.625: 2 times 0.2."""
    pytest.importorskip("fairret")
    loss = fairret_loss()
    z = torch.logit(torch.tensor([0.4, 0.6, 0.7, 0.8], dtype=torch.float64))
    groups = torch.eye(2, dtype=torch.float64).repeat_interleave(2, 0)
    assert float(loss(z, groups, torch.ones(4, dtype=torch.float64))) == pytest.approx(0.4)
