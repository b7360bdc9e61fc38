"""Other penalties on the scores of the same network, as methods to compare with.

Each replaces the attribute branches by a penalty on a minibatch's scores, whose strength is a trial's λ;
network, encoding, schedule and everything else are GRAD's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from grad_ext.adapters.neural.mmd import ROOT, comparisons
from grad_ext.adapters.sklearn import check_groups, check_trials
from grad_ext.data.encoding import Arrays
from grad_ext.errors import MissingToolkit
from grad_ext.method import GRAD, FittedGRAD
from grad_ext.outputs import Branch
from grad_ext.trial import Trial

# Gets scores (B,) as logits, groups (B, G) as 0 and 1, and weights (B,); returns a number.
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
# Bandwidths of the kernels of probabilities.
BANDWIDTHS = (0.05, 0.2, 0.5)


class BatchPenalty:
    """A penalty on each minibatch alone, differentiated by autograd, one member after another.

    Parameters
    ----------
    loss : callable
        See `Loss`.
    target : Branch
        The target, which has two labels.
    sizes : sequence of K (strata, groups)
        As for `grad_ext.training.score_penalty.ScorePenalty`.
    strength : Tensor of shape (P, K)
        The factor of each member's penalty for each attribute.
    """

    def __init__(
        self, loss: Loss, target: Branch, sizes: Sequence[tuple[int, int]], strength: Tensor
    ) -> None:
        self._loss, self._sizes, self._strength = loss, tuple(sizes), strength

    def gradient(
        self,
        logits: Tensor,
        index: Tensor,
        cells: Tensor,
        weights: Tensor,
        share: Tensor | float = 1.0,
    ) -> Tensor:
        """Return the penalty's gradient: see `grad_ext.training.score_penalty.ScorePenalty`."""
        members, _, size = logits.shape
        gradient = torch.zeros_like(logits)
        for p in range(members):
            rows = index[p * size : (p + 1) * size]
            with torch.enable_grad():
                z = logits[p, 0].detach().requires_grad_()
                total = z.sum() * 0.0
                for k, (strata, groups) in enumerate(self._sizes):
                    every = torch.arange(strata * groups, device=z.device)
                    member = (cells[k][rows].unsqueeze(1) == every).to(z.dtype)
                    for stratum in range(strata):
                        own = member[:, stratum * groups : (stratum + 1) * groups]
                        own = own[:, own.sum(0) > 0]
                        if own.shape[1] > 1:
                            part = self._loss(z, own, weights[k][rows])
                            total = total + self._strength[p, k] * part
                (gradient[p, 0],) = torch.autograd.grad(total, z)
        return gradient * share


def _kernel(scores: Tensor) -> Tensor:
    distances = (scores.unsqueeze(0) - scores.unsqueeze(1)).square()
    return sum(
        (torch.exp(-distances / (2.0 * width**2)) for width in BANDWIDTHS),
        torch.zeros_like(distances),
    ) / len(BANDWIDTHS)


def _mmd(z: Tensor, groups: Tensor, w: Tensor) -> Tensor:
    compared = comparisons(groups.T.unsqueeze(0), w.unsqueeze(0))[0]
    squared = ((compared @ _kernel(torch.sigmoid(z))) * compared).sum(1).clamp_min(0.0)
    return (torch.sqrt(squared + ROOT) - math.sqrt(ROOT)).sum()


def _hsic(z: Tensor, groups: Tensor, w: Tensor) -> Tensor:
    scale = torch.sqrt(w / w.sum())

    def centered(kernel: Tensor) -> Tensor:
        kernel = kernel - (scale.square() @ kernel).unsqueeze(0)
        kernel = kernel - (kernel @ scale.square()).unsqueeze(1)
        return kernel * scale.unsqueeze(0) * scale.unsqueeze(1)

    scores, group = centered(_kernel(torch.sigmoid(z))), centered(groups @ groups.T)
    norm = torch.sqrt(scores.square().sum() * group.square().sum() + ROOT)
    return (scores * group).sum() / norm


class Penalised:
    """GRAD's network with another penalty instead of attribute branches.

    Parameters
    ----------
    loss : callable
        See `Loss`.
    """

    def __init__(self, loss: Loss) -> None:
        self._network = GRAD(penalty=partial(BatchPenalty, loss))

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> FittedGRAD:
        """Train the trials as one pack.

        Raises
        ------
        InputError
            As `grad_ext.method.GRAD.fit`, and if the target is not binary or an attribute is
            continuous.
        """
        check_trials(trials, training)
        check_groups(training.task)
        return self._network.fit(trials, training, validation, on_epoch)


def mmd() -> Penalised:
    """Return the network with the maximum mean discrepancy of the groups' scores as penalty.

    Gretton et al. (2012), "A Kernel Two-Sample Test", with Gaussian kernels of three bandwidths.
    """
    return Penalised(_mmd)


def hsic() -> Penalised:
    """Return the network with the normalised HSIC of scores and groups as penalty.

    Pérez-Suay et al. (2017), "Fair Kernel Learning"; normalised as in Cortes et al. (2012), "Algorithms
    for Learning Kernels Based on Centered Alignment", so that smaller scores are not less dependent.
    """
    return Penalised(_hsic)


def fairret_loss() -> Loss:
    """Return fairret's norm loss of the positive rates, which leaves instance weights out."""
    try:
        from fairret.loss import NormLoss
        from fairret.statistic import PositiveRate
    except ImportError as error:
        raise MissingToolkit("fairret", "fairret") from error
    norm = NormLoss(PositiveRate())

    def loss(z: Tensor, groups: Tensor, w: Tensor) -> Tensor:
        value: Tensor = norm(z.unsqueeze(1), groups)
        return value

    return loss


def fairret() -> Penalised:
    """Return the network with fairret's norm loss of the positive rates.

    Buyl, Defrance and De Bie (2024), "fairret: a Framework for Differentiable Fairness Regularization
    Terms". Instance weights count in the target's loss and not in the penalty.
    """
    return Penalised(fairret_loss())
