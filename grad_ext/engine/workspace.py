"""Memory that the steps of training use again and again.

torch's allocator on a CPU gives large tensors back to the system, whose pages then have to be cleared
and mapped anew in every step: that takes longer than to fill them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

# Kept tensors: those of two sizes of minibatch for all layers of a deep network. Rows that come in
# ever other numbers, call by call, must not fill the memory.
MOST = 256


class Workspace:
    """Tensors by what they are for and their size.

    What was taken is overwritten by whoever takes it next, so it serves within a step.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Tensor] = {}

    def take(self, what: str, size: Sequence[int], like: Tensor) -> Tensor:
        """Return a tensor of a size, whose content is anything.

        Parameters
        ----------
        what : str
            What it is for: within a step, everything needs a name of its own.
        size : sequence of int
            Its shape.
        like : Tensor
            Whose type and device it has.
        """
        key = (what, *size)
        found = self._kept.get(key)
        if found is None or found.device != like.device or found.dtype != like.dtype:
            if len(self._kept) >= MOST:
                self._kept.clear()
            found = self._kept[key] = like.new_empty(size)
        return found
