"""The score penalty: what pulls the groups' distributions of predictions together.

The penalty of an attribute is the sum over its groups of the Wasserstein-1 distance between the
group's distribution of predicted probabilities and the mean of all groups' distributions (Jiang et al.
2020, "Wasserstein Fair Classification"): the area between their distribution functions. Its gradient
by a row's probability is minus the sign of the difference D of the functions at that probability, over
the weight of the row's group.

A minibatch alone shows too few rows for that: where groups do not differ, D has the sign of the noise,
and the penalty would only shrink the predictions. So the distribution functions are those of a moving
average of the groups' weighted histograms over about the last twenty steps, and the sign is D / (|D| +
its standard error): it is near 0 where D is not more than noise. Histograms are over the log-odds, so
that rare labels are resolved as well as even ones.

Members never couple: every operation is by element, along one member's rows, or a scatter within a
member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from grad_ext.outputs import Branch, sigmoid

# Decay of the moving average: about the last 20 steps.
DECAY = 0.95
# Histograms of the log-odds between -LIMIT and LIMIT; beyond it all rows share the last bin.
LIMIT, BINS = 8.0, 64


class Penalty(Protocol):
    """What adds to the gradient of the target's scores: `ScorePenalty`, or one of your own."""

    def gradient(
        self,
        logits: Tensor,
        index: Tensor,
        cells: Tensor,
        weights: Tensor,
        share: Tensor | float = 1.0,
    ) -> Tensor:
        """Return the penalties' gradient by the target's logits: see `ScorePenalty.gradient`."""


# Gets the target, the numbers of strata and groups of each attribute, and the strengths, (P, K).
PenaltyFactory = Callable[[Branch, Sequence[tuple[int, int]], Tensor], Penalty]


class ScorePenalty:
    """The penalties of a pack's attributes, with the histograms of each member.

    Parameters
    ----------
    target : Branch
        What is predicted: labels or a number.
    sizes : sequence of K (strata, groups)
        How many strata the constraint has, and how many groups each attribute.
    strength : Tensor of shape (P, K)
        The factor of each member's penalty for each attribute.
    """

    def __init__(
        self,
        target: Branch,
        sizes: Sequence[tuple[int, int]],
        strength: Tensor,
    ) -> None:
        self._target = target
        self._strength = strength
        self._sizes = tuple(sizes)
        members, scores = len(strength), target.outputs
        # Of each attribute: the averaged weights by member, score, cell and bin, and the averaged
        # squares of the weights by member and cell, of which the effective number of rows follows.
        self._weights = [
            strength.new_zeros(members, scores, strata * groups, BINS)
            for strata, groups in self._sizes
        ]
        self._squares = [
            strength.new_zeros(members, strata * groups) for strata, groups in self._sizes
        ]
        # What the averages' weights of all steps sum to, so that the first steps count in full.
        self._mass = strength.new_zeros(())

    def gradient(
        self,
        logits: Tensor,
        index: Tensor,
        cells: Tensor,
        weights: Tensor,
        share: Tensor | float = 1.0,
    ) -> Tensor:
        """Return the penalties' gradient by the target's logits, and update the histograms.

        Parameters
        ----------
        logits : Tensor of shape (P, R, B)
            The target's of a minibatch.
        index : int64 Tensor of shape (P * B,)
            The minibatch's rows.
        cells : int64 Tensor of shape (K, N)
            Each row's ``stratum * groups + group`` for each attribute, -1 if it is not compared.
        weights : Tensor of shape (K, N)
            Weight of each row for each attribute, 0 if it is not compared.
        share : Tensor or float
            Share of the strength in this step.

        Returns
        -------
        Tensor of shape (P, R, B)
        """
        members, scores, size = logits.shape
        odds, probability, slope = self._positions(logits)
        position = (odds.clamp(-LIMIT, LIMIT) + LIMIT) * (BINS / (2.0 * LIMIT))
        bins = position.floor().clamp_max(BINS - 1.0)
        within, bins = position - bins, bins.long()
        self._mass.mul_(DECAY).add_(1.0 - DECAY)
        total = torch.zeros_like(logits)
        for k in range(len(self._sizes)):
            cell = cells[k].index_select(0, index).view(members, size)
            w = weights[k].index_select(0, index).view(members, size)
            # A row of no cell counts in the first with a weight of 0.
            w = w.where(cell >= 0, w.new_zeros(()))
            cell = cell.clamp_min(0)
            curves, expected = self._curves(k, cell, bins, w)
            flat = curves.view(members, scores, -1)
            place = cell.unsqueeze(1) * (BINS + 1) + bins
            low = flat.gather(2, place)
            sign = low + (flat.gather(2, place + 1) - low) * within
            per_row = w / expected.gather(1, cell).clamp_min(1.0)
            scale = (self._strength[:, k : k + 1] * per_row * share).unsqueeze(1)
            total -= sign * scale
        if scores > 1:
            return self._target.link_gradient(probability, total)
        return total * slope

    def _positions(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the log-odds of each score, its probability, and the latter's slope by the logit.

        A predicted number, standardised, has the probability that is about the share of smaller ones.
        """
        if logits.shape[1] > 1:
            probability = self._target.link(logits)
            low = probability.clamp(1e-7, 1.0 - 1e-7)
            return low.log() - (1.0 - low).log(), probability, probability
        scale = 1.0 if self._target.classes else 1.702
        odds = logits * scale
        probability = sigmoid(odds)
        return odds, probability, probability * (1.0 - probability) * scale

    def _curves(self, k: int, cell: Tensor, bins: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return the soft signs of D at the bins' edges, (P, R, cells, BINS + 1), and cells' weights.

        The weights, (P, cells), are those of an average minibatch.
        """
        averaged, squares = self._weights[k], self._squares[k]
        strata, groups = self._sizes[k]
        members, scores, count, _ = averaged.shape
        averaged.mul_(DECAY)
        place = (cell.unsqueeze(1) * BINS + bins).view(members, scores, -1)
        added = (w * (1.0 - DECAY)).unsqueeze(1).expand_as(place)
        averaged.view(members, scores, -1).scatter_add_(2, place, added)
        squares.mul_(DECAY**2)
        squares.scatter_add_(1, cell, (w * (1.0 - DECAY)).square())
        sums = averaged[:, 0].sum(2)
        present = (sums > 0.0).to(sums.dtype)
        below = averaged.cumsum(3) / sums.clamp_min(1e-30).view(members, 1, count, 1)
        below = torch.cat([torch.zeros_like(below[..., :1]), below], dim=3)
        shape = (members, 1, strata, groups, 1)
        here = present.view(shape)
        share = here / here.sum(3, keepdim=True).clamp_min(1.0)
        below = below.view(members, scores, strata, groups, BINS + 1)
        difference = below - (below * share).sum(3, keepdim=True)
        rows = sums.square() / squares.clamp_min(1e-30)
        error = (0.5 * rows.clamp_min(1.0).rsqrt()).view(shape)
        sign = difference / (difference.abs() + error) * here
        sign = (sign - (sign * share).sum(3, keepdim=True)) * here
        expected = sums / self._mass
        return sign.reshape(members, scores, count, BINS + 1).contiguous(), expected
