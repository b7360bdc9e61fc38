"""Which epoch to keep: pure functions over a History.

A rule gives every epoch of every member a list of scores, the first deciding and the later ones
breaking ties, the higher the better; of equal epochs the first is kept. Training asks the rule
after each epoch and keeps a copy of the weights of the best so far, so a rule may look at an epoch
and the ones before it only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """How training went, by epoch and member.

    Attributes
    ----------
    loss : array of shape (E, P)
        Mean logistic loss of the target over the epoch's training rows, in nats.
    attribute_loss : array of shape (E, K, P)
        The same of each attribute branch (no branches, no entries), not multiplied by λ.
    accuracy, balanced_accuracy, positive_rate, discrimination : arrays of shape (E, P)
        On the validation rows, by predicted labels; discrimination is the mean over attributes.
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


Rule = Callable[[History], list[Floats]]


def paper(history: History) -> list[Floats]:
    """Lowest validation Discrimination, ties by accuracy (GRAD paper, section 2).

    A constant prediction has Discrimination 0, so this rule likes it best: see docs/recipe.md.
    """
    return [-history.discrimination, history.accuracy]


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
        best[better] = epoch
    return best
