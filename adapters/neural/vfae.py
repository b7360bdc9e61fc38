"""VFAE, the variational fair autoencoder, as a method on packs.

Louizos, Swersky, Li, Welling and Zemel (2016), "The Variational Fair Autoencoder": a representation
z1 of the features x predicts the label y and is to hold nothing of the protected attributes s. The
decoder gets s beside z1, and the maximum mean discrepancy (MMD) between the z1 of the groups is
penalised. docs/baselines.md lists what the paper leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from grad_ext import checks
from grad_ext.adapters.neural.packs import (
    STEP,
    Layers,
    Minibatch,
    blocks,
    by_trial,
    check_hyperparameter,
    check_trials,
    fit,
)
from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import one_thread, shared_tensor
from grad_ext.outputs import Branch
from grad_ext.seeds import torch_generator
from grad_ext.training.checkpoint import History
from grad_ext.trial import Trial

# Random features of the MMD's kernel, as many as in the public implementations.
FREQUENCIES = 500
# Added to the squared MMD, since the slope of the root at 0 is infinite.
ROOT = 1e-8
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


def comparisons(groups: Tensor, w: Tensor) -> Tensor:
    """Return the coefficients of the rows in each comparison of an attribute's groups.

    The sum of a quantity times the coefficients of a comparison is the difference of two weighted
    means: of the two groups, or of one of several groups and all rows. A comparison with a group
    that has no row is all zeros.

    Parameters
    ----------
    groups : Tensor of shape (P, G, B)
        1 for the row's group and 0 for the others; all 0 where it is missing.
    w : Tensor of shape (P, B)
        Instance weights.

    Returns
    -------
    Tensor of shape (P, M, B)
        M = 1 for two groups, else M = G.
    """
    weight = groups * w.unsqueeze(1)
    size = weight.sum(2, keepdim=True)
    share = weight / torch.where(size > 0, size, 1.0)
    if groups.shape[1] == 2:
        return (share[:, :1] - share[:, 1:]) * (size > 0).all(1, keepdim=True)
    whole, rows = weight.sum(1, keepdim=True), size.sum(1, keepdim=True)
    return (share - whole / torch.where(rows > 0, rows, 1.0)) * (size > 0)


def discrepancy(z: Tensor, coefficients: Tensor, frequencies: Tensor, phases: Tensor) -> Tensor:
    """Return the MMD of each comparison, shape (P, M), by random Fourier features.

    The kernel is exp(-d²/(2 L)) for a distance d in L dimensions: the author's bandwidth, with which
    the kernel of two standard normal points does not vanish for a large L.

    Parameters
    ----------
    z : Tensor of shape (P, L, B)
        Points.
    coefficients : Tensor of shape (P, M, B)
        See `comparisons`.
    frequencies : Tensor of shape (P, F, L)
        Standard normal numbers.
    phases : Tensor of shape (P, F, 1)
        Uniform between 0 and 2π.
    """
    angles = torch.bmm(frequencies * z.shape[1] ** -0.5, z) + phases
    features = math.sqrt(2.0 / frequencies.shape[1]) * torch.cos(angles)
    # In this order: the rounding of a product with a single column depends on the pack's size.
    differences = torch.bmm(coefficients, features.transpose(1, 2))
    return torch.sqrt(differences.square().sum(2) + ROOT) - math.sqrt(ROOT)


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


@dataclass(frozen=True)
class FittedVFAE:
    """A trained pack.

    Attributes
    ----------
    pack : Autoencoders
        The weights of each member's best epoch.
    width : int
        D, the number of features.
    history : History
        The losses and metrics of every epoch; the attributes' losses are their MMD.
    epochs : array of shape (P,)
        The best epochs, counted from 1.
    """

    pack: Autoencoders
    width: int
    history: History
    epochs: NDArray[np.intp]

    def _rows(self, X: NDArray[np.float32]) -> Tensor:
        checks.columns("X", X, self.width)
        return shared_tensor(X, self.pack.alpha.dtype)

    def scores(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return q(y = 1 | z1), shape (P, 1, N), for X of shape (N, D)."""
        with one_thread():
            scores: NDArray[np.floating] = self.pack.scores(self._rows(X)).numpy()
        return scores

    def representations(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the representations z1, shape (P, L, N), for X of shape (N, D).

        A sample of q(z1 | x, s), the same in every call, in which a row's noise depends on its
        position in X; or the mean, with ``sample=False``.
        """
        with one_thread():
            z1: NDArray[np.floating] = self.pack.representations(
                self._rows(X), self.pack.sample
            ).numpy()
        return z1

    def means(self, X: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the means of q(z1 | x, s), shape (P, L, N), on which the MMD does not act."""
        with one_thread():
            z1: NDArray[np.floating] = self.pack.representations(self._rows(X), False).numpy()
        return z1


class VFAE:
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
        check_hyperparameter("alpha", alpha)
        self.alpha = alpha
        self.hidden = checks.whole("hidden", hidden, 1)
        self.hidden_top = checks.whole("hidden_top", hidden_top, 1)
        self.latent = checks.whole("latent", latent, 1)
        self.epochs = checks.whole("epochs", epochs, 1)
        self.batch_size = checks.whole("batch_size", batch_size, 1)
        self.learning_rate = checks.above_0("learning_rate", learning_rate)
        self.sample = checks.flag("sample", sample)

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> FittedVFAE:
        """Train the trials as one pack; the rule that their settings name chooses the epoch.

        Raises
        ------
        InputError
            If the trials do not belong in one pack, there are not as many as values of alpha, the
            target is not binary, or an attribute is continuous.
        """
        check_trials(trials, training)
        seeds = [trial.seed for trial in trials]
        pack = Autoencoders(
            Inputs.of(training),
            training.task.attributes,
            self.hidden,
            self.hidden_top,
            self.latent,
            seeds,
            by_trial("alpha", self.alpha, len(trials)),
            torch.tensor([trial.lams for trial in trials], dtype=torch.float32),
            self.sample,
        )
        history, epochs = fit(
            pack,
            seeds,
            training,
            validation,
            self.epochs,
            self.batch_size,
            self.learning_rate,
            trials[0].settings.checkpoint,
            on_epoch,
        )
        return FittedVFAE(pack, training.X.shape[1], history, epochs)
