"""Rules for the epoch whose weights are kept: pure functions of a History.

A rule returns scores of every epoch and member, the higher the better: the first decides, the later ones
break ties. Of equal epochs the last is kept, which was trained longer. Training applies the rule after
each epoch and copies the weights of the best so far, so a rule must not depend on later epochs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """Losses and validation metrics of training, by epoch and member.

    Attributes
    ----------
    loss : array of shape (E, P)
        Mean loss of the target over the epoch's training rows (nats, or squared units).
    attribute_loss : array of shape (E, K, P)
        The same for each attribute branch, not multiplied by λ.
    accuracy : array of shape (E, P)
        On the validation rows; R² for a predicted number.
    balanced_accuracy : array of shape (E, P)
        On the validation rows: the mean of the recalls of the classes; R² for a predicted number.
    positive_rate : array of shape (E, P)
        On the validation rows: share of the favorable label or last class, or the mean number.
    discrimination : array of shape (E, P)
        On the validation rows, the mean over attributes.
    discrimination_by_attribute : array of shape (E, K, P)
        On the validation rows.
    """

    loss: Floats
    attribute_loss: Floats
    accuracy: Floats
    balanced_accuracy: Floats
    positive_rate: Floats
    discrimination: Floats
    discrimination_by_attribute: Floats

    def in_units(self, location: float, scale: float) -> History:
        """Return the history of a predicted number in its own units.

        Training subtracts its mean `location` and divides by its standard deviation `scale`.
        """
        return replace(
            self,
            loss=self.loss * scale**2,
            positive_rate=self.positive_rate * scale + location,
            discrimination=self.discrimination * scale,
            discrimination_by_attribute=self.discrimination_by_attribute * scale,
        )

    def of_member(self, number: int) -> History:
        """Return the history of one member, as that of a pack of one."""
        one = slice(number, number + 1)
        return History(
            **{field.name: getattr(self, field.name)[..., one] for field in fields(self)}
        )


CheckpointRule = Callable[[History], list[Floats]]


def paper(history: History) -> list[Floats]:
    """Score epochs by lowest Discrimination, ties by accuracy (GRAD paper, section 2).

    A constant prediction has a Discrimination of 0, so this rule prefers it: see docs/recipe.md.
    """
    return [-history.discrimination, history.accuracy]


def delta(history: History) -> list[Floats]:
    """Score epochs by accuracy minus Discrimination."""
    return [history.accuracy - history.discrimination]


def balanced_delta(history: History) -> list[Floats]:
    """Score epochs by balanced accuracy minus Discrimination, 0.5 for a constant prediction."""
    return [history.balanced_accuracy - history.discrimination]


def last(history: History) -> list[Floats]:
    """Score epochs by their number."""
    epochs = np.arange(len(history.loss), dtype=np.float64)
    return [np.broadcast_to(epochs[:, None], history.loss.shape)]


@dataclass(frozen=True)
class AccuracyWithin:
    """Score epochs by accuracy if their Discrimination is at most `limit`.

    If no epoch is within the limit, the one of the lowest Discrimination is kept. For a predicted
    number, `limit` is in standard deviations of the target.
    """

    limit: float

    def __call__(self, history: History) -> list[Floats]:
        """Score the epochs."""
        within = history.discrimination <= self.limit
        lowest = np.where(within, 0.0, -history.discrimination)
        return [lowest, np.where(within, history.accuracy, 0.0)]


RULES: dict[str, CheckpointRule] = {
    "paper": paper,
    "delta": delta,
    "balanced_delta": balanced_delta,
    "last": last,
}
WITHIN = "accuracy@"


def rule_named(name: str) -> CheckpointRule:
    """Return the rule of a name, or of ``accuracy@0.05``: `AccuracyWithin` 0.05.

    Raises
    ------
    InputError
        If there is no such rule.
    """
    if name.startswith(WITHIN):
        try:
            limit = float(name.removeprefix(WITHIN))
        except ValueError:
            limit = -1.0
        if not 0.0 <= limit <= 1.0:
            raise InputError(f"expected a Discrimination from 0 to 1 after {WITHIN}, got {name!r}")
        return AccuracyWithin(limit)
    if name not in RULES:
        raise unknown("rule for the epoch to keep", name, [*RULES, f"{WITHIN}0.05"])
    return RULES[name]


def best_epoch(history: History, rule: CheckpointRule) -> NDArray[np.intp]:
    """Return the epoch that a rule keeps for each member, counted from 0, shape (P,).

    An epoch whose score is nan (a model that diverged) is worse than all others.
    """
    keys = [np.nan_to_num(key, nan=-np.inf) for key in rule(history)]
    epochs, members = keys[0].shape
    best = np.zeros(members, dtype=np.intp)
    columns = np.arange(members)
    for epoch in range(1, epochs):
        better = np.zeros(members, dtype=bool)
        equal = np.ones(members, dtype=bool)
        for key in keys:
            better |= equal & (key[epoch] > key[best, columns])
            equal &= key[epoch] == key[best, columns]
        best[better | equal] = epoch
    return best
