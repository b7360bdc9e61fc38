"""Memory that training reuses from step to step.

On a CPU, torch's allocator returns large tensors to the system, and their pages have to be cleared and
mapped again in every step, which takes longer than filling them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

# Enough for two sizes of minibatch in all layers of a deep network. Calls with ever different numbers
# of rows must not fill the memory.
MOST = 256


class Workspace:
    """Tensors by purpose and size.

    A tensor is overwritten by the next caller that takes the same one, so it is valid within a step.
    """

    def __init__(self) -> None:
        self._tensors: dict[tuple[object, ...], Tensor] = {}

    def take(self, purpose: str, size: Sequence[int], like: Tensor) -> Tensor:
        """Return an uninitialised tensor.

        Parameters
        ----------
        purpose : str
            Within a step, every use needs a name of its own.
        size : sequence of int
            Its shape.
        like : Tensor
            A tensor of the same dtype and device.
        """
        key = (purpose, *size)
        tensor = self._tensors.get(key)
        if tensor is None or tensor.device != like.device or tensor.dtype != like.dtype:
            if len(self._tensors) >= MOST:
                self._tensors.clear()
            tensor = self._tensors[key] = like.new_empty(size)
        return tensor
