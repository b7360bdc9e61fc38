"""The order in which each member of a pack sees its rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from grad_ext.engine.hashing import keyed
from grad_ext.seeds import torch_generator


class Orders:
    """The orders in which members see their rows, an epoch after another.

    On a CPU each member's generator draws its own; on another device, where a thousand of them would
    take longer than training, rows are sorted by a hash of their numbers, see `grad_ext.engine.hashing`.

    Parameters
    ----------
    seeds : sequence of P ints
        A seed a member.
    device : torch.device
        Where they are needed.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._device = device
        self._generators = [torch_generator(seed, "rows") for seed in seeds]

    def next(self, rows: int) -> Tensor:
        """Return the orders of an epoch, int64 of shape (P, N)."""
        if self._device.type == "cpu":
            orders = torch.empty(len(self._generators), rows, dtype=torch.int64)
            for order, generator in zip(orders, self._generators, strict=True):
                torch.randperm(rows, generator=generator, out=order)
            return orders
        keys = [
            torch.randint(-(2**31), 2**31, (2,), generator=each, dtype=torch.int32)
            for each in self._generators
        ]
        return by_hash(rows, torch.stack(keys).to(self._device))


def by_hash(rows: int, keys: Tensor) -> Tensor:
    """Return orders of rows, int64 of shape (P, N), by the hash of each row under keys (P, 2)."""
    numbers = torch.arange(rows, dtype=torch.int32, device=keys.device)
    # Of equal hashes, of which there are few, the first row stays first.
    return torch.sort(keyed(numbers, keys), dim=1, stable=True).indices
