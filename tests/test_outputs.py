"""Derivatives written by hand against autograd on torch's own losses."""

import pytest
import torch
import torch.nn.functional as F

from grad_ext.engine.losses import loss_and_gradient, sigmoid, softmax


@pytest.mark.parametrize("kind", ["binary", "categorical", "continuous", "features"])
def test_against_autograd(kind):
    generator = torch.Generator().manual_seed(0)
    P, R, B = 3, {"binary": 1, "continuous": 1}.get(kind, 4), 5
    output = torch.randn(P, R, B, generator=generator, dtype=torch.float64, requires_grad=True)
    if kind == "categorical":
        goal = torch.randint(0, R, (P, 1, B), generator=generator)
        expected = F.cross_entropy(output, goal[:, 0], reduction="none")
    elif kind == "binary":
        goal = torch.randint(0, 2, (P, 1, B), generator=generator).double()
        expected = F.binary_cross_entropy_with_logits(output, goal, reduction="none")[:, 0]
    else:
        goal = torch.randn(P, R, B, generator=generator, dtype=torch.float64)
        expected = ((output - goal) ** 2).sum(1)
    with torch.no_grad():
        loss, gradient = loss_and_gradient(kind, output, goal)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), output)[0])


def test_extreme_logits_stay_finite():
    far = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4])
    assert torch.equal(sigmoid(far)[[0, 2, 4]], torch.tensor([0.0, 0.5, 1.0]))
    logits = torch.stack([far, -far])[None]
    assert torch.isfinite(softmax(logits)).all()
    goal = torch.zeros(1, 1, 5, dtype=torch.int64)
    loss, gradient = loss_and_gradient("categorical", logits, goal)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(gradient).all()
