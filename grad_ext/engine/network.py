"""P networks of one shape as one: every parameter has the pack axis first.

The network of the paper (section 2): a trunk feeds a target branch and one attribute branch for
each protected attribute; every hidden layer is fully connected, batch-normalised and rectified; a
branch ends in as many numbers as its task needs, one logit for a binary attribute. Alphabet: P
members, N rows, B rows of a minibatch, D features, H hidden units, K protected attributes, M = 1 + K
branches, R outputs of a branch.

Activations have the shape (P, H, B), units before rows, so that the rows by which batch normalisation
normalises a unit are contiguous. Target and attribute branches on the trunk have one shape and are
stacked too: branch 0 is the target's. Attribute branches that get the prediction are linear, one head
each. If the constraint has several strata, attribute branches have a head for each, and the head of a
row's stratum predicts it. Training passes, forward and backward, are in `grad_ext.engine.backprop`.

Two things make the results of a member independent of the rest of the pack, bit for bit on a CPU (see
docs/packs.md for the measurements): every matrix product is a batched one, in which each member is
multiplied alone, over a number of rows that is a multiple of `ROW_STEP`; and all parameters are pieces
of one buffer that begin and end on multiples of `ALIGN`, so that no element is in the scalar tail of a
vectorised loop, which may round differently.

A user's module can replace the trunk's layers: see `grad_ext.engine.module_trunk`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grad_ext.engine.batches import ROW_STEP
from grad_ext.engine.dense import EPS
from grad_ext.engine.module_trunk import ModuleTrunk
from grad_ext.engine.parameters import carve, carve_parameters, draw_weight, padded
from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError

# Rows scored at once: limits the memory of the activations. On a GPU this many rows for up to
# SCORE_MEMBERS members, and fewer for more.
SCORE_ROWS, SCORE_MEMBERS, LEAST_SCORE_ROWS = 4096, 64, 256


class Network:
    """P networks of one shape, each with its own initial weights.

    Weights are drawn from N(0, 1/fan_in) (LeCun's, the default of Chainer, in which the paper was
    implemented), with a generator for each layer and branch: a network without attribute branches
    starts with the same trunk and target branch as one with them. There is no bias before a batch
    normalisation, which would cancel it.

    Parameters
    ----------
    shape : Shape
        Sizes of every member.
    seeds : sequence of int
        One seed for each of the P members.
    dtype : torch.dtype, default torch.float32
        Of all tensors; float64 shows what rounding does.
    trunk : ModuleTrunk, optional
        A user's module below the branches, with its own initial weights.

    Raises
    ------
    InputError
        If the shape is that of another trunk, or there are not P initial weights of the trunk.
    """

    def __init__(
        self,
        shape: Shape,
        seeds: Sequence[int],
        dtype: torch.dtype = torch.float32,
        trunk: ModuleTrunk | None = None,
    ) -> None:
        if shape.module != (trunk is not None) or (trunk and shape.trunk != (trunk.width,)):
            got = "no module" if trunk is None else f"a module of width {trunk.width}"
            raise InputError(f"trunk: expected one that fits {shape}, got {got}")
        self.shape = shape
        self.members = len(seeds)
        self.seeds = tuple(seeds)
        self.trunk = None if trunk is None else trunk.bare()
        sizes = {name: (self.members, *size) for name, size in shape.parameters().items()}
        if trunk is not None:
            # Rows of a piece are padded, so that each member's begins on a full vector. The padding
            # is part of the leaf, since autograd requires leaves without gaps.
            sizes |= {
                f"trunk.{name}": (self.members, padded(size))
                for name, size in trunk.parameters.items()
            }
        self._sizes: dict[str, tuple[int, ...]] = sizes
        self._settle(torch.zeros(sum(padded(size) for size in sizes.values()), dtype=dtype))
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                if name.endswith(".gain"):
                    parameter.fill_(1.0)
        self.statistics = {
            name: torch.full((self.members, *size), float(name.endswith(".variance")), dtype=dtype)
            for name, size in shape.statistics().items()
        }
        for member, seed in enumerate(seeds):
            self._draw(member, seed)
        if trunk is not None:
            self._add_trunk(trunk)

    def _settle(self, flat: Tensor) -> None:
        """Make the parameters views of a buffer, and their gradients views of another."""
        self.flat = flat
        self.parameters = carve_parameters(flat, self._sizes)

    @property
    def device(self) -> torch.device:
        """The device of the network's tensors."""
        return self.flat.device

    def on(self, device: str | torch.device) -> Network:
        """Return the network with its tensors on a device: itself if they are there, else a copy.

        Initial weights are drawn on the CPU, so that a seed gives the same ones on every device.
        """
        return self if self.device == torch.device(device) else self.copied(device)

    def copied(self, device: str | torch.device | None = None) -> Network:
        """Return a copy of the network and its tensors, on the same device or another."""
        device = self.device if device is None else device
        moved = copy.copy(self)
        moved._settle(self.flat.detach().to(device, copy=True))
        moved.statistics = {n: value.to(device, copy=True) for n, value in self.statistics.items()}
        return moved

    def __getstate__(self) -> dict[str, Any]:
        # Parameters and gradients are views of one buffer each: pickled one by one, every view
        # would bring the whole buffer, and come back with a buffer of its own.
        state = {name: value.numpy(force=True) for name, value in self.state().items()}
        return {
            "shape": self.shape,
            "dtype": self.flat.dtype,
            "state": state,
            "seeds": self.seeds,
            "trunk": self.trunk,
        }

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        # Copied, since joblib returns large arrays that cannot be written to.
        state = {name: torch.tensor(value) for name, value in pickled["state"].items()}
        network = Network.from_state(pickled["shape"], state, pickled["dtype"], pickled["trunk"])
        # A module's random numbers depend on the seeds and on the steps that its trunk has counted.
        vars(self).update(vars(network), seeds=pickled["seeds"], trunk=pickled["trunk"])

    def _add_trunk(self, trunk: ModuleTrunk) -> None:
        """Add the module's untrained tensors to the statistics, and copy its initial weights, if any."""
        for name, (size, dtype) in trunk.fixed.items():
            kind = self.flat.dtype if dtype.is_floating_point else dtype
            self.statistics[f"trunk.{name}"] = torch.zeros(self.members, *size, dtype=kind)
        if trunk.initial:
            _fill(self._trunk_tensors(), trunk.initial)

    def _trunk_tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the user's module by its own names, without their padding."""
        if self.trunk is None:
            return {}
        tensors = {name: self.statistics[f"trunk.{name}"] for name in self.trunk.fixed}
        for name, size in self.trunk.parameters.items():
            piece = self.parameters[f"trunk.{name}"][:, : torch.Size(size).numel()]
            tensors[name] = piece.view(self.members, *size)
        return tensors

    def _draw(self, member: int, seed: int) -> None:
        with torch.no_grad():
            for name in self.shape.parameters():
                if not name.endswith(".weight"):
                    continue
                parameter = self.parameters[name]
                layer = name.removesuffix(".weight")
                if layer.startswith("attribute.") and self.shape.reads_prediction:
                    # At 0 its gradient by the prediction is 0 until it has learned something.
                    continue
                if layer.startswith("branch."):
                    pieces = {
                        f"{branch}.{layer.removeprefix('branch.')}": parameter[member, m]
                        for m, branch in enumerate(self.shape.names[: parameter.shape[1]])
                    }
                else:
                    pieces = {layer: parameter[member]}
                for piece, weight in pieces.items():
                    draw_weight(weight, seed, piece)

    def reversal(self, strength: Tensor) -> Tensor:
        """Return the factors of the gradients on their way from the branches into the trunk.

        Parameters
        ----------
        strength : Tensor of shape (P, K)
            Strength of the reversal for each member and attribute branch.

        Returns
        -------
        Tensor of shape (P, R, 1)
            1 for the rows of the target branch's first layer, and minus the strength for those of
            the attribute branches. If attribute branches get the prediction, minus the strength
            alone.
        """
        shape = self.shape
        if shape.reads_prediction:
            sizes = torch.tensor(shape.head_sizes[1:])
            return -strength.repeat_interleave(sizes, dim=1).unsqueeze(2)
        rows = [shape.branch[0] if shape.branch else size for size in shape.head_sizes]
        by_branch = torch.cat([strength.new_ones(len(strength), 1), -strength], dim=1)
        return by_branch.repeat_interleave(torch.tensor(rows), dim=1).unsqueeze(2)

    def by_branch(self, target: float, attribute: float) -> Tensor:
        """Return a number for every element of `flat`.

        Parameters
        ----------
        target : float
            For the elements of the trunk and the target branch.
        attribute : float
            For those of the attribute branches.
        """
        flat = torch.full_like(self.flat, target)
        for name, piece in carve(flat, self._sizes).items():
            if name.startswith("branch."):
                piece[:, 1:] = attribute
            elif name.startswith("attribute."):
                piece.fill_(attribute)
        return flat

    def trunk_outputs(self, x: Tensor) -> Tensor:
        """Return the outputs (P, H, B) of the user's module for each member's minibatch (P, B, D)."""
        assert self.trunk is not None
        return self.trunk.outputs(x, self._trunk_tensors(), self.seeds)

    def adversary_weights(self) -> Tensor:
        """Return the weights of the linear attribute branches, one below the other.

        Returns
        -------
        Tensor of shape (P, R, S)
        """
        names = self.shape.names[1:]
        return torch.cat([self.parameters[f"{name}.head.weight"] for name in names], 1)

    @torch.no_grad()
    def scores(self, X: Tensor) -> Tensor:
        """Return the predictions of every member, normalised by the running statistics.

        Parameters
        ----------
        X : Tensor of shape (N, D)
            Rows, the same for all members.

        Returns
        -------
        Tensor of shape (P, R, N)
            The probability of the favorable label, of each class, or the predicted numbers.
        """
        out = self.flat.new_empty(self.members, self.shape.target.outputs, len(X))
        for start, h in self._trunk_blocks(X):
            for i in range(len(self.shape.branch)):
                h = self._apply(f"branch.{i}", h)
            logits = torch.bmm(self.parameters["target.head.weight"], h)
            logits += self.parameters["target.head.bias"].unsqueeze(2)
            block = out[:, :, start : start + logits.shape[2]]
            block.copy_(self.shape.target.link(logits)[:, :, : block.shape[2]])
        return out

    @torch.no_grad()
    def representations(self, X: Tensor) -> Tensor:
        """Return the trunk's output of every member, normalised by the running statistics.

        Parameters
        ----------
        X : Tensor of shape (N, D)
            Rows, the same for all members.

        Returns
        -------
        Tensor of shape (P, H, N)
        """
        out = self.flat.new_empty(self.members, self.shape.trunk[-1], len(X))
        for start, h in self._trunk_blocks(X):
            block = out[:, :, start : start + h.shape[2]]
            block.copy_(h[:, :, : block.shape[2]])
        return out

    def _trunk_blocks(self, X: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield the trunk's output block by block of rows, padded to whole vectors."""
        rows_at_once = SCORE_ROWS
        if self.device.type != "cpu":
            # Fewer rows for thousands of members. On a CPU the results must not depend on their number.
            X = X.to(self.device, self.flat.dtype)
            rows_at_once = max(LEAST_SCORE_ROWS, SCORE_ROWS // -(-self.members // SCORE_MEMBERS))
        for start in range(0, len(X), rows_at_once):
            rows = X[start : start + rows_at_once].to(self.flat.dtype)
            if len(rows) % ROW_STEP:
                # Padding copies the rows, also where it adds none.
                rows = F.pad(rows, (0, 0, 0, -len(rows) % ROW_STEP))
            if self.trunk is not None:
                yield start, self.trunk.representations(rows, self._trunk_tensors())
                continue
            if self.device.type == "cpu":
                h = torch.bmm(
                    self.parameters["trunk.0.weight"], rows.T.expand(self.members, -1, -1)
                )
            else:
                # One product: a batched one would copy the rows for every member.
                h = torch.mm(self.parameters["trunk.0.weight"].flatten(0, 1), rows.T)
            h = self._rectified("trunk.0", h.view(self.members, -1, len(rows)))
            for i in range(1, len(self.shape.trunk)):
                h = self._apply(f"trunk.{i}", h)
            yield start, h

    def _apply(self, layer: str, h: Tensor) -> Tensor:
        """Return the output of a trunk layer, or of the target branch's layer, for h (P, I, N)."""
        weight = self.parameters[f"{layer}.weight"]
        weight = weight[:, 0] if layer.startswith("branch") else weight
        return self._rectified(layer, torch.bmm(weight, h))

    def _rectified(self, layer: str, h: Tensor) -> Tensor:
        """Normalise a layer's product by the running statistics, and rectify it."""

        def target(x: Tensor) -> Tensor:
            return x[:, 0] if layer.startswith("branch") else x

        scale = torch.rsqrt(target(self.statistics[f"{layer}.variance"]) + EPS)
        scale = scale * target(self.parameters[f"{layer}.gain"])
        shift = target(self.parameters[f"{layer}.shift"])
        shift = shift - scale * target(self.statistics[f"{layer}.mean"])
        return torch.relu_(h.mul_(scale.unsqueeze(2)).add_(shift.unsqueeze(2)))

    @classmethod
    def from_state(
        cls,
        shape: Shape,
        state: Mapping[str, Tensor],
        dtype: torch.dtype = torch.float32,
        trunk: ModuleTrunk | None = None,
    ) -> Network:
        """Return the network that `state` describes, in the given precision.

        A network on a user's module needs that module again, as `trunk`.

        Raises
        ------
        InputError
            If a tensor is missing, or has another shape than the network's.
        """
        members = len(next(iter(state.values()))) if state else 0
        network = cls(shape, [0] * members, dtype, None if trunk is None else trunk.bare())
        _fill(network.state(), state)
        return network

    def state(self) -> dict[str, Tensor]:
        """Return every parameter and running statistic by name, each of shape (P, ...)."""
        return {
            **{name: value.detach() for name, value in self.parameters.items()},
            **self.statistics,
            **{f"trunk.{name}": value.detach() for name, value in self._trunk_tensors().items()},
        }


@torch.no_grad()
def _fill(tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Copy the tensors of `state` into those of the same names, or raise InputError."""
    for name, value in tensors.items():
        if name not in state:
            raise InputError(f"tensor {name!r} is missing from the network's state")
        if state[name].shape != value.shape:
            raise InputError(
                f"tensor {name!r}: expected shape {tuple(value.shape)}, "
                f"got {tuple(state[name].shape)}"
            )
        value.copy_(state[name])
