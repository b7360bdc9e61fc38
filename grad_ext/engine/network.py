"""P networks of one shape as one: every parameter has the pack axis first.

The network of the paper (section 2): a trunk feeds a target branch and one attribute branch for
each protected attribute; every hidden layer is fully connected, batch-normalised and rectified; a
branch ends in as many numbers as its task needs, one logit for a binary attribute. Alphabet: P
members, N rows, B rows of a minibatch, D features, H hidden units, K protected attributes, M = 1 + K
branches, R outputs of a branch.

Activations are laid out (P, H, B), units before rows, so that what normalises a member's unit over its
own minibatch runs along memory. Target and attribute branches on the trunk have one shape and are
stacked too: branch 0 is the target's. Attribute branches that read the score, what the target branch
says, are a linear head each. Those that are told the row's label end in a head for each label, of which
the row's own one speaks. Here is what minibatches go through; what takes them through, and gradients
back, is in `grad_ext.engine.backprop`.

Two things make a member's numbers independent of the rest of the pack, bit for bit on a CPU (see
docs/packs.md for the measurements): every matrix product is a batched one, in which each member is
multiplied alone, over a number of rows that is a multiple of `ROW_STEP`; and all parameters lie in
one buffer whose pieces begin and end on multiples of `ALIGN`, so that no element is left over for
the scalar tail of a vectorised loop, which may round differently.

In place of the trunk's layers there may be a module of the user's: see `grad_ext.engine.module_trunk`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grad_ext.engine.backprop import SHARPNESS, ForwardBackward
from grad_ext.engine.batches import ROW_STEP
from grad_ext.engine.dense import EPS
from grad_ext.engine.losses import sigmoid, softmax
from grad_ext.engine.module_trunk import ModuleTrunk
from grad_ext.engine.parameters import carve, carve_parameters, draw_weight, padded
from grad_ext.errors import InputError, unknown
from grad_ext.outputs import READS, Branch

if TYPE_CHECKING:
    from grad_ext.engine.kernels import Drawn

# Rows scored at once: bounds the memory of the activations. On a GPU that many for so many members,
# and fewer for more.
SCORE_ROWS, SCORE_MEMBERS, LEAST_SCORE_ROWS = 4096, 64, 256
BINARY_TARGET = Branch("target", "binary")


@dataclass(frozen=True)
class Shape:
    """Sizes of one network.

    Attributes
    ----------
    features : int
        D, inputs.
    trunk : tuple of int
        Units of each trunk layer; at least one layer, since the reversal acts on its output. Of a
        module of the user's, (H,).
    branch : tuple of int
        Units of each hidden layer of a branch; may be empty.
    target : Branch
        What the target branch predicts.
    attributes : tuple of Branch
        What the attribute branches predict; empty for the plain network (NN).
    module : bool
        Whether the trunk is a module of the user's, so that its layers are not made here.
    reads : {'representation', 'prediction'}
        What the attribute branches see: the trunk's output, or what the target branch says.
    heads : int
        Heads of an attribute branch: one, or one for each label.
    """

    features: int
    trunk: tuple[int, ...]
    branch: tuple[int, ...]
    target: Branch = BINARY_TARGET
    attributes: tuple[Branch, ...] = ()
    module: bool = False
    reads: str = "representation"
    heads: int = 1

    def __post_init__(self) -> None:
        if not self.trunk:
            raise InputError("the trunk needs at least one layer, got none")
        for what, sizes in (("trunk", self.trunk), ("branch", self.branch)):
            if any(units < 1 for units in sizes):
                raise InputError(f"{what}: every layer needs at least one unit, got {sizes}")
        if self.reads not in READS:
            raise unknown("input of the attribute branches", self.reads, READS)
        if self.heads < 1:
            raise InputError(f"heads: expected at least 1, got {self.heads}")

    @property
    def layers(self) -> tuple[int, ...]:
        """Units of the trunk layers that are made here."""
        return () if self.module else self.trunk

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The M branches, the target's first."""
        return (self.target, *self.attributes)

    @property
    def stacked(self) -> tuple[Branch, ...]:
        """The branches on the trunk, whose layers are stacked."""
        return self.branches if self.reads == "representation" else (self.target,)

    @property
    def seen(self) -> int:
        """How many numbers attribute branches that read the score see of it: see `seen`."""
        target = self.target
        return target.outputs * (1 if target.kind == "continuous" else len(SHARPNESS))

    @property
    def ends(self) -> list[int]:
        """In how many numbers each of the M branches ends, all of its heads together."""
        return [self.target.outputs, *(b.outputs * self.heads for b in self.attributes)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the M branches among the parameters."""
        return ("target", *(f"attribute.{branch.name}" for branch in self.attributes))

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter of one member, by name."""
        sizes: dict[str, tuple[int, ...]] = {}
        width = self.features
        for i, units in enumerate(self.layers):
            sizes |= {
                f"trunk.{i}.weight": (units, width),
                f"trunk.{i}.gain": (units,),
                f"trunk.{i}.shift": (units,),
            }
            width = units
        width = self.trunk[-1]
        branches = len(self.stacked)
        for i, units in enumerate(self.branch):
            sizes |= {
                f"branch.{i}.weight": (branches, units, width),
                f"branch.{i}.gain": (branches, units),
                f"branch.{i}.shift": (branches, units),
            }
            width = units
        for m, (name, end) in enumerate(zip(self.names, self.ends, strict=True)):
            width = width if m < branches else self.seen
            sizes |= {f"{name}.head.weight": (end, width), f"{name}.head.bias": (end,)}
        return sizes

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
    trunk : ModuleTrunk, optional
        A module of the user's below the branches, with its own initial weights.

    Raises
    ------
    InputError
        If the shape is that of another trunk, or the trunk's initial weights are not P.
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
            raise InputError(f"trunk: expected what belongs to {shape}, got {got}")
        self.shape = shape
        self.members = len(seeds)
        self.seeds = tuple(seeds)
        self.trunk = None if trunk is None else trunk.bare()
        sizes = {name: (self.members, *size) for name, size in shape.parameters().items()}
        if trunk is not None:
            # Rows of a piece are padded, so that each member's begins on a full vector. The padding
            # is part of the leaf, for autograd wants its leaves without gaps.
            sizes |= {
                f"trunk.{name}": (self.members, padded(size))
                for name, size in trunk.parameters.items()
            }
        self._sizes: dict[str, tuple[int, ...]] = sizes
        self._passes: ForwardBackward | None = None
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
            self._take(trunk)
        self._reversed = self.reversal(torch.ones(1, len(shape.attributes), dtype=dtype))[0]

    def _settle(self, flat: Tensor) -> None:
        """Have the parameters in a buffer."""
        self.flat = flat
        self.parameters = carve_parameters(flat, self._sizes)

    @property
    def device(self) -> torch.device:
        """Where the network's tensors are."""
        return self.flat.device

    def on(self, device: str | torch.device) -> Network:
        """Return the network with its tensors on a device: itself if they are there, else a copy.

        The weights are drawn on the CPU wherever it trains, so that a seed begins alike everywhere.
        """
        return self if self.device == torch.device(device) else self.copied(device)

    def copied(self, device: str | torch.device | None = None) -> Network:
        """Return a network with tensors of its own that hold the same, on the same device or another."""
        device = self.device if device is None else device
        moved = copy.copy(self)
        moved._settle(self.flat.detach().to(device, copy=True))
        moved.statistics = {n: value.to(device, copy=True) for n, value in self.statistics.items()}
        moved._reversed = self._reversed.to(device)
        moved._passes = None
        return moved

    def __getstate__(self) -> dict[str, Any]:
        # Parameters and gradients are views of one buffer each: pickled one by one, every view
        # would bring the whole buffer, and come back with a buffer of its own.
        state = {name: value.numpy(force=True) for name, value in self.state().items()}
        kept = {"shape": self.shape, "dtype": self.flat.dtype, "state": state}
        return {**kept, "seeds": self.seeds, "trunk": self.trunk}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        # Copied, since joblib hands out large arrays that cannot be written to.
        state = {name: torch.tensor(value) for name, value in kept["state"].items()}
        whole = Network.from_state(kept["shape"], state, kept["dtype"], kept["trunk"])
        # What a module draws goes by the seeds and by the steps that its trunk has counted.
        vars(self).update(vars(whole), seeds=kept["seeds"], trunk=kept["trunk"])

    def _take(self, trunk: ModuleTrunk) -> None:
        """Make room for what the module does not train, and begin with its weights if it has any."""
        for name, (size, dtype) in trunk.fixed.items():
            kind = self.flat.dtype if dtype.is_floating_point else dtype
            self.statistics[f"trunk.{name}"] = torch.zeros(self.members, *size, dtype=kind)
        if trunk.initial:
            _fill(self._of_trunk(), trunk.initial)

    def _of_trunk(self) -> dict[str, Tensor]:
        """Return the tensors of the user's module by its own names, without what pads them."""
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
                if layer.startswith("attribute.") and self.shape.reads == "prediction":
                    # At 0 it reverses nothing until it has learned something.
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
        """Return what gradients are multiplied by on their way back from the branches.

        Parameters
        ----------
        strength : Tensor of shape (P, K)
            Of each member's reversal for each attribute branch.

        Returns
        -------
        Tensor of shape (P, R, 1)
            1 for the rows of the target branch's first layer, and minus the strength for those of
            the attribute branches: what `outputs` takes. Of branches that read the score, minus the
            strength alone.
        """
        shape = self.shape
        if shape.reads == "prediction":
            return -strength.repeat_interleave(torch.tensor(shape.ends[1:]), dim=1).unsqueeze(2)
        rows = [shape.branch[0] if shape.branch else end for end in shape.ends]
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

    def outputs(
        self,
        x: Tensor,
        reversal: Tensor | None = None,
        masks: Iterable[Tensor | Drawn] = (),
        labels: Tensor | None = None,
        ahead: Tensor | None = None,
    ) -> list[Tensor]:
        """Return what every branch says of each member's own minibatch, in training mode.

        Normalises by the minibatch and moves the running statistics.

        Parameters
        ----------
        x : Tensor of shape (P, B, D)
            A minibatch for each member, B a multiple of `ROW_STEP`.
        reversal : Tensor of shape (P, R, 1), optional
            See `reversal`; of strength 1 if not given.
        masks : iterable of Tensors of shape (P, H, B) or of Drawn, optional
            What the output of each layer that is made here is multiplied by: see `Dropout`.
        labels : int64 Tensor of shape (P, 1, B), optional
            Which head of the attribute branches speaks of each row, if there are several.
        ahead : Tensor of shape (P, R, S), optional
            The weights that the gradients of branches that read the score are reversed through, where
            they are not the `readers` themselves.

        Returns
        -------
        list of M Tensors of shape (P, R, B)
            The target's first.
        """
        reversal = self._reversed if reversal is None else reversal
        return self.passes.forward(x, reversal, masks, labels, ahead)

    def backward(self, gradients: Sequence[Tensor]) -> None:
        """Write the gradients of all parameters into ``flat.grad``.

        Parameters
        ----------
        gradients : sequence of M Tensors of shape (P, R, B)
            Of what `outputs` returned last; their sum over the pack is what falls.
        """
        self.passes.backward(gradients)

    @property
    def passes(self) -> ForwardBackward:
        """What takes minibatches through it, made when it is first trained."""
        if self._passes is None:
            self._passes = ForwardBackward(self)
        return self._passes

    def of_trunk(self, x: Tensor) -> Tensor:
        """Return what the user's module says of each member's minibatch (P, B, D): (P, H, B)."""
        assert self.trunk is not None
        return self.trunk.outputs(x, self._of_trunk(), self.seeds)

    def readers(self) -> Tensor:
        """Return the weights of the attribute branches that read the score, one above the other.

        Returns
        -------
        Tensor of shape (P, R, S)
        """
        names = self.shape.names[1:]
        return torch.cat([self.parameters[f"{name}.head.weight"] for name in names], 1)

    @torch.no_grad()
    def scores(self, X: Tensor) -> Tensor:
        """Return what every member's target branch predicts, by the running statistics.

        Parameters
        ----------
        X : Tensor of shape (N, D)
            Rows that all members score.

        Returns
        -------
        Tensor of shape (P, R, N)
            The probability of the favorable label, of each class, or the predicted numbers.
        """
        out = self.flat.new_empty(self.members, self.shape.target.outputs, len(X))
        for start, h in self._trunk_blocks(X):
            for i in range(len(self.shape.branch)):
                h = self._apply(f"branch.{i}", h)
            said = torch.bmm(self.parameters["target.head.weight"], h)
            said += self.parameters["target.head.bias"].unsqueeze(2)
            if self.shape.target.kind == "binary":
                said = sigmoid(said)
            elif self.shape.target.kind == "categorical":
                said = softmax(said)
            block = out[:, :, start : start + said.shape[2]]
            block.copy_(said[:, :, : block.shape[2]])
        return out

    @torch.no_grad()
    def representations(self, X: Tensor) -> Tensor:
        """Return every member's trunk output, by the running statistics.

        Parameters
        ----------
        X : Tensor of shape (N, D)
            Rows that all members represent.

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
            # Of thousands of members, fewer rows. On a CPU a member's numbers must not depend on that.
            X = X.to(self.device, self.flat.dtype)
            rows_at_once = max(LEAST_SCORE_ROWS, SCORE_ROWS // -(-self.members // SCORE_MEMBERS))
        for start in range(0, len(X), rows_at_once):
            rows = X[start : start + rows_at_once].to(self.flat.dtype)
            rows = F.pad(rows, (0, 0, 0, -len(rows) % ROW_STEP))
            if self.trunk is not None:
                yield start, self.trunk.representations(rows, self._of_trunk())
                continue
            if self.device.type == "cpu":
                h = torch.bmm(
                    self.parameters["trunk.0.weight"], rows.T.expand(self.members, -1, -1)
                )
            else:
                # As one product: that of a batch would copy the rows for every member.
                h = torch.mm(self.parameters["trunk.0.weight"].flatten(0, 1), rows.T)
            h = self._rectified("trunk.0", h.view(self.members, -1, len(rows)))
            for i in range(1, len(self.shape.trunk)):
                h = self._apply(f"trunk.{i}", h)
            yield start, h

    def _apply(self, layer: str, h: Tensor) -> Tensor:
        """Return the output of a layer, or of the target branch's, for h (P, I, N)."""
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
        """Return the network that `state` describes, in a precision of one's choice.

        A network on a module of the user's needs that module again: its own `trunk`.

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
            **{f"trunk.{name}": value.detach() for name, value in self._of_trunk().items()},
        }


@torch.no_grad()
def _fill(tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Copy what `state` has for each tensor into it, or raise InputError."""
    for name, value in tensors.items():
        if name not in state:
            raise InputError(f"tensor {name!r} is missing from the network's state")
        if state[name].shape != value.shape:
            raise InputError(
                f"tensor {name!r}: expected shape {tuple(value.shape)}, "
                f"got {tuple(state[name].shape)}"
            )
        value.copy_(state[name])
