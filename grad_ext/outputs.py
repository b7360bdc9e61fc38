"""What the network's branches predict: the target, and each protected attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grad_ext.errors import InputError

Kind = Literal["binary", "categorical", "continuous", "features"]


# What attribute branches may see: see `grad_ext.training.settings.Settings.adversary_input`.
READS = ("representation", "prediction")
# What a prediction is to be independent of the attributes given: see `grad_ext.training.settings.Settings`.
CONSTRAINTS = ("demographic_parity", "equalized_odds", "equal_opportunity")


@dataclass(frozen=True)
class Branch:
    """One branch and its loss.

    Attributes
    ----------
    name : str
        ``target``, or the attribute's name.
    kind : {'binary', 'categorical', 'continuous', 'features'}
        One logit and the logistic loss; a logit for each group or class and the cross entropy; one
        number and the squared error; or the features, reconstructed, and the squared norm of the
        error (the paper's Auto).
    outputs : int
        How many numbers the branch ends in.
    """

    name: str
    kind: Kind
    outputs: int = 1

    @classmethod
    def of_groups(cls, name: str, groups: int) -> Branch:
        """Return the branch that tells groups or classes apart."""
        return cls(name, "categorical", groups) if groups > 2 else cls(name, "binary")


@dataclass(frozen=True)
class Task:
    """What the columns of `Arrays.y` and `Arrays.a` are."""

    target: Branch
    attributes: tuple[Branch, ...]


def check_constraint(constraint: str, task: Task) -> None:
    """Refuse a constraint that a task does not allow.

    Raises
    ------
    InputError
        If a constraint that looks at labels meets a target without any, or equal opportunity one of
        more than two classes, none of which is the favorable one.
    """
    kind = task.target.kind
    if constraint == CONSTRAINTS[0] or kind == "binary":
        return
    if kind != "categorical":
        raise InputError(
            f"constraint {constraint!r} looks at labels: expected a target of two or more classes, "
            f"got {'numbers' if kind == 'continuous' else 'none'}"
        )
    if constraint == "equal_opportunity":
        raise InputError(
            "constraint 'equal_opportunity' looks at the favorable one of two labels, got "
            f"{task.target.outputs} classes; 'equalized_odds' takes any number"
        )
