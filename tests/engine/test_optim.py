"""Adam over one buffer, against torch's own."""

import torch

from grad_ext.engine.network import Network
from grad_ext.engine.optim import Adam
from grad_ext.engine.shape import Shape


def test_as_torchs_adam():
    network = Network(Shape(4, (3,), ()), [0, 1], torch.float64)
    plain = network.flat.clone()
    optimiser = torch.optim.Adam([plain], lr=0.01, betas=(0.5, 0.999))
    adam = Adam(network, beta1=0.5)
    for step in range(5):
        gradient = torch.linspace(-1.0, step, len(plain), dtype=torch.float64)
        plain.grad = gradient.clone()
        network.flat.grad.copy_(gradient)
        optimiser.step()
        adam.step(0.01)
        torch.testing.assert_close(network.flat, plain, rtol=1e-12, atol=0)


def test_ratios_multiply_the_learning_rate():
    network = Network(Shape(4, (3,), ()), [0, 1], torch.float64)
    ratios = torch.linspace(0.0, 2.0, len(network.flat), dtype=torch.float64)
    before = network.flat.clone()
    network.flat.grad.fill_(1.0)
    # With beta1 = 0 the first step is the learning rate, whatever the gradient's size.
    Adam(network, beta1=0.0, ratios=ratios).step(0.01)
    torch.testing.assert_close(before - network.flat, 0.01 * ratios, rtol=1e-6, atol=1e-15)
