"""P networks of one shape as one: every parameter has the pack axis first.

The network of the paper (section 2): a trunk feeds a target branch and one attribute branch for
each protected attribute; every hidden layer is fully connected, batch-normalised and rectified; a
branch ends in a single logit. Alphabet: P members, N rows, B rows of a minibatch, D features, H
hidden units, K protected attributes, M = 1 + K branches.

Activations are laid out (P, H, B), units before rows, so that torch's own batch normalisation sees
the view (1, P*H, B) and normalises each member's unit over its own minibatch. Target and attribute
branches have one shape and are stacked too: branch 0 is the target's.

Two things make a member's numbers independent of the rest of the pack, bit for bit on a CPU (see
docs/packs.md for the measurements): every matrix product is a batched one, in which each member is
multiplied alone, over a number of rows that is a multiple of `ROW_STEP`; and all parameters lie in
one buffer whose pieces begin and end on multiples of `ALIGN`, so that no element is left over for
the scalar tail of a vectorised loop, which may round differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from grad_ext.errors import InputError
from grad_ext.reversal import fork
from grad_ext.seeds import torch_generator

# float32 lanes of the widest vector register (512 bits).
ALIGN = 16
# Rows of a minibatch come in multiples of this, so that each member's slice of an activation
# begins on a full vector: products over fewer or crooked rows fall back to other kernels.
ROW_STEP = 16
# Rows scored at once: bounds the memory of the activations.
SCORE_ROWS = 4096
BATCH_NORM_MOMENTUM = 0.1
BATCH_NORM_EPS = 1e-5


@dataclass(frozen=True)
class Shape:
    """Sizes of one network.

    Attributes
    ----------
    features : int
        D, inputs.
    trunk : tuple of int
        Units of each trunk layer; at least one layer, since the reversal acts on its output.
    branch : tuple of int
        Units of each hidden layer of a branch; may be empty.
    attributes : tuple of str
        Names of the attribute branches; empty for the plain network (NN).
    """

    features: int
    trunk: tuple[int, ...]
    branch: tuple[int, ...]
    attributes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.trunk:
            raise InputError("the trunk needs at least one layer, got none")
        for what, sizes in (("trunk", self.trunk), ("branch", self.branch)):
            if any(units < 1 for units in sizes):
                raise InputError(f"{what}: every layer needs at least one unit, got {sizes}")

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the M branches, the target's first."""
        return ("target", *(f"attribute.{name}" for name in self.attributes))

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter of one member, by name."""
        sizes: dict[str, tuple[int, ...]] = {}
        width = self.features
        for i, units in enumerate(self.trunk):
            sizes |= {
                f"trunk.{i}.weight": (units, width),
                f"trunk.{i}.gain": (units,),
                f"trunk.{i}.shift": (units,),
            }
            width = units
        branches = len(self.branches)
        for i, units in enumerate(self.branch):
            sizes |= {
                f"branch.{i}.weight": (branches, units, width),
                f"branch.{i}.gain": (branches, units),
                f"branch.{i}.shift": (branches, units),
            }
            width = units
        return sizes | {"head.weight": (branches, 1, width), "head.bias": (branches,)}

    def statistics(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every running statistic of one member, by name."""
        return {
            f"{name.removesuffix('.gain')}.{kind}": size
            for name, size in self.parameters().items()
            if name.endswith(".gain")
            for kind in ("mean", "variance")
        }


