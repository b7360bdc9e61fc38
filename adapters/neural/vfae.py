"""VFAE, the variational fair autoencoder, as a method on packs.

Louizos, Swersky, Li, Welling and Zemel (2016), "The Variational Fair Autoencoder": a representation
z1 of the features x predicts the label y and is to hold nothing of the protected attributes s. The
decoder gets s beside z1, and the maximum mean discrepancy (MMD) between the z1 of the groups is
penalised. docs/baselines.md lists what the paper leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
from grad_ext.adapters.neural.mmd import FREQUENCIES, comparisons, discrepancy
from grad_ext.adapters.neural.packs import STEP, Layers, Minibatch, blocks
from grad_ext.data.encoding import Arrays
from grad_ext.outputs import Branch
from grad_ext.seeds import torch_generator

# Added to standard deviations, whose logarithm must be finite.
LEAST_STD = 1e-4


class Gaussian(NamedTuple):
    """Independent normal variables: means and standard deviations, each of shape (P, L, B)."""

    mean: Tensor
    std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return the sample that standard normal noise gives."""
        return self.mean + self.std * noise


def divergence(q: Gaussian, p: Gaussian) -> Tensor:
    """Return KL(q ‖ p) in nats, shape (P, B)."""
    ratio, shift = q.std / p.std, (q.mean - p.mean) / p.std
    return (0.5 * (ratio.square() + shift.square() - 1.0) - ratio.log()).sum(1)


class Noise(NamedTuple):
    """The random numbers of one step.

    Attributes
    ----------
    z1, z2 : Tensor of shape (P, L, B)
        Standard normal.
    frequencies : Tensor of shape (P, F, L)
        Standard normal.
    phases : Tensor of shape (P, F, 1)
        Uniform between 0 and 2π.
    """

    z1: Tensor
    z2: Tensor
    frequencies: Tensor
    phases: Tensor

    @classmethod
    def draw(
        cls, generators: Sequence[torch.Generator], latent: int, rows: int, dtype: torch.dtype
    ) -> Noise:
        """Return the random numbers of one step, from each member's generator."""
        counts = [latent * rows, latent * rows, FREQUENCIES * latent]
        normal = torch.empty(len(generators), sum(counts), dtype=dtype)
        phases = torch.empty(len(generators), FREQUENCIES, 1, dtype=dtype)
        for generator, numbers, angles in zip(generators, normal, phases, strict=True):
            numbers.normal_(generator=generator)
            angles.uniform_(0.0, 2.0 * math.pi, generator=generator)
        z1, z2, frequencies = (part.contiguous() for part in torch.split(normal, counts, dim=1))
        shape = (len(generators), latent, rows)
        return cls(
            z1.view(shape), z2.view(shape), frequencies.view(-1, FREQUENCIES, latent), phases
        )


class Terms(NamedTuple):
    """The terms of the objective.

    Attributes
    ----------
    reconstruction : Tensor of shape (P, B)
        -log p(x | z1, s), in nats.
    divergence_z1, divergence_z2 : Tensor of shape (P, B)
        KL(q(z1 | x, s) ‖ p(z1 | z2, y)) and KL(q(z2 | z1, y) ‖ N(0, I)), in nats.
    label : Tensor of shape (P, B)
        -log q(y | z1), in nats.
    mmd : Tensor of shape (P, K)
        MMD of each attribute, summed over its comparisons.
    """

    reconstruction: Tensor
    divergence_z1: Tensor
    divergence_z2: Tensor
    label: Tensor
    mmd: Tensor


@dataclass(frozen=True)
class Inputs:
    """The inputs of the model, computed from encoded features X.

    Attributes
    ----------
    threshold : float32 Tensor of shape (V, 1)
        A column of x is 1 above its threshold, else 0.
    visible, hidden : int64 Tensor
        The V columns of X that make up x, and those that hold a protected attribute.
    """

    threshold: Tensor
    visible: Tensor
    hidden: Tensor

    @classmethod
    def of(cls, training: Arrays) -> Inputs:
        """Return the inputs, with 1/2 as threshold of 0/1 columns, else the training rows' median."""
        columns = np.arange(training.X.shape[1])
        visible = columns if training.visible is None else training.visible
        X = training.X[:, visible]
        threshold = np.where(np.isin(X, (0.0, 1.0)).all(axis=0), 0.5, np.median(X, axis=0))
        return cls(
            torch.tensor(threshold[:, None], dtype=torch.float32),
            torch.tensor(visible, dtype=torch.int64),
            torch.tensor(np.setdiff1d(columns, visible), dtype=torch.int64),
        )

    def binarised(self, x: Tensor) -> Tensor:
        """Return x, the V visible columns as 0 or 1, of rows (P, D, B)."""
        return (x.index_select(1, self.visible) > self.threshold).to(x.dtype)

    def attributes(self, x: Tensor) -> Tensor:
        """Return the columns that hold a protected attribute, of rows (P, D, B)."""
        return x.index_select(1, self.hidden)


