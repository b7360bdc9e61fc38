"""Adam over the one buffer of a pack's parameters."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.optim.adam import adam


class Flat(Protocol):
    """A model whose parameters are views of one buffer."""

    @property
    def flat(self) -> Tensor:
        """The buffer, with the gradients as its ``grad``."""


class Adam:
    """torch's fused Adam over the one buffer of a model's parameters.

    Calls the functional form: constructing torch.optim.Adam loads torch's compiler, which takes
    longer than the fits of a small study. Holds the model and not its buffer, since a copied model
    has a buffer of its own.

    Parameters
    ----------
    model : Flat
        The model whose parameters are updated.
    beta1 : float, default 0.9
        Decay of the mean gradient.
    ratios : Tensor, optional
        Of the shape of the buffer: factors of the learning rate of each element.
    """

    def __init__(self, model: Flat, beta1: float = 0.9, ratios: Tensor | None = None) -> None:
        self._model, self._beta1, self._ratios = model, beta1, ratios
        self._mean = torch.zeros_like(model.flat)
        self._square = torch.zeros_like(model.flat)
        self._count = torch.tensor(0.0, device=model.flat.device)

    def step(self, rate: float | Tensor) -> None:
        """Update the parameters by their gradients.

        Parameters
        ----------
        rate : float or Tensor of shape ()
            Learning rate; a tensor on a GPU, whose recorded steps read it from memory.
        """
        flat = self._model.flat
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
            beta1=self._beta1,
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
