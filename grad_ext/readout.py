"""Logistic regression on the trunk's output, for a whole pack at once.

How the Auto variant classifies (GRAD paper, section 2): the network learns a representation, and a
logistic regression is fitted on it. scikit-learn's problem and default strength, an L2 penalty of
1/2 |β|² with a free intercept, solved by Newton's method for all members together; each member
stops for itself, so that its numbers do not depend on its company.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from grad_ext.losses import sigmoid
from grad_ext.network import ROW_STEP

STEPS = 50
# A member is done when no part of the gradient of its summed loss exceeds this.
TOLERANCE = 1e-6
HALVINGS = 20
# float64 lanes of the widest vector register: LAPACK solves a crooked matrix by other steps.
WIDTH_STEP = 8


@dataclass(frozen=True)
class Readout:
    """One logistic regression a member and class.

    Attributes
    ----------
    weight : float64 Tensor of shape (P, C, W)
        Coefficients of the H units, then the intercept, then zeros up to a multiple of
        `WIDTH_STEP`; C is 1 for a binary label, else the number of classes, each against the rest.
    """

    weight: Tensor

    def scores(self, representations: Tensor) -> Tensor:
        """Return probabilities, shape (P, C, N), for representations of shape (P, H, N).

        Those of several classes are divided by their sum.
        """
        Z = _augmented(representations)
        scores = sigmoid(torch.stack([_logits(Z, beta) for beta in self.weight.unbind(1)], dim=1))
        scores = scores[:, :, : representations.shape[2]]
        return scores if scores.shape[1] == 1 else scores / scores.sum(1, keepdim=True)


def _augmented(representations: Tensor) -> Tensor:
    """Append a row of ones, and zeros to both sides up to whole vectors."""
    Z = F.pad(representations.double(), (0, 0, 0, 1), value=1.0)
    return F.pad(Z, (0, -Z.shape[2] % ROW_STEP, 0, -Z.shape[1] % WIDTH_STEP))


def fit_readout(representations: Tensor, y: Tensor, weight: Tensor, classes: int) -> Readout:
    """Fit one logistic regression a member and class.

    Parameters
    ----------
    representations : Tensor of shape (P, H, N)
        What to regress on.
    y : Tensor of shape (N,)
        0 or 1, or the number of the class.
    weight : Tensor of shape (N,)
        Instance weights.
    classes : int
        2 fits one regression a member, more fit one for each class.
    """
    Z = _augmented(representations)
    spare = Z.shape[2] - len(y)
    w = F.pad(weight.double(), (0, spare))
    goals = [y] if classes == 2 else [y == c for c in range(classes)]
    penalty = torch.ones(Z.shape[1], dtype=Z.dtype)
    penalty[representations.shape[1]] = 0.0
    betas = [_newton(Z, F.pad(goal.double(), (0, spare)), w, penalty) for goal in goals]
    return Readout(torch.stack(betas, dim=1))


def _newton(Z: Tensor, y: Tensor, w: Tensor, penalty: Tensor) -> Tensor:
    """Return the minimisers of sum w log(1 + exp(-±βz)) + |β|²/2, shape (P, W)."""
    members, width, _ = Z.shape
    beta = torch.zeros(members, width, dtype=Z.dtype)
    loss = _loss(Z, y, w, beta, penalty)
    for _ in range(STEPS):
        p = sigmoid(_logits(Z, beta))
        gradient = (Z * ((p - y) * w).unsqueeze(1)).sum(2) + penalty * beta
        # A member that diverged has nan here, and is done.
        going = gradient.abs().amax(1) > TOLERANCE
        if not going.any():
            break
        curvature = (p * (1.0 - p) * w).unsqueeze(1)
        hessian = torch.bmm(Z * curvature, Z.transpose(1, 2)) + torch.diag(penalty + 1e-10)
        hessian[~going] = torch.eye(width, dtype=Z.dtype)
        step = torch.linalg.solve(hessian, gradient)
        size = torch.where(going, 1.0, 0.0).to(Z.dtype)
        for _ in range(HALVINGS):
            tried = beta - size.unsqueeze(1) * step
            after = _loss(Z, y, w, tried, penalty)
            worse = going & (after > loss)
            if not worse.any():
                break
            size = torch.where(worse, size / 2.0, size)
        beta = torch.where((going & ~worse).unsqueeze(1), tried, beta)
        loss = torch.where(going & ~worse, after, loss)
        if worse[going].all():
            break
    return beta


def _logits(Z: Tensor, beta: Tensor) -> Tensor:
    """Return βz, shape (P, N).

    As a sum of products: a matrix product of a single row is another kernel in another company.
    """
    return (Z * beta.unsqueeze(2)).sum(1)


def _loss(Z: Tensor, y: Tensor, w: Tensor, beta: Tensor, penalty: Tensor) -> Tensor:
    logit = _logits(Z, beta)
    # log(1 + exp(-m)) for the margin m, as logsigmoid computes it without overflow.
    losses = -F.logsigmoid(torch.where(y > 0, logit, -logit)) * w
    return losses.sum(1) + (penalty * beta.square()).sum(1) / 2.0
