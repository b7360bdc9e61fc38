"""Steps of training that a GPU records once and then repeats.

A step is about a hundred small operations. Launching them from Python takes longer than a GPU takes
to do them, unless a pack is very wide; a recorded step (a CUDA graph) is one launch. What differs
from step to step has to lie in the same tensors every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

# Steps of each size that are taken as usual first: what is made once in the first step must not be
# made in the recorded one, and libraries choose their kernels.
FIRST = 3


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    rows: Tensor


class Replay:
    """Takes steps, as usual at first, then by repeating what was recorded of one.

    Parameters
    ----------
    step : callable
        Gets the rows of a minibatch for every member, int64 of shape (P, B), and takes a step; all
        else that it reads and writes lies in tensors that stay.
    """

    def __init__(self, step: Callable[[Tensor], None]) -> None:
        self._step = step
        self._taken: dict[int, int] = {}
        self._recorded: dict[int, _Recorded] = {}
        # Nothing is left between two steps, so those of all sizes can use the same memory.
        self._pool: Any = torch.cuda.graph_pool_handle()
        self._stream = _stream(torch.cuda.current_device())

    def __call__(self, rows: Tensor) -> None:
        """Take a step."""
        size = rows.shape[1]
        taken = self._taken.get(size, 0)
        self._taken[size] = taken + 1
        if taken < FIRST:
            # On the stream that records, to which autograd's nodes belong from then on.
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
    """Return a device's stream for records: libraries keep tens of megabytes for every stream."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
