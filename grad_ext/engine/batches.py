"""Minibatches: the order of each member's rows, and how an epoch's rows are divided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grad_ext.engine.hashing import keyed
from grad_ext.seeds import torch_generator

# Minibatches have multiples of this many rows, so that each member's slice of an activation begins
# on a full vector: matrix products over other numbers of rows use other kernels.
ROW_STEP = 16
# Minibatches of an epoch, at least: on small data they are smaller than `batch_size`.
LEAST_BATCHES = 8


class BatchSampler:
    """The order of each member's rows, epoch after epoch.

    On a CPU each member's generator draws it; on another device, where a thousand generators would
    take longer than training, rows are sorted by a hash of their numbers: see `grad_ext.engine.hashing`.

    Parameters
    ----------
    seeds : sequence of P ints
        One seed for each member.
    device : torch.device
        Where the orders are needed.
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch's operators on one thread inside the block.

    The network's operators are too small to be divided among threads, and a divided loop rounds
    differently: studies use several cores by training packs side by side.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def minibatches(
    rows: int, batch_size: int, multiple: int = ROW_STEP, least: int = LEAST_BATCHES
) -> list[slice]:
    """Divide an epoch's rows into minibatches of nearly equal size.

    Parameters
    ----------
    rows : int
        N, rows of an epoch.
    batch_size : int
        Rows of a minibatch, about. On small data it is at most ``rows // least``.
    multiple : int, default ROW_STEP
        The number of rows of every minibatch is a multiple of this. At most ``multiple - 1`` rows are
        left out of an epoch, others of the next; fewer rows than `multiple` are one minibatch.
    least : int, default LEAST_BATCHES
        Minibatches of an epoch, at least, if there are enough rows: a few epochs of one step each
        do not train a network.
    """
    if rows < multiple:
        return [slice(0, rows)]
    units = rows // multiple
    size = min(batch_size, max(multiple, rows // least))
    count = min(units, max(1, round(units * multiple / size)))
    edges = [units * i // count * multiple for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def shared_tensor(values: NDArray[np.floating], dtype: torch.dtype) -> Tensor:
    """Return an array as a tensor that shares its memory, or has a copy if it cannot be written to.

    Processes of a study get arrays that cannot be written to, which torch would warn of.
    """
    return torch.as_tensor(values if values.flags.writeable else values.copy(), dtype=dtype)