class Network:
    """P networks of one shape, each with its own initial weights.

    Weights are drawn from N(0, 1/fan_in) (LeCun's, the default of Chainer, in which the paper was
    implemented), a generator for each layer and branch: a network without attribute branches starts
    from the same trunk and target branch as one with them. There is no bias before a batch
    normalisation, which would cancel it.

    Parameters
    ----------
    shape : Shape
        Sizes of every member.
    seeds : sequence of int
        One seed a member; their number is P.
    dtype : torch.dtype, default torch.float32
        Of all tensors; float64 shows what rounding does.
    """

    def __init__(
        self, shape: Shape, seeds: Sequence[int], dtype: torch.dtype = torch.float32
    ) -> None:
        self.shape = shape
        self.members = len(seeds)
        sizes = {name: (self.members, *size) for name, size in shape.parameters().items()}
        self.flat = torch.zeros(sum(_padded(size) for size in sizes.values()), dtype=dtype)
        # autograd adds to an existing .grad in place, so one optimiser step over `flat` serves all.
        self.flat.grad = torch.zeros_like(self.flat)
        self.parameters = _carve(self.flat, sizes)
        for (name, parameter), gradient in zip(
            self.parameters.items(), _carve(self.flat.grad, sizes).values(), strict=True
        ):
            if name.endswith(".gain"):
                parameter.fill_(1.0)
            parameter.requires_grad_().grad = gradient
        self.statistics = {
            name: torch.full((self.members, *size), float(name.endswith(".variance")), dtype=dtype)
            for name, size in shape.statistics().items()
        }
        for member, seed in enumerate(seeds):
            self._draw(member, seed)
        # +1 for the rows of the target branch, -1 for those of the attribute branches.
        rows = shape.branch[0] if shape.branch else 1
        signs = torch.tensor([1.0] + [-1.0] * len(shape.attributes), dtype=dtype)
        self._multiplier = signs.repeat_interleave(rows)[:, None]

    def _draw(self, member: int, seed: int) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                if not name.endswith(".weight"):
                    continue
                layer = name.removesuffix(".weight")
                if layer.startswith("trunk"):
                    pieces = {layer: parameter[member]}
                else:
                    pieces = {
                        f"{branch}.{layer.removeprefix('branch.')}": parameter[member, m]
                        for m, branch in enumerate(self.shape.branches)
                    }
                for piece, weight in pieces.items():
                    generator = torch_generator(seed, "weights", piece)
                    weight.normal_(0.0, weight.shape[-1] ** -0.5, generator=generator)

    def logits(self, x: Tensor) -> Tensor:
        """Return every branch's logit for each member's own minibatch, in training mode.

        Normalises by the minibatch and moves the running statistics.

        Parameters
        ----------
        x : Tensor of shape (P, B, D)
            A minibatch for each member, B a multiple of `ROW_STEP`.

        Returns
        -------
        Tensor of shape (P, M, B)
        """
        parameters, branches = self.parameters, len(self.shape.branches)
        h = x.transpose(1, 2)
        for i in range(len(self.shape.trunk)):
            h = self._normalise(f"trunk.{i}", torch.bmm(parameters[f"trunk.{i}.weight"], h))
        layers = [f"branch.{i}" for i in range(len(self.shape.branch))]
        for i, layer in enumerate([*layers, "head"]):
            weight = parameters[f"{layer}.weight"]
            if i == 0:
                h = fork(h, weight.flatten(1, 2), self._multiplier)
            else:
                h = torch.bmm(weight.flatten(0, 1), h.view(self.members * branches, -1, x.shape[1]))
            if layer != "head":
                h = self._normalise(layer, h)
        return h.view(self.members, branches, -1) + parameters["head.bias"].unsqueeze(2)

    def _normalise(self, layer: str, h: Tensor) -> Tensor:
        normal = F.batch_norm(
            h.view(1, -1, h.shape[-1]),
            self.statistics[f"{layer}.mean"].view(-1),
            self.statistics[f"{layer}.variance"].view(-1),
            self.parameters[f"{layer}.gain"].view(-1),
            self.parameters[f"{layer}.shift"].view(-1),
            training=True,
            momentum=BATCH_NORM_MOMENTUM,
            eps=BATCH_NORM_EPS,
        )
        return torch.relu_(normal).view(h.shape)

    @torch.no_grad()
    def scores(self, X: Tensor) -> Tensor:
        """Return every member's probability of the favorable label, by the running statistics.

        Parameters
        ----------
        X : Tensor of shape (N, D)
            Rows that all members score.

        Returns
        -------
        Tensor of shape (P, N)
        """
        out = torch.empty(self.members, len(X), dtype=self.flat.dtype)
        for start in range(0, len(X), SCORE_ROWS):
            rows = X[start : start + SCORE_ROWS]
            h = F.pad(rows, (0, 0, 0, -len(rows) % ROW_STEP)).T
            h = h.expand(self.members, *h.shape)
            for i in range(len(self.shape.trunk)):
                h = self._apply(f"trunk.{i}", h)
            for i in range(len(self.shape.branch)):
                h = self._apply(f"branch.{i}", h)
            logit = torch.bmm(self.parameters["head.weight"][:, 0], h)[:, 0]
            logit += self.parameters["head.bias"][:, :1]
            out[:, start : start + len(rows)] = sigmoid(logit)[:, : len(rows)]
        return out

    def _apply(self, layer: str, h: Tensor) -> Tensor:
        def target(x: Tensor) -> Tensor:
            return x[:, 0] if layer.startswith("branch") else x

        scale = torch.rsqrt(target(self.statistics[f"{layer}.variance"]) + BATCH_NORM_EPS)
        scale = scale * target(self.parameters[f"{layer}.gain"])
        shift = target(self.parameters[f"{layer}.shift"])
        shift = shift - scale * target(self.statistics[f"{layer}.mean"])
        h = torch.bmm(target(self.parameters[f"{layer}.weight"]), h)
        return torch.relu_(h.mul_(scale.unsqueeze(2)).add_(shift.unsqueeze(2)))

    def state(self) -> dict[str, Tensor]:
        """Return every parameter and running statistic by name, each of shape (P, ...)."""
        return {
            **{name: value.detach() for name, value in self.parameters.items()},
            **self.statistics,
        }

    @torch.no_grad()
    def copy_members(self, members: Tensor, source: Network) -> None:
        """Take the chosen members' parameters and statistics from another network of this shape.

        Parameters
        ----------
        members : bool Tensor of shape (P,)
            Which members to take.
        """
        mine, theirs = self.state(), source.state()
        for name, value in mine.items():
            value[members] = theirs[name][members]


def sigmoid(logit: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-logit)).

    torch.sigmoid rounds differently in the vectorised loop and in its scalar tail, which would let
    an element's place in the pack show; exp does not.
    """
    return torch.exp(-logit).add_(1.0).reciprocal_()


def _padded(size: Sequence[int]) -> int:
    elements = 1
    for s in size:
        elements *= s
    return -(-elements // ALIGN) * ALIGN


def _carve(flat: Tensor, sizes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return non-overlapping views of a flat buffer, each beginning on a multiple of `ALIGN`."""
    views: dict[str, Tensor] = {}
    start = 0
    for name, size in sizes.items():
        padded = _padded(size)
        piece = flat.detach()[start : start + padded]
        elements = torch.Size(size).numel()
        views[name] = piece[:elements].view(size)
        start += padded
    return views
