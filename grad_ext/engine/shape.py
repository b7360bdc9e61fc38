"""Sizes of one network, and the names and shapes of its parameters and running statistics."""

from __future__ import annotations

from dataclasses import dataclass

from grad_ext.engine.score_view import view_width
from grad_ext.errors import InputError, unknown
from grad_ext.outputs import ADVERSARY_INPUTS, Binary, Branch

BINARY_TARGET = Binary("target")


@dataclass(frozen=True)
class Shape:
    """Sizes of one network.

    Attributes
    ----------
    features : int
        D, inputs.
    trunk : tuple of int
        Units of each trunk layer; at least one layer, since the reversal acts on its output. For a
        user's module, (H,).
    branch : tuple of int
        Units of each hidden layer of a branch; may be empty.
    target : Branch
        What the target branch predicts.
    attributes : tuple of Branch
        What the attribute branches predict; empty for the plain network (NN).
    module : bool
        Whether the trunk is a user's module, which brings its own layers.
    adversary_input : {'representation', 'prediction'}
        What the attribute branches get: the trunk's output, or the target branch's prediction.
    heads : int
        Heads of each attribute branch, one for each stratum of the constraint.

    Raises
    ------
    InputError
        If a size is not at least 1, or the adversary input is unknown.
    """

    features: int
    trunk: tuple[int, ...]
    branch: tuple[int, ...]
    target: Branch = BINARY_TARGET
    attributes: tuple[Branch, ...] = ()
    module: bool = False
    adversary_input: str = "representation"
    heads: int = 1

    def __post_init__(self) -> None:
        if not self.trunk:
            raise InputError("the trunk needs at least one layer, got none")
        for what, sizes in (("trunk", self.trunk), ("branch", self.branch)):
            if any(units < 1 for units in sizes):
                raise InputError(f"{what}: every layer needs at least one unit, got {sizes}")
        if self.adversary_input not in ADVERSARY_INPUTS:
            raise unknown("adversary_input", self.adversary_input, ADVERSARY_INPUTS)
        if self.heads < 1:
            raise InputError(f"heads: expected at least 1, got {self.heads}")

    @property
    def layers(self) -> tuple[int, ...]:
        """Units of the network's own trunk layers: none with a user's module."""
        return () if self.module else self.trunk

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The M branches, the target's first."""
        return (self.target, *self.attributes)

    @property
    def reads_prediction(self) -> bool:
        """Whether the attribute branches get the prediction."""
        return self.adversary_input == "prediction"

    @property
    def stacked(self) -> tuple[Branch, ...]:
        """The branches on the trunk, whose layers are stacked."""
        return (self.target,) if self.reads_prediction else self.branches

    @property
    def head_sizes(self) -> list[int]:
        """The number of outputs of each of the M branches, all of its heads together."""
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
        for m, (name, size) in enumerate(zip(self.names, self.head_sizes, strict=True)):
            width = width if m < branches else view_width(self.target)
            sizes |= {f"{name}.head.weight": (size, width), f"{name}.head.bias": (size,)}
        return sizes

    def statistics(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every running statistic of one member, by name."""
        return {
            f"{name.removesuffix('.gain')}.{statistic}": size
            for name, size in self.parameters().items()
            if name.endswith(".gain")
            for statistic in ("mean", "variance")
        }
