"""What attribute branches get that read the prediction instead of the representation.

Of groups or classes: probabilities, and those of sharper logits, which are nearly the labels, since
groups with equal mean probabilities may still get the label at different rates. They are stretched to
the range from -2 to 2, so that a linear head on them learns as fast as one on a logit. Numbers are
passed on as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grad_ext.outputs import Branch

# What the logits are multiplied by, one view each.
SHARPNESS = (1.0, 5.0)
# exp overflows beyond, where the label is decided anyway.
LARGEST_LOGIT = 80.0


def view_width(target: Branch) -> int:
    """Return how many numbers attribute branches get of a target's prediction."""
    return target.outputs * (len(SHARPNESS) if target.classes else 1)


class ScoreView:
    """The view of a minibatch's predictions, and its gradient.

    Parameters
    ----------
    target : Branch
        What is predicted.
    logits : Tensor of shape (P, R, B)
        What the target branch returned.
    """

    def __init__(self, target: Branch, logits: Tensor) -> None:
        self._target, self._logits = target, logits
        self._scores = [
            target.link((sharpness * logits).clamp(-LARGEST_LOGIT, LARGEST_LOGIT))
            for sharpness in (SHARPNESS if target.classes else ())
        ]

    def values(self) -> Tensor:
        """Return what attribute branches get, of shape (P, `view_width`, B)."""
        return 4.0 * torch.cat(self._scores, dim=1) - 2.0 if self._scores else self._logits

    def gradient(self, gradient: Tensor) -> Tensor:
        """Return the gradient by the logits, (P, R, B), from that by `values`."""
        if not self._scores:
            return gradient
        total = torch.zeros_like(self._logits)
        pieces = gradient.chunk(len(SHARPNESS), 1)
        for sharpness, scores, piece in zip(SHARPNESS, self._scores, pieces, strict=True):
            slope = self._target.link_gradient(scores, piece)
            clamped = (sharpness * self._logits).abs() > LARGEST_LOGIT
            total += (4.0 * sharpness * slope).masked_fill(clamped, 0.0)
        return total
