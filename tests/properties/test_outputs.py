"""What holds for every kind of output: each class goes through each test."""

import pytest
import torch

from grad_ext.engine.score_view import LARGEST_LOGIT, ScoreView, view_width
from grad_ext.outputs import OUTPUTS

P, ROWS, STEP = 3, 7, 1e-6


def draw(*size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*size, generator=generator, dtype=torch.float64)


@pytest.fixture(params=sorted(OUTPUTS))
def branch(request):
    output = OUTPUTS[request.param]
    return output("a", 1 if output.single else 4)


@pytest.fixture
def truth(branch):
    if branch.reconstructs:
        return draw(P, branch.outputs, ROWS, seed=2)
    if not branch.classes:
        return draw(P, 1, ROWS, seed=2)
    labels = torch.randint(0, branch.classes, (P, 1, ROWS), generator=torch.Generator())
    return labels.double() if branch.outputs == 1 else labels


@pytest.fixture
def logits(branch):
    return draw(P, branch.outputs, ROWS)


def slope(function, x, direction):
    """Return the derivative of a function along a direction, by central differences."""
    return (function(x + STEP * direction) - function(x - STEP * direction)) / (2 * STEP)


def test_the_gradient_is_that_of_the_loss(branch, logits, truth):
    direction = draw(*logits.shape, seed=1)
    expected = slope(lambda x: branch.loss_and_gradient(x, truth)[0], logits, direction)
    gradient = branch.loss_and_gradient(logits, truth)[1]
    torch.testing.assert_close((gradient * direction).sum(1), expected, rtol=1e-6, atol=1e-7)


def test_the_link_gradient_is_that_of_the_link(branch, logits):
    direction, above = draw(*logits.shape, seed=1), draw(*logits.shape, seed=3)
    expected = slope(branch.link, logits, direction) * above
    got = branch.link_gradient(branch.link(logits), above) * direction
    torch.testing.assert_close(got.sum(1), expected.sum(1), rtol=1e-6, atol=1e-7)


def test_the_gradient_of_the_view_is_that_of_the_view(branch, logits):
    # Some are beyond where they are clamped, and none is near it.
    logits = logits * torch.tensor([1.0, 10.0, 1000.0])[:, None, None]
    assert not ((logits.abs() - LARGEST_LOGIT).abs() < 1e-3).any()
    direction = draw(*logits.shape, seed=1)
    view = ScoreView(branch, logits)
    assert view.values().shape == (P, view_width(branch), ROWS)
    above = draw(P, view_width(branch), ROWS, seed=3)
    expected = slope(lambda x: ScoreView(branch, x).values(), logits, direction) * above
    got = view.gradient(above) * direction
    torch.testing.assert_close(got.sum(1), expected.sum(1), rtol=1e-5, atol=1e-6)


def test_a_confident_right_answer_costs_less_than_a_wrong_one(branch, truth):
    if branch.classes > branch.outputs:
        right = 9.0 * (2.0 * truth - 1.0)
    elif branch.classes:
        right = torch.zeros(P, branch.outputs, ROWS).double().scatter_(1, truth, 9.0)
    else:
        right = truth.clone()
    near, gradient = branch.loss_and_gradient(right, truth)
    far, _ = branch.loss_and_gradient(-right, truth)
    assert (near < far).all()
    assert (near < 1e-2).all()
    assert gradient.abs().max() < 1e-2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_packed_equals_alone_bit_for_bit(branch, dtype):
    """Rows in a tensor of 16, as in training, so that a member's begin on a full vector."""
    logits, rows = draw(P, branch.outputs, 16).to(dtype), 16
    if branch.classes > branch.outputs:
        truth = torch.ones(P, 1, rows, dtype=dtype)
    elif branch.classes:
        truth = torch.ones(P, 1, rows, dtype=torch.int64)
    else:
        truth = draw(P, branch.outputs, rows, seed=2).to(dtype)
    packed = [*branch.loss_and_gradient(logits, truth), branch.link(logits)]
    for p in range(P):
        own = logits[p : p + 1].clone()
        alone = [*branch.loss_and_gradient(own, truth[p : p + 1].clone()), branch.link(own)]
        for whole, one in zip(packed, alone, strict=True):
            assert whole[p : p + 1].equal(one)


def test_nothing_that_is_given_is_changed(branch, logits, truth):
    before = logits.clone(), truth.clone()
    branch.loss_and_gradient(logits, truth)
    branch.link_gradient(branch.link(logits), torch.ones_like(logits))
    assert logits.equal(before[0])
    assert truth.equal(before[1])
