"""Dropout of a pack.

Each member's masks are drawn by a generator of its own, so that they do not depend on the rest of the
pack. On a CPU they are numpy's, which are the fastest; on another device they are a hash of a key and
each unit's number, since a thousand generators would be slower than training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from grad_ext.engine.dense import fuses
from grad_ext.engine.hashing import keyed
from grad_ext.engine.network import Network
from grad_ext.seeds import numpy_generator

if TYPE_CHECKING:
    from grad_ext.engine.kernels import Drawn

# The resolution of shares.
LEVELS = 2**16
# Keys that are drawn and sent to a device at once, one for each step and member.
KEYS = 1024


class Dropout:
    """Dropout factors of the outputs of a pack's layers: 0, or what keeps the mean.

    Attribute branches have no dropout.

    Parameters
    ----------
    network : Network
        The network, whose own layers have dropout; a user's module brings its own.
    seeds : sequence of P ints
        One seed for each member.
    share : float
        Share of the units that are dropped, to one in 2**16.
    """

    def __init__(self, network: Network, seeds: Sequence[int], share: float) -> None:
        shape = network.shape
        branches = len(shape.stacked)
        self._layers = [(1, n) for n in shape.layers] + [(branches, n) for n in shape.branch]
        self._generators = [numpy_generator(seed, "dropout").bit_generator for seed in seeds]
        self._least = min(round(share * LEVELS), LEVELS - 1)
        self._like = network.flat
        self._scale = LEVELS / (LEVELS - self._least)
        self._masks: dict[int, list[Tensor]] = {}
        # The step's keys, always the same tensor for a recorded step, and those of the next steps.
        self._key = torch.zeros(len(seeds), 2, dtype=torch.int32, device=network.device)
        self._keys: list[Tensor] = []

    def advance(self) -> None:
        """Begin a step, with new masks."""
        # On a CPU the generators advance by drawing.
        if self._like.device.type != "cpu":
            self._next_key()

    def _next_key(self) -> None:
        if not self._keys:
            drawn = np.stack([generator.random_raw(KEYS) for generator in self._generators])
            keys = torch.from_numpy(drawn.view(np.int32).reshape(len(drawn), KEYS, 2))
            self._keys = list(keys.to(self._like.device).unbind(1))
        self._key.copy_(self._keys.pop(0))

    def masks(self, rows: int) -> Sequence[Tensor | Drawn]:
        """Return the step's masks, for each layer a tensor of shape (P, H, rows) or how to draw it.

        The tensors are reused: allocating them in every step would cost more than drawing them.
        """
        if fuses(self._like, rows):
            return self._drawn(rows)
        if rows not in self._masks:
            members = len(self._generators)
            sizes = [(members, branches * units, rows) for branches, units in self._layers]
            self._masks[rows] = [self._like.new_ones(size) for size in sizes]
        draw = self._draw if self._like.device.type == "cpu" else self._hash
        draw(rows)
        return self._masks[rows]

    def _drawn(self, rows: int) -> list[Drawn]:
        """Return how the kernels draw the masks, which equal those of `_hash`."""
        from grad_ext.engine.kernels import Drawn

        drawn, start = [], 0
        for _, units in self._layers:
            drawn.append(Drawn(self._key, start, units, self._least, self._scale))
            start += units * rows
        return drawn

    def _draw(self, rows: int) -> None:
        values = rows * sum(units for _, units in self._layers)
        dtype = self._like.numpy().dtype.type
        for member, generator in enumerate(self._generators):
            # 16 bits for each unit and row, four at a time: the fastest draw that is precise enough.
            drawn = generator.random_raw(-(-values // 4)).view(np.uint16)
            start = 0
            for mask, (_, units) in zip(self._masks[rows], self._layers, strict=True):
                stop = start + units * rows
                keeps = drawn[start:stop].reshape(units, rows) >= self._least
                np.multiply(keeps, dtype(self._scale), out=mask.numpy()[member, :units])
                start = stop

    def _hash(self, rows: int) -> None:
        start, key = 0, self._key
        for mask, (_, units) in zip(self._masks[rows], self._layers, strict=True):
            stop = start + units * rows
            number = torch.arange(start, stop, dtype=torch.int32, device=key.device)
            keeps = (keyed(number, key) & (LEVELS - 1)) >= self._least
            mask[:, :units] = keeps.view(len(key), units, rows) * self._scale
            start = stop
