"""The JSON document of a model file, as dataclasses that `grad_ext.codec` writes and reads.

A document from a file may contradict itself. `Document.check` compares its entries with each other
before anything is created from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grad_ext import checks
from grad_ext.codec import short
from grad_ext.data.columns import Categorical, Numeric, Unused
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError
from grad_ext.models.training_data import TrainingData
from grad_ext.outputs import Binary, Branch, Continuous, Features, branch_of


@dataclass(frozen=True)
class Output:
    """What one branch predicts: its name, its kind in `grad_ext.outputs.OUTPUTS`, its outputs."""

    name: str
    kind: str
    outputs: int

    @classmethod
    def of(cls, branch: Branch) -> Output:
        """Return the entry of a branch."""
        return cls(branch.name, branch.kind, int(branch.outputs))

    @property
    def branch(self) -> Branch:
        """The branch; raises InputError for an unknown kind or number of outputs."""
        return branch_of(self.kind, self.name, self.outputs)


@dataclass(frozen=True)
class Sizes:
    """Sizes of the network: the fields of `grad_ext.engine.shape.Shape` that a file has."""

    features: int
    trunk: tuple[int, ...]
    branch: tuple[int, ...]
    target: Output
    attributes: tuple[Output, ...]
    adversary_input: str
    heads: int = 1

    @classmethod
    def of(cls, shape: Shape) -> Sizes:
        """Return the entry of a shape."""
        return cls(
            features=int(shape.features),
            trunk=tuple(int(units) for units in shape.trunk),
            branch=tuple(int(units) for units in shape.branch),
            target=Output.of(shape.target),
            attributes=tuple(Output.of(branch) for branch in shape.attributes),
            adversary_input=shape.adversary_input,
            heads=int(shape.heads),
        )

    def shape(self) -> Shape:
        """Return the shape.

        Raises
        ------
        InputError
            If a size is below 1, a kind unknown, or two attributes have one name.
        """
        if len({output.name for output in self.attributes}) < len(self.attributes):
            raise InputError("the network's attributes: expected names that differ")
        return Shape(
            features=self.features,
            trunk=self.trunk,
            branch=self.branch,
            target=self.target.branch,
            attributes=tuple(output.branch for output in self.attributes),
            adversary_input=self.adversary_input,
            heads=self.heads,
        )


@dataclass(frozen=True)
class Learned:
    """What `fit` sets on the estimator beside the model; None where the class has no such attribute."""

    seed_: int
    n_features_in_: int | None = None
    feature_names_in_: NDArray[Any] | None = None
    classes_: NDArray[Any] | None = None
    attributes_: tuple[SensitiveAttribute, ...] | None = None
    lam_: float | None = None
    bound_met_: bool | None = None


@dataclass(frozen=True)
class Core:
    """A fitted network with its encoding, whatever the estimator: part of a model file.

    Attributes
    ----------
    network, encoder, epoch, constant, location, scale, threshold, epochs
        As in `Document`.
    """

    network: Sizes
    encoder: tuple[Numeric | Categorical | Unused, ...]
    epoch: int
    constant: bool
    location: float
    scale: float
    threshold: float = 0.5
    epochs: tuple[int, ...] = ()

    def check(self, shape: Shape) -> None:
        """Compare the columns with the network.

        Raises
        ------
        InputError
            If they disagree, or a number of the encoding or the target is not usable.
        """
        _check_encoding(self.encoder, self.location, self.scale, shape)
        _check_members(self.threshold, self.epoch, self.epochs)


@dataclass(frozen=True)
class Document:
    """All of a model file but its tensors.

    Attributes
    ----------
    format : int
        Version of the file format.
    version : str
        The grad-ext that wrote the file.
    estimator : str
        Name of the class.
    parameters : mapping of str to object
        Parameters of the constructor, as `grad_ext.codec.value_to_json` writes them.
    learned : Learned
        Fitted attributes.
    network : Sizes
        Sizes of the network.
    encoder : tuple of Numeric, Categorical or Unused
        Encoding of each column.
    epoch : int
        The selected epoch, counted from 1.
    constant : bool
        Whether the labels predicted for the rows that it was fitted on are as good as constant.
    location, scale : float
        Mean and standard deviation of a predicted number; 0 and 1 for labels.
    data : TrainingData, optional
        What it was trained on, if that is recorded.
    threshold : float
        Of two labels, the favorable one is predicted from this score on.
    epochs : tuple of int
        The selected epoch of each member of an ensemble; empty for one model.
    """

    format: int
    version: str
    estimator: str
    parameters: Mapping[str, Any]
    learned: Learned
    network: Sizes
    encoder: tuple[Numeric | Categorical | Unused, ...]
    epoch: int
    constant: bool
    location: float
    scale: float
    data: TrainingData | None = None
    threshold: float = 0.5
    epochs: tuple[int, ...] = ()

    def check(self, shape: Shape) -> None:
        """Compare the class, its attributes, the columns and the network with each other.

        Raises
        ------
        InputError
            If two of them disagree, or a number of the encoding or the target is not usable.
        """
        _check_encoding(self.encoder, self.location, self.scale, shape)
        _check_members(self.threshold, self.epoch, self.epochs)
        if self.estimator != "GRADInProcessing":
            self._check_learned(shape)
        kind, classes = self._target()
        if not isinstance(shape.target, kind) or shape.target.classes not in (0, classes):
            raise InputError(
                f"a network that predicts {shape.target} is not one of this {self.estimator}"
            )
        if self.data is not None:
            self._check_data(self.data)
        if shape.heads > max(1, classes):
            raise InputError(
                f"heads: expected at most one for each of {classes} labels, got {shape.heads}"
            )

    def regressions(self, shape: Shape) -> int:
        """Return the number of logistic regressions on the representation."""
        classes = self._target()[1]
        if not shape.target.reconstructs or classes < 2:
            return 0
        return 1 if classes == 2 else classes

    def _check_learned(self, shape: Shape) -> None:
        learned, columns = self.learned, len(self.encoder)
        for name in ("n_features_in_", "attributes_"):
            if getattr(learned, name) is None:
                raise InputError(f"expected {name}, got none")
        if learned.n_features_in_ != columns:
            raise InputError(f"expected {learned.n_features_in_} columns, got {columns}")
        names = learned.feature_names_in_
        if names is not None and len(names) != columns:
            raise InputError(f"feature_names_in_: expected {columns} names, got {short(names)}")
        branches = tuple(attribute.branch for attribute in learned.attributes_ or ())
        if shape.attributes not in ((), branches):
            raise InputError("the network's attribute branches are not those of attributes_")

    def _check_data(self, data: TrainingData) -> None:
        data.check()
        learned = self.learned
        if learned.attributes_ is None or learned.feature_names_in_ is None:
            raise InputError("data: expected an estimator that was fitted on named columns")
        attributes = {attribute.name for attribute in learned.attributes_}
        if attributes - {*data.attribute_names}:
            raise InputError(
                f"data: expected the attributes {sorted(attributes)}, got {data.attribute_names}"
            )
        classes = learned.classes_
        if classes is not None and [*classes.tolist()] != [data.unfavorable, data.favorable]:
            raise InputError(
                f"data: expected the labels {short(classes.tolist())}, got "
                f"{short([data.unfavorable, data.favorable])}"
            )

    def _target(self) -> tuple[type[Branch], int]:
        """Return the class of the target that the estimator predicts, and the number of labels."""
        if self.estimator == "GRADInProcessing":
            return (Features if self.parameters.get("variant") == "auto" else Binary), 2
        if self.estimator == "GRADRegressor":
            return Continuous, 0
        classes = self.learned.classes_
        if self.estimator == "GRADEncoder":
            return Features, 0 if classes is None else len(classes)
        if classes is None or not len(classes):
            raise InputError(f"classes_: expected an array of labels, got {short(classes)}")
        return type(Branch.of_groups("target", len(classes))), len(classes)


def _check_encoding(
    encoder: Sequence[Numeric | Categorical | Unused], location: float, scale: float, shape: Shape
) -> None:
    for part in encoder:
        if isinstance(part, Numeric):
            _check_numeric(part)
    checks.number("location", location)
    checks.above_0("scale", scale)
    width = sum(part.width for part in encoder)
    if not width or width != shape.features:
        raise InputError(f"the network takes {shape.features} features, the columns give {width}")


def _check_members(threshold: float, epoch: int, epochs: Sequence[int]) -> None:
    checks.between_0_and_1("threshold", threshold)
    if epochs and (len(epochs) < 2 or epochs[0] != epoch):
        raise InputError(
            f"epochs: expected those of at least two members, the first {epoch}, got {[*epochs]}"
        )


def _check_numeric(part: Numeric) -> None:
    edges = [edge for one in part.bins for edge in (one.start, one.stop)]
    missing = [] if part.missing is None else [part.missing]
    offsets = [part.mean, *missing, *part.common, *edges, *(one.mean for one in part.bins)]
    scales = [part.scale, *(one.scale for one in part.bins)]
    if not np.isfinite([*offsets, *scales]).all() or min(scales) <= 0.0:
        raise InputError(
            f"column {part.column!r}: expected finite numbers and scales above 0, got {short(part)}"
        )
    if any(one.start >= one.stop for one in part.bins):
        raise InputError(f"column {part.column!r}: expected edges that ascend, got {short(part)}")
