"""Gradient reversal by hand."""

import torch

from grad_ext.engine.reversal import reverse


def test_values_pass_and_gradients_are_reversed():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = reverse(x, 0.5)
    assert y.tolist() == [1.0, -2.0]
    (3.0 * y).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-1.5, -1.5]


def test_second_derivatives_are_those_of_a_negative_factor():
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(reverse(x) ** 3, x, create_graph=True)
    assert first.item() == -12.0
    (second,) = torch.autograd.grad(first, x)
    # d/dx of -3 y² at y = x, whose own derivative in the graph is -1.
    assert second.item() == 12.0
