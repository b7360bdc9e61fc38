"""Which epoch to keep: pure functions over a History.

A rule gives every epoch of every member a list of scores, the first deciding and the later ones
breaking ties, the higher the better; of equal epochs the last is kept, which has learned longer. Training asks the rule
after each epoch and keeps a copy of the weights of the best so far, so a rule may look at an epoch
and the ones before it only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grad_ext.errors import InputError, unknown

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """How training went, by epoch and member.

    Attributes
    ----------
    loss : array of shape (E, P)
        Mean loss of the target over the epoch's training rows (nats, or squared units).
    attribute_loss : array of shape (E, K, P)
        The same of each attribute branch (no branches, no entries), not multiplied by λ.
    accuracy : array of shape (E, P)
        On the validation rows, by predicted labels; R² for a predicted number.
    balanced_accuracy : array of shape (E, P)
        On the validation rows: the mean of the classes' accuracies; R² for a predicted number.
    positive_rate : array of shape (E, P)
        On the validation rows: share of favorable labels, of the last class, or the mean number.
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

        Training sees it less its mean `location` and divided by its standard deviation `scale`.
        """
        return replace(
            self,
            loss=self.loss * scale**2,
            positive_rate=self.positive_rate * scale + location,
            discrimination=self.discrimination * scale,
            discrimination_by_attribute=self.discrimination_by_attribute * scale,
        )


Rule = Callable[[History], list[Floats]]


def paper(history: History) -> list[Floats]:
    """Lowest validation Discrimination, ties by accuracy (GRAD paper, section 2).

    A constant prediction has Discrimination 0, so this rule likes it best: see docs/recipe.md.
    """
    return [-history.discrimination, history.accuracy]


def delta(history: History) -> list[Floats]:
    """Highest accuracy minus Discrimination, on the validation rows."""
    return [history.accuracy - history.discrimination]


def balanced_delta(history: History) -> list[Floats]:
    """Highest balanced accuracy minus Discrimination, which a constant does not win."""
    return [history.balanced_accuracy - history.discrimination]


def last(history: History) -> list[Floats]:
    """The last epoch."""
    epochs = np.arange(len(history.loss), dtype=np.float64)
    return [np.broadcast_to(epochs[:, None], history.loss.shape)]


@dataclass(frozen=True)
class AccuracyWithin:
    """Highest accuracy of the epochs with Discrimination at most `limit`.

    Of a predicted number, `limit` is in standard deviations of the target.

    Where no epoch keeps to the limit, the lowest Discrimination.
    """

    limit: float

    def __call__(self, history: History) -> list[Floats]:
        """Score the epochs."""
        within = history.discrimination <= self.limit
        lowest = np.where(within, 0.0, -history.discrimination)
        return [lowest, np.where(within, history.accuracy, 0.0)]


RULES: dict[str, Rule] = {
    "paper": paper,
    "delta": delta,
    "balanced_delta": balanced_delta,
    "last": last,
}
WITHIN = "accuracy@"


def rule_named(name: str) -> Rule:
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


def best_epoch(history: History, rule: Rule) -> NDArray[np.intp]:
    """Return the epoch that a rule keeps, counted from 0, for each member, shape (P,).

    Epochs whose score is nan (a model that diverged) lose against all others.
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
