"""What a prediction is to be independent of the attributes given: one class for each constraint.

A constraint assigns each label to a stratum, or to none. Attribute branches predict the attribute
within every stratum (a head for each, if there are several), groups are balanced within it, and rows
of no stratum have no weight in the attribute losses. To add a constraint, write a subclass of
`Constraint` and decorate it with `register`: see docs/contributors/constraint.md.

Hardt, Price and Srebro (2016), "Equality of Opportunity in Supervised Learning"; Zhang, Lemoine and
Mitchell (2018), "Mitigating Unwanted Biases with Adversarial Learning".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown
from grad_ext.outputs import Branch

Integers = NDArray[np.int64]
AnyConstraint = TypeVar("AnyConstraint", bound="type[Constraint]")


class Constraint(ABC):
    """On which rows predictions must be independent of the group.

    Attributes
    ----------
    name : str
        What `Settings.constraint`, the command line and results.csv call it.
    summary : str
        Which rows it compares, in a few words for the command line's help.
    uses_labels : bool
        Whether it compares rows of equal labels, so that the target must have labels.
    binary_only : bool
        Whether it needs the favorable label, class 1 of two.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    uses_labels: ClassVar[bool] = True
    binary_only: ClassVar[bool] = False

    @abstractmethod
    def strata(self, classes: int) -> tuple[int | None, ...]:
        """Return the stratum (0, 1, ...) of each of the labels 0, 1, ..., or None.

        Parameters
        ----------
        classes : int
            Number of labels; 1 for a constraint that does not use them.
        """

    def strata_of(self, y: NDArray[np.floating], target: Branch) -> Integers:
        """Return the stratum of each row, -1 for none.

        Parameters
        ----------
        y : array of shape (N,)
            Labels.
        target : Branch
            What they are labels of.

        Returns
        -------
        int64 array of shape (N,)
        """
        if not self.uses_labels:
            return np.zeros(len(y), np.int64)
        return self.table(target.classes)[y.astype(np.intp)]

    def table(self, classes: int) -> Integers:
        """Return the stratum of each label as an int64 array, -1 for none."""
        strata = self.strata(classes if self.uses_labels else 1)
        return np.array([-1 if stratum is None else stratum for stratum in strata], np.int64)

    def heads(self, classes: int) -> int:
        """Return the number of strata, each of which has a head of the attribute branches."""
        return int(self.table(classes).max()) + 1

    def check(self, target: Branch) -> None:
        """Check that the target has the labels that the constraint needs.

        Raises
        ------
        InputError
            If it has none, or more than two for a constraint that needs the favorable one.
        """
        if self.uses_labels and not target.classes:
            raise InputError(
                f"constraint {self.name!r}: expected a target with labels, got {target.kind!r}"
            )
        if self.binary_only and target.classes != 2:
            others = [name for name, other in CONSTRAINTS.items() if not other.binary_only]
            raise InputError(
                f"constraint {self.name!r}: expected a target of 2 classes, got {target.classes}; "
                f"any number is allowed by {', '.join(map(repr, others))}"
            )


CONSTRAINTS: dict[str, Constraint] = {}


def register(constraint: AnyConstraint) -> AnyConstraint:
    """Add a class to `CONSTRAINTS` under its name, and return it.

    Raises
    ------
    InputError
        If the name is not one word, since the command line separates names by commas.
    """
    if not constraint.name.isidentifier():
        raise InputError(f"expected the name of a constraint as one word, got {constraint.name!r}")
    CONSTRAINTS[constraint.name] = constraint()
    return constraint


def constraint_named(name: str) -> Constraint:
    """Return the constraint of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in CONSTRAINTS:
        raise unknown("constraint", name, CONSTRAINTS)
    return CONSTRAINTS[name]


@register
class DemographicParity(Constraint):
    """Equal predictions in all groups, whatever their labels (the paper's)."""

    name = "demographic_parity"
    summary = "all rows"
    uses_labels = False

    def strata(self, classes: int) -> tuple[int | None, ...]:
        """Return one stratum."""
        return (0,)


@register
class EqualizedOdds(Constraint):
    """Equal predictions among the rows of each label: true and false positive rates."""

    name = "equalized_odds"
    summary = "rows of each label"

    def strata(self, classes: int) -> tuple[int | None, ...]:
        """Return a stratum for each label."""
        return tuple(range(classes))


@register
class EqualOpportunity(Constraint):
    """Equal predictions among the rows of the favorable label: true positive rates."""

    name = "equal_opportunity"
    summary = "favorable rows"
    binary_only = True

    def strata(self, classes: int) -> tuple[int | None, ...]:
        """Return the stratum of the favorable label alone."""
        return None, 0


DEFAULT_CONSTRAINT = DemographicParity.name
