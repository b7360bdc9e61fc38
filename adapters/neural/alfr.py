"""ALFR, adversarially learned fair representations, as a method on packs.

Edwards and Storkey (2016), "Censoring Representations with an Adversary": an encoder maps the
features x to a representation R, from which a decoder reconstructs x, a predictor predicts the label
y, and an adversary the protected attributes s. docs/baselines.md lists what the paper leaves open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from grad_ext import checks
from grad_ext.adapters.neural.method import (
    FittedPack,
    PackMethod,
    by_trial,
    checked_hyperparameter,
)
from grad_ext.adapters.neural.packs import Layers, Minibatch, blocks
from grad_ext.data.encoding import Arrays
from grad_ext.outputs import Branch


class Costs(NamedTuple):
    """The terms of the objective.

    Attributes
    ----------
    reconstruction : Tensor of shape (P,)
        C, the mean of ‖x - Dec(R)‖².
    adversary : Tensor of shape (P, K)
        -D, the adversary's mean cross-entropy of each attribute, in nats.
    label : Tensor of shape (P,)
        E, the mean cross-entropy of the label, in nats.
    """

    reconstruction: Tensor
    adversary: Tensor
    label: Tensor


class Censors:
    """P encoders, decoders and predictors, and their adversaries.

    Parameters
    ----------
    visible : Tensor of int64
        Columns of the features that are reconstructed.
    features : int
        D, all columns.
    attributes : sequence of Branch
        The protected attributes, with an adversary for each.
    hidden, code : int
        Sizes: see `ALFR`.
    seeds : sequence of int
        One seed for each member.
    alpha, gamma : Tensor of shape (P,)
        Weights of the reconstruction and of the label's loss.
    beta : Tensor of shape (P, K)
        Weight of each attribute's adversary.
    decoder_sees_attributes : bool, default False
        Whether the decoder gets the protected attributes too.
    """

    def __init__(
        self,
        visible: Tensor,
        features: int,
        attributes: Sequence[Branch],
        hidden: int,
        code: int,
        seeds: Sequence[int],
        alpha: Tensor,
        beta: Tensor,
        gamma: Tensor,
        decoder_sees_attributes: bool = False,
    ) -> None:
        groups = sum(branch.classes for branch in attributes) if decoder_sees_attributes else 0
        theta = {
            "encoder": (features, hidden, code),
            "decoder": (code + groups, hidden, len(visible)),
            "predictor": (code, hidden, 1),
        }
        phi = {_adversary(branch): (code, hidden, branch.outputs) for branch in attributes}
        self.theta, self.phi = (
            Layers(
                {
                    f"{name}.{layer}": size
                    for name, (first, middle, last) in sizes.items()
                    for layer, size in (("hidden", (first, middle)), ("out", (middle, last)))
                },
                seeds,
                alpha.dtype,
            )
            for sizes in (theta, phi)
        )
        self.layers = (self.theta, self.phi)
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self._visible, self._attributes = visible, attributes
        self._decoder_sees_attributes = decoder_sees_attributes
        self._members, self._code = len(seeds), code

    def encode(self, x: Tensor) -> Tensor:
        """Return R, shape (P, R, B), of rows (P, D, B)."""
        return _through(self.theta, "encoder", x)

    def adversary_losses(self, code: Tensor, batch: Minibatch) -> Tensor:
        """Return the adversary's mean cross-entropy of each attribute, shape (P, K).

        A row whose attribute is missing has a loss of 0.
        """
        losses = [code.new_zeros(len(code), 0)]
        for branch, groups in zip(self._attributes, batch.groups, strict=True):
            logits = _through(self.phi, _adversary(branch), code)
            if branch.outputs == 1:
                logit, member = logits[:, 0], groups[:, 1] > 0
                loss = -F.logsigmoid(torch.where(member, logit, -logit)) * groups.sum(1)
            else:
                loss = -(groups * F.log_softmax(logits, dim=1)).sum(1)
            losses.append((loss * batch.w).mean(1, keepdim=True))
        return torch.cat(losses, dim=1)

    def costs(self, batch: Minibatch) -> Costs:
        """Return the terms of the objective for one minibatch."""
        code = self.encode(batch.x)
        groups = batch.groups if self._decoder_sees_attributes else []
        decoded = _through(self.theta, "decoder", torch.cat([code, *groups], dim=1))
        error = decoded - batch.x.index_select(1, self._visible)
        logit = _through(self.theta, "predictor", code)
        label = -F.logsigmoid(torch.where(batch.y > 0, logit, -logit))[:, 0]
        return Costs(
            (error.square().sum(1) * batch.w).mean(1),
            self.adversary_losses(code, batch),
            (label * batch.target_w).mean(1),
        )

    def objective(self, costs: Costs) -> Tensor:
        """Return L = α C + β D + γ E, which θ minimises, shape (P,)."""
        censored = (self.beta * costs.adversary).sum(1)
        return self.alpha * costs.reconstruction - censored + self.gamma * costs.label

    def theta_step(self, batch: Minibatch, rate: float) -> Costs:
        """Train encoder, decoder and predictor on a minibatch, but not the adversary."""
        costs = self.costs(batch)
        self.theta.backward(self.objective(costs))
        self.theta.step(rate)
        return costs

    def phi_step(self, batch: Minibatch, rate: float) -> None:
        """Train the adversary on a minibatch, and nothing else."""
        with torch.no_grad():
            code = self.encode(batch.x)
        self.phi.backward(self.adversary_losses(code, batch))
        self.phi.step(rate)

    def step(self, batch: Minibatch, rate: float) -> Tensor:
        """Take a θ step, then a φ step; return losses of label and attributes, (P, 1 + K)."""
        costs = self.theta_step(batch, rate)
        if self._attributes:
            self.phi_step(batch, rate)
        return torch.cat([costs.label.unsqueeze(1), costs.adversary], dim=1).detach()

    @torch.no_grad()
    def representations(self, X: Tensor) -> Tensor:
        """Return R, shape (P, R, N), for X of shape (N, D)."""
        out = torch.empty(self._members, self._code, len(X), dtype=X.dtype)
        for rows, x in blocks(X, self._members):
            out[:, :, rows] = self.encode(x)[:, :, : rows.stop - rows.start]
        return out

    @torch.no_grad()
    def scores(self, X: Tensor) -> Tensor:
        """Return the probability of the favorable label, shape (P, 1, N), for X of shape (N, D)."""
        out = torch.empty(self._members, 1, len(X), dtype=X.dtype)
        for rows, x in blocks(X, self._members):
            scores = torch.sigmoid(_through(self.theta, "predictor", self.encode(x)))
            out[:, :, rows] = scores[:, :, : rows.stop - rows.start]
        return out


def _adversary(branch: Branch) -> str:
    return f"adversary.{branch.name}"


def _through(layers: Layers, name: str, h: Tensor) -> Tensor:
    return layers(f"{name}.out", torch.relu(layers(f"{name}.hidden", h)))


class FittedALFR(FittedPack[Censors]):
    """A trained pack of ALFR; its attributes' losses are those of their adversaries."""

    def representations(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return R, shape (P, R, N), for X of shape (N, D)."""
        return self._of(X, self.pack.representations)


class ALFR(PackMethod[Censors, FittedALFR]):
    """Adversarially learned fair representations (Edwards and Storkey 2016), in packs.

    A trial's λ is β, the weight of the adversary, one number or one for each protected attribute.
    Each attribute has an adversary of its own, with a softmax for more than two groups: an extension
    of the paper, which has one binary attribute.

    Parameters
    ----------
    alpha : float or sequence of float, default 0.05
        Weight of the reconstruction, one for all trials or one for each.
    gamma : float or sequence of float, default 1
        Weight of the label's loss, one for all trials or one for each.
    hidden : int, default 100
        Units of the hidden layer of encoder, decoder, predictor and adversary.
    code : int, default 8
        Dimensions of R.
    epochs : int, default 25
        Passes over the training rows.
    batch_size : int, default 64
        Rows of a minibatch, rounded to a multiple of 32.
    learning_rate : float, default 0.001
        Of both Adams.
    decoder_sees_attributes : bool, default False
        Give the decoder the protected attributes too, so that it can reconstruct x from an R without
        them.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """

    fitted = FittedALFR

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.05,
        gamma: float | Sequence[float] = 1.0,
        hidden: int = 100,
        code: int = 8,
        epochs: int = 25,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        decoder_sees_attributes: bool = False,
    ) -> None:
        super().__init__(epochs, batch_size, learning_rate)
        self.alpha = checked_hyperparameter("alpha", alpha)
        self.gamma = checked_hyperparameter("gamma", gamma)
        self.hidden = checks.whole("hidden", hidden, 1)
        self.code = checks.whole("code", code, 1)
        self.decoder_sees_attributes = checks.flag(
            "decoder_sees_attributes", decoder_sees_attributes
        )

    def build(self, seeds: Sequence[int], beta: Tensor, training: Arrays) -> Censors:
        """Return the untrained models of a pack; β weighs the adversaries."""
        width = training.X.shape[1]
        visible = np.arange(width) if training.visible is None else training.visible
        return Censors(
            torch.tensor(visible, dtype=torch.int64),
            width,
            training.task.attributes,
            self.hidden,
            self.code,
            seeds,
            by_trial("alpha", self.alpha, len(seeds)),
            beta,
            by_trial("gamma", self.gamma, len(seeds)),
            self.decoder_sees_attributes,
        )
