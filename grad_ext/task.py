"""What the network's branches predict: the target, and each protected attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["binary", "categorical", "continuous", "features"]


# What attribute branches may see: see `grad_ext.trial.Settings.attributes_read`.
READS = ("trunk", "score")


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
