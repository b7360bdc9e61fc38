"""The score penalty against loops over rows, and what its gradient must do."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.outputs import Binary, Branch, Categorical, Continuous
from grad_ext.training.score_penalty import BINS, DECAY, LIMIT, ScorePenalty

WIDTH = 2 * LIMIT / BINS


def slow_gradient(steps, cells, weights, strata, groups, strength):
    """One member's gradient of the last of several minibatches of (logits, rows), by loops."""
    histogram = np.zeros((strata * groups, BINS))
    squares, mass = np.zeros(strata * groups), 0.0
    for logits, rows in steps:
        histogram *= DECAY
        squares *= DECAY**2
        mass = mass * DECAY + 1 - DECAY
        for logit, row in zip(logits, rows, strict=True):
            if cells[row] >= 0:
                place = min(int((min(max(logit, -LIMIT), LIMIT) + LIMIT) / WIDTH), BINS - 1)
                histogram[cells[row], place] += weights[row] * (1 - DECAY)
                squares[cells[row]] += (weights[row] * (1 - DECAY)) ** 2
    totals = histogram.sum(1)

    def below(cell, logit):
        place = (min(max(logit, -LIMIT), LIMIT) + LIMIT) / WIDTH
        whole = min(int(place), BINS - 1)
        inside = histogram[cell, whole] * (place - whole)
        return (histogram[cell, :whole].sum() + inside) / totals[cell]

    def signs(stratum, logit):
        """The soft sign at an edge of a bin, by group."""
        present = [g for g in range(groups) if totals[stratum * groups + g] > 0]
        heights = {g: below(stratum * groups + g, logit) for g in present}
        mean = sum(heights.values()) / len(present)
        soft = {}
        for g in present:
            rows = totals[stratum * groups + g] ** 2 / squares[stratum * groups + g]
            apart = heights[g] - mean
            soft[g] = apart / (abs(apart) + 0.5 / math.sqrt(max(rows, 1.0)))
        middle = sum(soft.values()) / len(present)
        return {g: value - middle for g, value in soft.items()}

    gradient = []
    for logit, row in zip(*steps[-1], strict=True):
        if cells[row] < 0:
            gradient.append(0.0)
            continue
        place = (min(max(logit, -LIMIT), LIMIT) + LIMIT) / WIDTH
        whole = min(int(place), BINS - 1)
        stratum, group = divmod(cells[row], groups)
        low, high = (signs(stratum, (whole + i) * WIDTH - LIMIT)[group] for i in (0, 1))
        sign = low + (high - low) * (place - whole)
        p = 1 / (1 + math.exp(-logit))
        expected = max(totals[cells[row]] / mass, 1.0)
        gradient.append(-strength * sign * weights[row] / expected * p * (1 - p))
    return gradient


def example(seed, members, strata, groups, rows=60, size=24, steps=4):
    rng = np.random.default_rng(seed)
    cells = rng.integers(-1, strata * groups, rows)
    weights = rng.uniform(0.2, 3.0, rows)
    logits = rng.normal(0.0, 3.0, (steps, members, size)) + 9.0 * (rng.random(size) < 0.05)
    index = rng.integers(0, rows, (steps, members, size))
    return cells, weights, logits, index


def run(penalty, logits, index, cells, weights):
    """The gradients of every step, (steps, P, R, B)."""
    return [
        penalty.gradient(
            torch.tensor(batch),
            torch.tensor(rows).flatten(),
            torch.tensor(cells)[None],
            torch.tensor(weights)[None],
        )
        for batch, rows in zip(logits, index, strict=True)
    ]


@pytest.mark.parametrize(("strata", "groups"), [(1, 2), (1, 5), (2, 3)])
def test_against_loops_over_rows(strata, groups):
    cells, weights, logits, index = example(groups, 3, strata, groups)
    strength = torch.tensor([[0.5], [2.0], [0.0]], dtype=torch.float64)
    penalty = ScorePenalty(Binary("target"), [(strata, groups)], strength)
    got = run(penalty, logits[:, :, None], index, cells, weights)[-1][:, 0]
    for member in range(3):
        steps = [(batch[member], rows[member]) for batch, rows in zip(logits, index, strict=True)]
        expected = slow_gradient(steps, cells, weights, strata, groups, float(strength[member, 0]))
        np.testing.assert_allclose(got[member], expected, rtol=1e-9, atol=1e-12)
    assert (got[2] == 0).all()