class Autoencoders:
    """P variational fair autoencoders.

    Parameters
    ----------
    inputs : Inputs
        How the inputs are computed from the features.
    attributes : sequence of Branch
        The protected attributes.
    hidden, hidden_top, latent : int
        Sizes: see `VFAE`.
    seeds : sequence of int
        One seed for each member.
    alpha : Tensor of shape (P,)
        Weight of the label's loss.
    beta : Tensor of shape (P, K)
        Weight of each attribute's MMD.
    sample : bool, default True
        Whether a row's representation is a sample of q(z1 | x, s), or the mean.
    """

    def __init__(
        self,
        inputs: Inputs,
        attributes: Sequence[Branch],
        hidden: int,
        hidden_top: int,
        latent: int,
        seeds: Sequence[int],
        alpha: Tensor,
        beta: Tensor,
        sample: bool = True,
    ) -> None:
        width, groups = len(inputs.visible), sum(branch.classes for branch in attributes)
        sizes = {
            "encoder_z1": (width + len(inputs.hidden), hidden, 2 * latent),
            "encoder_z2": (latent + 2, hidden_top, 2 * latent),
            "decoder_z1": (latent + 2, hidden_top, 2 * latent),
            "decoder_x": (latent + groups, hidden, width),
        }
        layers: dict[str, tuple[int, int]] = {}
        for name, (first, middle, last) in sizes.items():
            layers |= {f"{name}.hidden": (first, middle), f"{name}.out": (middle, last)}
        layers["label"] = (latent, 1)
        self.net = Layers(layers, seeds, alpha.dtype)
        self.layers = (self.net,)
        self.inputs, self.latent, self.sample = inputs, latent, sample
        self.alpha, self.beta, self._seeds = alpha, beta, seeds
        self._noise = [torch_generator(seed, "noise") for seed in seeds]

    def _through(self, name: str, *parts: Tensor) -> Tensor:
        hidden = torch.relu(self.net(f"{name}.hidden", torch.cat(parts, dim=1)))
        return self.net(f"{name}.out", hidden)

    def _gaussian(self, name: str, *parts: Tensor) -> Gaussian:
        mean, raw = self._through(name, *parts).chunk(2, dim=1)
        return Gaussian(mean, F.softplus(raw) + LEAST_STD)

    def posterior(self, x: Tensor) -> Gaussian:
        """Return q(z1 | x, s) of rows (P, D, B)."""
        inputs = self.inputs
        return self._gaussian("encoder_z1", inputs.binarised(x), inputs.attributes(x))

    def terms(self, batch: Minibatch, noise: Noise) -> Terms:
        """Return the terms of the objective for one minibatch.

        x is decoded from the sample of q(z1 | x, s); p(z1 | z2, y) only occurs in the divergence.
        """
        y = torch.cat([1.0 - batch.y, batch.y], dim=1)
        q_z1 = self.posterior(batch.x)
        z1 = q_z1.sample(noise.z1)
        q_z2 = self._gaussian("encoder_z2", z1, y)
        p_z1 = self._gaussian("decoder_z1", q_z2.sample(noise.z2), y)
        standard = Gaussian(torch.zeros_like(q_z2.mean), torch.ones_like(q_z2.std))
        x, logits = self.inputs.binarised(batch.x), self._through("decoder_x", z1, *batch.groups)
        logit = self.net("label", z1)
        mmd = [
            discrepancy(z1, comparisons(groups, batch.w), noise.frequencies, noise.phases).sum(1)
            for groups in batch.groups
        ]
        return Terms(
            F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1),
            divergence(q_z1, p_z1),
            divergence(q_z2, standard),
            -F.logsigmoid(torch.where(batch.y > 0, logit, -logit))[:, 0],
            torch.stack(mmd, dim=1) if mmd else z1.new_zeros(len(z1), 0),
        )

    def objective(self, terms: Terms, batch: Minibatch) -> Tensor:
        """Return the objective to minimise, shape (P,), in nats per row.

        The paper's sum over a minibatch, with β · B · MMD, divided by B.
        """
        bound = terms.reconstruction + terms.divergence_z1 + terms.divergence_z2
        label = self.alpha * (terms.label * batch.target_w).mean(1)
        return (bound * batch.w).mean(1) + label + (self.beta * terms.mmd).sum(1)

    def step(self, batch: Minibatch, rate: float) -> Tensor:
        """Train every member on a minibatch; return losses of label and attributes, (P, 1 + K)."""
        rows, dtype = batch.x.shape[2], batch.x.dtype
        terms = self.terms(batch, Noise.draw(self._noise, self.latent, rows, dtype))
        self.net.backward(self.objective(terms, batch))
        self.net.step(rate)
        label = (terms.label * batch.target_w).mean(1, keepdim=True)
        return torch.cat([label, terms.mmd], dim=1).detach()

    @torch.no_grad()
    def representations(self, X: Tensor, sample: bool) -> Tensor:
        """Return z1, shape (P, L, N), for X of shape (N, D): a sample, or the means.

        The sample is the same in every call; a row's noise depends on its position in X.
        """
        members = len(self._seeds)
        out = torch.empty(members, self.latent, len(X), dtype=X.dtype)
        generators = [torch_generator(seed, "published") for seed in self._seeds]
        for rows, x in blocks(X, members):
            q = self.posterior(x)
            z1 = q.mean
            if sample:
                noise = [
                    torch.randn(x.shape[2], self.latent, generator=generator, dtype=X.dtype).T
                    for generator in generators
                ]
                z1 = q.sample(torch.stack(noise))
            out[:, :, rows] = z1[:, :, : rows.stop - rows.start]
        return out

    @torch.no_grad()
    def scores(self, X: Tensor) -> Tensor:
        """Return q(y = 1 | z1), shape (P, 1, N), for X of shape (N, D)."""
        z1 = self.representations(X, self.sample)
        whole = F.pad(z1, (0, -z1.shape[2] % STEP))
        return torch.sigmoid(self.net("label", whole))[:, :, : z1.shape[2]]


