"""Logistic regression on the trunk's output, for a whole pack at once.

The classifier of the Auto variant (GRAD paper, section 2): the network learns a representation, and a
logistic regression is fitted on it. The problem is scikit-learn's with its default strength, an L2
penalty of 1/2 |β|² with a free intercept, solved by Newton's method for each member alone, so that its
result does not depend on the rest of the pack.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from grad_ext.engine.batches import ROW_STEP
from grad_ext.outputs import sigmoid

STEPS = 50
# A member has converged when no element of the gradient of its summed loss exceeds this.
TOLERANCE = 1e-6
HALVINGS = 20
# float64 lanes of the widest vector register: LAPACK solves matrices of other sizes by other steps.
WIDTH_STEP = 8


@dataclass(frozen=True)
class Readout:
    """One logistic regression for each member and class.

    Attributes
    ----------
    weight : float64 Tensor of shape (P, C, W)
        Coefficients of the H units, then the intercept, then zeros up to a multiple of
        `WIDTH_STEP`; C is 1 for a binary label, else the number of classes, each against the rest.
    """

    weight: Tensor

    def scores(self, representations: Tensor) -> Tensor:
        """Return probabilities, shape (P, C, N), for representations of shape (P, H, N).

        Scores of several classes are divided by their sum.
        """
        Z = _augmented(representations)
        scores = sigmoid(torch.stack([_logits(Z, beta) for beta in self.weight.unbind(1)], dim=1))
        scores = scores[:, :, : representations.shape[2]]
        return scores if scores.shape[1] == 1 else scores / scores.sum(1, keepdim=True)


def _augmented(representations: Tensor) -> Tensor:
    """Append a row of ones, and pad both axes with zeros to whole vectors."""
    Z = F.pad(representations.double(), (0, 0, 0, 1), value=1.0)
    return F.pad(Z, (0, -Z.shape[2] % ROW_STEP, 0, -Z.shape[1] % WIDTH_STEP))


def fit_readout(
    representations: Tensor,
    y: Tensor,
    weight: Tensor,
    classes: int,
    start: Readout | None = None,
) -> Readout:
    """Fit one logistic regression for each member and class.

    Parameters
    ----------
    representations : Tensor of shape (P, H, N)
        The features of the regression.
    y : Tensor of shape (N,)
        0 or 1, or class numbers.
    weight : Tensor of shape (N,)
        Instance weights.
    classes : int
        2 classes have one regression for each member, more have one for each class.
    start : Readout, optional
        Regressions to start from, such as the last epoch's: the result is the same to within the
        tolerance, after fewer steps.
    """
    spare = -representations.shape[2] % ROW_STEP
    w = F.pad(weight.double(), (0, spare))
    targets = [y] if classes == 2 else [y == c for c in range(classes)]
    padded = [F.pad(labels.double(), (0, spare)) for labels in targets]
    units = representations.shape[1]
    fitted = []
    # One member after another: its rows stay in the processor's cache, and each stops by itself.
    for p in range(len(representations)):
        Z = _augmented(representations[p : p + 1])[0]
        penalty = torch.ones(len(Z), dtype=Z.dtype)
        penalty[units] = 0.0
        betas = (
            torch.zeros(len(targets), len(Z), dtype=Z.dtype) if start is None else start.weight[p]
        )
        pairs = zip(padded, betas, strict=True)
        fitted.append(torch.stack([_newton(Z, labels, w, penalty, beta) for labels, beta in pairs]))
    return Readout(torch.stack(fitted))


def _newton(Z: Tensor, y: Tensor, w: Tensor, penalty: Tensor, beta: Tensor) -> Tensor:
    """Return the minimiser of sum w log(1 + exp(-±βz)) + |β|²/2, shape (W,), for Z (W, N)."""
    if not torch.isfinite(beta).all():  # the last epoch diverged
        beta = torch.zeros_like(beta)
    logit = torch.mv(Z.T, beta)
    loss = _loss(logit, y, w, beta, penalty)
    for _ in range(STEPS):
        p = sigmoid(logit)
        gradient = torch.mv(Z, (p - y) * w) + penalty * beta
        # The gradient of a member that diverged is nan, which ends the loop too.
        if not gradient.abs().max() > TOLERANCE:
            break
        hessian = (Z * (p * (1.0 - p) * w)) @ Z.T + torch.diag(penalty + 1e-10)
        step = torch.linalg.solve(hessian, gradient)
        for _ in range(HALVINGS):
            tried = beta - step
            logit = torch.mv(Z.T, tried)
            after = _loss(logit, y, w, tried, penalty)
            if not after > loss:
                break
            step = step / 2.0
        else:
            break
        beta, loss = tried, after
    return beta


def _logits(Z: Tensor, beta: Tensor) -> Tensor:
    """Return βz, shape (P, N).

    As a sum of products: the kernel of a matrix product of a single row depends on the pack.
    """
    return (Z * beta.unsqueeze(2)).sum(1)


def _loss(logit: Tensor, y: Tensor, w: Tensor, beta: Tensor, penalty: Tensor) -> Tensor:
    # log(1 + exp(-m)) for the margin m, as logsigmoid computes it without overflow.
    losses = -F.logsigmoid(torch.where(y > 0, logit, -logit)) * w
    return losses.sum() + (penalty * beta.square()).sum() / 2.0
