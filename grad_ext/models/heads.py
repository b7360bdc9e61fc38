"""Attribute branches on any representation: their layers, sizes and losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grad_ext.errors import InputError
from grad_ext.models.hook import described
from grad_ext.seeds import torch_generator

CONTINUOUS = "continuous"
MISSING = -1


class SeededLinear(nn.LazyLinear):
    """A fully connected layer that gets its number of inputs in the first pass.

    Weights are drawn from N(0, 1/fan_in), as in the network of the paper, on the CPU and in single
    precision, so that they are the same on every device.
    """

    cls_to_become = nn.Linear

    def __init__(self, units: int, bias: bool, seed: int, name: str) -> None:
        super().__init__(units, bias)
        self._draw = (seed, name)

    def reset_parameters(self) -> None:
        """Do nothing: torch would use its global generator."""

    @torch.no_grad()
    def initialize_parameters(self, input: Tensor) -> None:
        """Draw the weights once the number of inputs is known."""
        self.in_features = input.shape[-1]
        if not self.has_uninitialized_params():
            return
        shape = (self.out_features, self.in_features)
        seed, name = self._draw
        draw = torch.randn(shape, generator=torch_generator(seed, "attach", name))
        self.weight.materialize(shape)
        self.weight.copy_(draw * self.in_features**-0.5)
        if self.bias is not None:
            self.bias.materialize((self.out_features,))
            self.bias.zero_()


def branch_layers(hidden: Sequence[int], outputs: int, seed: int, name: str) -> nn.Sequential:
    """Return one attribute's branch, which maps (N, H) to (N, outputs).

    As in the paper's network there is no bias before a batch normalisation, which would cancel it.
    """
    layers: list[nn.Module] = []
    for i, units in enumerate(hidden):
        layers += [
            SeededLinear(units, False, seed, f"{name}.{i}"),
            nn.BatchNorm1d(units),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, SeededLinear(outputs, True, seed, f"{name}.head"))


def outputs_of(groups: int | str) -> int:
    """Return the number of outputs for a number of groups, or for a continuous attribute."""
    return groups if isinstance(groups, int) and groups > 2 else 1


def own_head(output: Tensor, heads: Tensor | None, outputs: int) -> Tensor:
    """Return the output of each row's own head, shape (N, outputs), from the heads' (N, ...)."""
    if heads is None:
        return output
    by_head = output.reshape(len(output), -1, outputs)
    return by_head[torch.arange(len(heads), device=heads.device), heads]


def mean_loss(output: Tensor, truth: Tensor, known: Tensor, groups: int | str) -> Tensor:
    """Return a branch's mean loss over the rows with a known value; 0 if there is none.

    Parameters
    ----------
    output : Tensor of shape (N, 1) or (N, groups)
    truth : Tensor of shape (N,)
    known : bool Tensor of shape (N,)
    groups : int or 'continuous'
    """
    output = output.to(torch.promote_types(output.dtype, torch.float32))
    if groups == CONTINUOUS:
        losses = (output[:, 0] - truth).square()
    elif groups == 2:
        losses = F.binary_cross_entropy_with_logits(
            output[:, 0], truth.to(output.dtype), reduction="none"
        )
    else:
        losses = F.cross_entropy(output, truth.long(), reduction="none")
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp(min=1)


def known_values(name: str, given: Any, groups: int | str, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return an attribute's values, 0 where unknown, and whether each is known.

    Parameters
    ----------
    name : str
        The attribute, for error messages.
    given : array-like of shape (N,)
        Codes of groups, -1 where unknown, or numbers, nan where unknown.
    groups : int or 'continuous'
    h : Tensor of shape (N, H)
        The representation of the rows.

    Returns
    -------
    values, known : Tensor of shape (N,), bool Tensor of shape (N,)

    Raises
    ------
    InputError
        If there is not one usable value for each row.
    """
    try:
        values = torch.as_tensor(given, device=h.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: expected a tensor, got {described(given)}: {error}") from None
    if values.shape != h.shape[:1]:
        raise InputError(
            f"{name}: expected shape {tuple(h.shape[:1])}, a value for each row of the latest "
            f"pass, got {tuple(values.shape)}"
        )
    if values.is_complex():
        raise InputError(f"{name}: expected real numbers, got {values.dtype}")
    known = ~values.isnan()
    if groups == CONTINUOUS:
        wrong = values.isinf()
        expected = "finite numbers, or nan where unknown"
    else:
        if not values.is_floating_point():
            values = values.long()
            known = values != MISSING
        wrong = known & ((values < 0) | (values >= int(groups)) | (values != values.round()))
        expected = f"codes from 0 to {int(groups) - 1}, or -1 (nan among floats) where unknown"
    if wrong.any():
        others = sorted(set(values[wrong].tolist()))[:5]
        raise InputError(f"{name}: expected {expected}, got {', '.join(map(str, others))}")
    return torch.where(known, values, 0).to(h.dtype), known
