"""What a branch predicts: one class for each kind of output, the target's or an attribute's.

A class holds everything that depends on the kind: the loss and its gradient, the link from logits to
scores, how the values to predict are prepared. To add a kind, write a subclass of `Branch` and
decorate it with `register`; everything else asks the branch.

Losses and links are written with ``exp`` and ``log`` instead of torch's own: torch.sigmoid rounds
differently in its vectorised loop and in the scalar tail, so that the place of an element in the pack
would change its value. Gradients are written out, so that no autograd graph is built. This module does
not load torch: only the methods that get tensors use it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
AnyBranch = TypeVar("AnyBranch", bound="type[Branch]")

# What attribute branches get: see `grad_ext.training.settings.Settings.adversary_input`.
ADVERSARY_INPUTS = ("representation", "prediction")
OUTPUTS: dict[str, type[Branch]] = {}


def register(branch: AnyBranch) -> AnyBranch:
    """Add a class to `OUTPUTS` under its `kind`, which model files name it by, and return it."""
    OUTPUTS[branch.kind] = branch
    return branch


@dataclass(frozen=True)
class Branch(ABC):
    """What one branch predicts.

    Attributes
    ----------
    name : str
        ``target``, or the attribute's name.
    outputs : int
        R, how many numbers the branch returns.
    kind : str
        Name of the class in `OUTPUTS`, model files and messages.
    single : bool
        Whether `outputs` can only be 1.
    reconstructs : bool
        Whether it predicts the features themselves.

    Raises
    ------
    InputError
        If the kind does not allow that many outputs.
    """

    name: str
    outputs: int = 1

    kind: ClassVar[str]
    single: ClassVar[bool] = False
    reconstructs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.outputs < 1 or (self.single and self.outputs > 1):
            raise InputError(f"a {self.kind} branch cannot have {self.outputs} outputs")

    @staticmethod
    def of_groups(name: str, groups: int) -> Branch:
        """Return the branch that predicts one of so many groups or classes."""
        return Categorical(name, groups) if groups > 2 else Binary(name)

    @property
    def classes(self) -> int:
        """How many classes or groups it predicts one of; 0 for numbers."""
        return 0

    @abstractmethod
    def loss_and_gradient(self, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each row, and its derivative by the logits.

        Parameters
        ----------
        logits : Tensor of shape (P, R, B)
            What the branch returns.
        truth : Tensor
            What it should predict: numbers, 0 or 1, or int64 class numbers, of shape (P, 1, B); the
            features, of shape (P, R, B).

        Returns
        -------
        loss : Tensor of shape (P, B)
            In nats, or squared units.
        gradient : Tensor of shape (P, R, B)
        """

    def link(self, logits: Tensor) -> Tensor:
        """Return the scores of logits of shape (P, R, B): probabilities, or the numbers themselves."""
        return logits

    def link_gradient(self, scores: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient by the logits, from the scores that `link` returned and their gradient."""
        return gradient

    def present(self, column: Floats) -> NDArray[np.bool_]:
        """Return which of the values (N,) are known."""
        return ~np.isnan(column)

    def truth(self, column: Floats, weight: Floats) -> NDArray[np.generic] | None:
        """Return known values (N,) as the loss takes them; None if the features are the truth."""
        return column

    def location_and_scale(self, column: Floats, weight: Floats) -> tuple[float, float]:
        """Return what training subtracts from the values (N,), and divides them by."""
        return 0.0, 1.0


@register
class Binary(Branch):
    """One of two groups or classes: one logit and the logistic loss."""

    kind = "binary"
    single = True

    @property
    def classes(self) -> int:
        """Return 2."""
        return 2

    def loss_and_gradient(self, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logistic loss and its gradient."""
        from torch.nn.functional import logsigmoid

        loss = -logsigmoid(logits.where(truth > 0, -logits))
        return loss[:, 0], sigmoid(logits) - truth

    def link(self, logits: Tensor) -> Tensor:
        """Return the probability of group or class 1."""
        return sigmoid(logits)

    def link_gradient(self, scores: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient of the logistic function."""
        return scores * gradient * (1.0 - scores)


@register
class Categorical(Branch):
    """One of several groups or classes: a logit for each and the cross entropy."""

    kind = "categorical"

    @property
    def classes(self) -> int:
        """Return the number of outputs."""
        return self.outputs

    def loss_and_gradient(self, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cross entropy and its gradient."""
        probability = softmax(logits)
        loss = -probability.gather(1, truth).clamp_min(1e-38).log()
        return loss[:, 0], probability.scatter_add(1, truth, logits.new_full(truth.shape, -1.0))

    def link(self, logits: Tensor) -> Tensor:
        """Return the probability of each group or class."""
        return softmax(logits)

    def link_gradient(self, scores: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient of the softmax."""
        weighted = scores * gradient
        return weighted - scores * weighted.sum(1, keepdim=True)

    def truth(self, column: Floats, weight: Floats) -> NDArray[np.generic]:
        """Return the class numbers as int64."""
        return column.astype(np.int64)


class _Squared(Branch):
    """Numbers with the squared error."""

    def loss_and_gradient(self, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return the squared norm of the error and its gradient."""
        error = logits - truth
        return error.square().sum(1), 2.0 * error


@register
class Continuous(_Squared):
    """A number: the squared error of its standardised value."""

    kind = "continuous"
    single = True

    def truth(self, column: Floats, weight: Floats) -> NDArray[np.generic]:
        """Return the standardised values."""
        location, scale = self.location_and_scale(column, weight)
        return (column - location) / scale

    def location_and_scale(self, column: Floats, weight: Floats) -> tuple[float, float]:
        """Return the weighted mean and standard deviation; 1 for the deviation of a constant."""
        if not weight.any():
            return 0.0, 1.0
        mean = float(np.average(column, weights=weight))
        variance = float(np.average((column - mean) ** 2, weights=weight))
        return mean, variance**0.5 or 1.0


@register
class Features(_Squared):
    """The features, reconstructed: the squared norm of the error (the paper's Auto)."""

    kind = "features"
    reconstructs = True

    def present(self, column: Floats) -> NDArray[np.bool_]:
        """Return True for every row: features are never missing."""
        return np.ones(len(column), bool)

    def truth(self, column: Floats, weight: Floats) -> None:
        """Return None: the minibatch itself is the truth."""


@dataclass(frozen=True)
class Task:
    """What the columns of `Arrays.y` and `Arrays.a` are."""

    target: Branch
    attributes: tuple[Branch, ...]


def branch_of(kind: str, name: str, outputs: int) -> Branch:
    """Return the branch of a kind.

    Raises
    ------
    InputError
        If there is no such kind, or it does not allow that many outputs.
    """
    if kind not in OUTPUTS:
        raise unknown("kind of branch", kind, OUTPUTS)
    return OUTPUTS[kind](name, outputs)


def sigmoid(logit: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-logit)), which rounds alike for every element of a tensor."""
    return (-logit).exp().add_(1.0).reciprocal_()


def softmax(logits: Tensor) -> Tensor:
    """Return the softmax over axis 1, shape (P, R, B), which rounds alike for every element."""
    shifted = (logits - logits.amax(1, keepdim=True)).exp()
    return shifted / shifted.sum(1, keepdim=True)
