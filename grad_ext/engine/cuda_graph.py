"""Training steps that a GPU records once and then repeats (CUDA graphs).

A step is about a hundred small operations. Unless a pack is very wide, launching them from Python takes
longer than computing them; a recorded step is one launch. Everything that differs from step to step has
to be in the same tensors every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

# Steps of each size before one is recorded: objects that are created once must exist before the
# recording, and libraries choose their kernels in the first steps.
FIRST = 3


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    rows: Tensor


class Replay:
    """Call a step, directly at first, then by repeating a recorded one.

    Parameters
    ----------
    step : callable
        Gets the rows of a minibatch for every member, int64 of shape (P, B); everything else that it
        reads and writes must be in tensors that stay the same.
    """

    def __init__(self, step: Callable[[Tensor], None]) -> None:
        self._step = step
        self._taken: dict[int, int] = {}
        self._recorded: dict[int, _Recorded] = {}
        # Steps leave no temporary data behind, so all sizes can share the same memory.
        self._pool: Any = torch.cuda.graph_pool_handle()
        self._stream = _stream(torch.cuda.current_device())

    def __call__(self, rows: Tensor) -> None:
        """Take a step."""
        size = rows.shape[1]
        taken = self._taken.get(size, 0)
        self._taken[size] = taken + 1
        if taken < FIRST:
            # On the stream of the recording, which autograd's nodes belong to from then on.
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                self._step(rows)
            torch.cuda.current_stream().wait_stream(self._stream)
            return
        if size not in self._recorded:
            self._recorded[size] = self._record(rows)
        recorded = self._recorded[size]
        recorded.rows.copy_(rows)
        recorded.graph.replay()

    def _record(self, rows: Tensor) -> _Recorded:
        graph, fixed = torch.cuda.CUDAGraph(), rows.clone()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            self._step(fixed)
        return _Recorded(graph, fixed)


@cache
def _stream(device: int) -> torch.cuda.Stream:
    """Return a device's stream for recordings, shared since libraries allocate megabytes for each."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
