"""Minibatches: the order in which each member of a pack sees its rows, and how an epoch is cut."""

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

# Rows of a minibatch come in multiples of this, so that each member's slice of an activation
# begins on a full vector: products over fewer or crooked rows fall back to other kernels.
ROW_STEP = 16
# On small data minibatches are smaller than asked for, at least this many an epoch.
LEAST_BATCHES = 8


class BatchSampler:
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch's operators on one thread inside the block.

    The network's operators are too small to share out, and a loop that is cut in two rounds
    elsewhere: studies use further cores by training packs side by side.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def minibatches(rows: int, batch_size: int) -> list[slice]:
    """Deal an epoch's rows into minibatches of nearly equal size.

    Every minibatch is a multiple of `ROW_STEP` rows, as `Network.logits` wants it; the at most
    ROW_STEP - 1 rows that are left over sit out one epoch, others the next. Fewer rows than that
    make a single minibatch. On small data minibatches are smaller than asked for, at least
    `LEAST_BATCHES` an epoch, since 50 epochs of one step each teach nothing.
    """
    if rows < ROW_STEP:
        return [slice(0, rows)]
    units = rows // ROW_STEP
    size = min(batch_size, max(ROW_STEP, rows // LEAST_BATCHES))
    count = min(units, max(1, round(units * ROW_STEP / size)))
    edges = [units * i // count * ROW_STEP for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def shared_tensor(values: NDArray[np.float32], dtype: torch.dtype) -> Tensor:
    """Return an array as a tensor on the same memory where it can be: a copy may cost gigabytes.

    Ray hands out arrays that cannot be written to, which torch would warn of.
    """
    return torch.as_tensor(values if values.flags.writeable else values.copy(), dtype=dtype)
