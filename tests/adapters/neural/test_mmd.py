"""The MMD by hand, and against the kernel itself."""

import math

import pytest
import torch
from neural_toys import normal

from grad_ext.adapters.neural.mmd import ROOT, comparisons, discrepancy


def random_features(members, dimensions, count=500, seed=0):
    rng = torch.Generator().manual_seed(seed)
    frequencies = torch.randn(members, count, dimensions, generator=rng, dtype=torch.float64)
    phases = torch.rand(members, count, 1, generator=rng, dtype=torch.float64) * 2 * math.pi
    return frequencies, phases


def halves(rows):
    first = (torch.arange(rows) < rows // 2).double()
    return comparisons(
        torch.stack([first, 1 - first])[None], torch.ones(1, rows, dtype=torch.float64)
    )


def exact_mmd(points, others):
    """The squared MMD by the kernel itself, pair by pair."""

    def mean(a, b):
        pairs = [math.exp(-((u - v) ** 2).sum() / (2 * len(u))) for u in a for v in b]
        return sum(pairs) / len(pairs)

    return mean(points, points) - 2 * mean(points, others) + mean(others, others)


def test_comparisons_by_hand():
    groups = torch.tensor([[[1.0, 1, 0, 0], [0, 0, 1, 0]]])  # the last row's group is missing
    w = torch.tensor([[1.0, 3, 2, 5]])
    assert comparisons(groups, w).tolist() == [[[0.25, 0.75, -1, 0]]]
    # Of three groups each against all rows that have one; the third group has none.
    three = torch.cat([groups, torch.zeros(1, 1, 4)], dim=1)
    expected = [[0.25 - 1 / 6, 0.75 - 0.5, -1 / 3, 0], [-1 / 6, -0.5, 1 - 1 / 3, 0], [0] * 4]
    torch.testing.assert_close(comparisons(three, w), torch.tensor([expected]))


def test_mmd_is_that_of_the_kernel():
    z = normal(1, 5, 40)
    z[:, :, 20:] += 0.7
    found = discrepancy(z, halves(40), *random_features(1, 5, count=100_000))
    points = z[0].T.numpy()
    expected = math.sqrt(exact_mmd(points[:20], points[20:]))
    assert found.item() == pytest.approx(expected, abs=3 / math.sqrt(100_000))


def test_mmd_of_equal_groups():
    z = normal(1, 50, 4000)
    frequencies, phases = random_features(1, 50)
    twice = torch.cat([z, z], dim=2)
    assert abs(discrepancy(twice, halves(8000), frequencies, phases).item()) < 1e-9
    # Two samples of one law: (1/n0 + 1/n1) (1 - E k), with E k = (1 + 2/L)^(-L/2).
    squared = (discrepancy(z, halves(4000), frequencies, phases).item() + ROOT**0.5) ** 2 - ROOT
    expected = (2 / 2000) * (1 - (1 + 2 / 50) ** -25)
    assert squared == pytest.approx(expected, rel=0.2)
    shifted = z + 0.5 * (torch.arange(4000) < 2000)
    assert discrepancy(shifted, halves(4000), frequencies, phases).item() ** 2 > 50 * squared


def test_mmd_does_not_depend_on_the_order_of_the_rows():
    z, coefficients = normal(2, 4, 30), halves(30).expand(2, -1, -1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    features = random_features(2, 4)
    torch.testing.assert_close(
        discrepancy(z, coefficients, *features),
        discrepancy(z[:, :, order], coefficients[:, :, order], *features),
    )


def test_mmd_of_a_single_group_is_0_and_has_no_slope():
    z = normal(1, 4, 8).requires_grad_()
    groups = torch.stack([torch.ones(8), torch.zeros(8)]).double()[None]
    alone = comparisons(groups, torch.ones(1, 8, dtype=torch.float64))
    found = discrepancy(z, alone, *random_features(1, 4))
    found.sum().backward()
    assert found.item() == 0
    assert not z.grad.any()
    # Equal groups: the root's slope at 0 is finite.
    z = normal(1, 4, 8)[:, :, :4].repeat(1, 1, 2).requires_grad_()
    discrepancy(z, halves(8), *random_features(1, 4)).sum().backward()
    assert z.grad.isfinite().all()
