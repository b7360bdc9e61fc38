"""The branches' losses, each with its derivative by the branch's output.

Training needs the derivative alone; the loss is for the history. Written out, so that no autograd
graph is kept for them and every element is rounded alike wherever it lies in the pack (which is why
the logistic function and the softmax are built from ``exp``; see `grad_ext.engine.network`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from grad_ext.outputs import Kind


def sigmoid(logit: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-logit)).

    torch.sigmoid rounds differently in the vectorised loop and in its scalar tail, which would let
    an element's place in the pack show; exp does not.
    """
    return torch.exp(-logit).add_(1.0).reciprocal_()


def softmax(logits: Tensor) -> Tensor:
    """Return the softmax over axis 1, shape (P, R, B)."""
    shifted = torch.exp(logits - logits.amax(1, keepdim=True))
    return shifted / shifted.sum(1, keepdim=True)


def loss_and_gradient(kind: Kind, output: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Return a branch's loss for each row, and its derivative by the output.

    Parameters
    ----------
    kind : str
        See `grad_ext.outputs.Branch`.
    output : Tensor of shape (P, R, B)
        What the branch says.
    goal : Tensor
        What it should: 0 or 1 (binary), or a number (continuous), shape (P, 1, B); the number of
        the group, int64 of shape (P, 1, B); or the features, shape (P, R, B).

    Returns
    -------
    loss : Tensor of shape (P, B)
        In nats, or squared units.
    gradient : Tensor of shape (P, R, B)
    """
    if kind == "binary":
        loss = -F.logsigmoid(torch.where(goal > 0, output, -output))
        return loss[:, 0], sigmoid(output) - goal
    if kind == "categorical":
        probability = softmax(output)
        loss = -torch.log(probability.gather(1, goal).clamp_min(1e-38))
        right = torch.full_like(goal, -1, dtype=output.dtype)
        return loss[:, 0], probability.scatter_add(1, goal, right)
    error = output - goal
    return error.square().sum(1), 2.0 * error
