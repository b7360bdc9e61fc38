"""Adam over the one buffer of a pack's parameters."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.adam import adam

from grad_ext.engine.network import Network
from grad_ext.training.settings import Settings


class Adam:
    """torch's fused Adam over the one buffer of a network's parameters.

    Through its functional form: constructing torch.optim.Adam loads torch's compiler, which takes
    longer than a small study's fit. It holds the network and not the buffer, which a copied network
    has anew.

    Parameters
    ----------
    network : Network
        Whose parameters.
    settings : Settings
        Learning rates and beta1.
    """

    def __init__(self, network: Network, settings: Settings) -> None:
        self._network, self._settings = network, settings
        self._mean = torch.zeros_like(network.flat)
        self._square = torch.zeros_like(network.flat)
        self._count = torch.tensor(0.0, device=network.device)
        ratio = settings.attribute_learning_rate / settings.learning_rate
        self._ratios = network.by_branch(1.0, ratio) if ratio != 1.0 else None

    def step(self, rate: float | Tensor) -> None:
        """Move the parameters by their gradients, at a rate that a GPU has as a number of its own."""
        flat = self._network.flat
        assert flat.grad is not None
        moved = flat if self._ratios is None else torch.zeros_like(flat)
        adam(
            [moved],
            [flat.grad],
            [self._mean],
            [self._square],
            [],
            [self._count],
            fused=True,
            amsgrad=False,
            beta1=self._settings.beta1,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
        if self._ratios is not None:
            # Two roundings: a fused multiplication and addition has one in the vectorised loop
            # and may have two in its tail.
            flat += moved.mul_(self._ratios)