def test_a_member_does_not_depend_on_its_company():
    cells, weights, logits, index = example(0, 4, 1, 3)
    logits, weights = logits.astype(np.float32), weights.astype(np.float32)
    strength = torch.tensor([[0.5], [2.0], [8.0], [1.0]])
    pack = run(
        ScorePenalty(Binary("target"), [(1, 3)], strength),
        logits[:, :, None],
        index,
        cells,
        weights,
    )
    for member in range(4):
        one = slice(member, member + 1)
        alone = ScorePenalty(Binary("target"), [(1, 3)], strength[one])
        steps = run(alone, logits[:, one, None], index[:, one], cells, weights)
        for together, apart in zip(pack, steps, strict=True):
            assert torch.equal(together[one], apart)


@given(st.integers(0, 100), st.sampled_from([2, 3]))
def test_equal_distributions_are_left_alone(seed, groups):
    """Every group has the same scores, so nothing is pulled."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.0, 2.0, 20)
    logits = torch.tensor(np.tile(scores, groups)).view(1, 1, -1)
    cells = torch.arange(groups).repeat_interleave(20)[None]
    penalty = ScorePenalty(Binary("target"), [(1, groups)], torch.ones(1, 1, dtype=torch.float64))
    weights = torch.full((1, 20 * groups), 0.5, dtype=torch.float64)
    gradient = penalty.gradient(logits, torch.arange(20 * groups), cells, weights)
    assert gradient.abs().max() < 1e-12


def test_the_higher_group_is_pulled_down_and_the_lower_up():
    logits = torch.linspace(-2, 2, 40, dtype=torch.float64).view(1, 1, -1)
    cells = (torch.arange(40) >= 20).long()[None]
    penalty = ScorePenalty(Binary("target"), [(1, 2)], torch.ones(1, 1, dtype=torch.float64))
    weights = torch.ones(1, 40, dtype=torch.float64)
    gradient = penalty.gradient(logits, torch.arange(40), cells, weights)[0, 0]
    # A step goes against the gradient.
    assert (gradient[:20] <= 0).all()
    assert (gradient[20:] >= 0).all()
    assert gradient[:20].min() < 0 < gradient[20:].max()


def descend(target: Branch, logits, cells, groups, steps=400, rate=2.0):
    """Move free logits against the gradient."""
    penalty = ScorePenalty(target, [(1, groups)], torch.ones(1, 1, dtype=torch.float64))
    rows = torch.arange(logits.shape[2])
    weights = torch.ones(1, len(rows), dtype=torch.float64)
    for _ in range(steps):
        logits = logits - rate * penalty.gradient(logits, rows, cells, weights)
    return target.link(logits)


@pytest.mark.parametrize(
    "target", [Binary("target"), Categorical("target", 3), Continuous("target")]
)
def test_descending_brings_the_distributions_together(target):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, target.outputs, 200, generator=generator, dtype=torch.float64)
    cells = (torch.arange(200) % 2)[None]
    logits[:, -1] += 1.5 * cells
    before, after = target.link(logits), descend(target, logits, cells, 2)

    def distance(scores):
        two = (scores[0, -1, cells[0] == g].sort().values for g in (0, 1))
        first, second = two
        return float((first - second).abs().mean())

    assert distance(after) < 0.25 * distance(before)


def test_rows_that_are_not_compared_have_no_part():
    cells, weights, logits, index = example(3, 1, 1, 2, steps=1)
    penalty = ScorePenalty(Binary("target"), [(1, 2)], torch.ones(1, 1, dtype=torch.float64))
    got = run(penalty, logits[:, :, None], index, cells, weights)[0][0, 0]
    assert (got[torch.tensor(cells[index[0, 0]] < 0)] == 0).all()
    other = logits.copy()
    other[0, 0, cells[index[0, 0]] < 0] += 1.0
    again = ScorePenalty(Binary("target"), [(1, 2)], torch.ones(1, 1, dtype=torch.float64))
    moved = run(again, other[:, :, None], index, cells, weights)[0][0, 0]
    np.testing.assert_allclose(moved, got, rtol=1e-12)