class FittedVFAE(FittedPack[Autoencoders]):
    """A trained pack of VFAE, whose predictions are q(y = 1 | z1); its attributes' losses are their MMD."""

    def representations(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the representations z1, shape (P, L, N), for X of shape (N, D).

        A sample of q(z1 | x, s), the same in every call, in which a row's noise depends on its
        position in X; or the mean, with ``sample=False``.
        """
        return self._of(X, lambda rows: self.pack.representations(rows, self.pack.sample))

    def means(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the means of q(z1 | x, s), shape (P, L, N), on which the MMD does not act."""
        return self._of(X, lambda rows: self.pack.representations(rows, False))


class VFAE(PackMethod[Autoencoders, FittedVFAE]):
    """The variational fair autoencoder (Louizos et al. 2016), in packs.

    A trial's λ is β, the weight of the MMD, one number or one for each protected attribute. If an
    attribute has more than two groups, each is compared with all rows, as in the author's code; the
    MMD of several attributes are summed, an extension of the paper. The decoder gets the attributes.
    The encoder gets them only if the settings' `use_protected` leaves them among the features, as in
    the paper; otherwise they are not needed for prediction.

    Parameters
    ----------
    alpha : float or sequence of float, default 30
        Weight of the label's loss, one for all trials or one for each. With the paper's 1 the
        predictions on German are constant: see docs/baselines.md.
    hidden : int, default 100
        Units of the hidden layer of z1's encoder and of x's decoder; the paper's for Adult, which
        has 60 for German and 300 for Health.
    hidden_top : int, default 100
        Units of the hidden layer of z2's encoder and of z1's decoder: 60 for German, 150 for Health.
    latent : int, default 50
        Dimensions of z1 and of z2: 30 for German.
    epochs : int, default 100
        Passes over the training rows; open in the paper, 50 to 200 in public implementations.
    batch_size : int, default 100
        Rows of a minibatch, rounded to a multiple of 32.
    learning_rate : float, default 0.001
        Of Adam, whose defaults the paper uses.
    sample : bool, default True
        Predict from a sample of q(z1 | x, s), on which the MMD acts, instead of its mean.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """

    fitted = FittedVFAE

    def __init__(
        self,
        alpha: float | Sequence[float] = 30.0,
        hidden: int = 100,
        hidden_top: int = 100,
        latent: int = 50,
        epochs: int = 100,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        sample: bool = True,
    ) -> None:
        super().__init__(epochs, batch_size, learning_rate)
        self.alpha = checked_hyperparameter("alpha", alpha)
        self.hidden = checks.whole("hidden", hidden, 1)
        self.hidden_top = checks.whole("hidden_top", hidden_top, 1)
        self.latent = checks.whole("latent", latent, 1)
        self.sample = checks.flag("sample", sample)

    def build(self, seeds: Sequence[int], beta: Tensor, training: Arrays) -> Autoencoders:
        """Return the untrained autoencoders of a pack; β weighs the MMD."""
        return Autoencoders(
            Inputs.of(training),
            training.task.attributes,
            self.hidden,
            self.hidden_top,
            self.latent,
            seeds,
            by_trial("alpha", self.alpha, len(seeds)),
            beta,
            self.sample,
        )
