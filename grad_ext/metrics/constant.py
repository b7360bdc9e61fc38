"""Predictions that are constant, or as good as constant: their Discrimination of 0 means nothing.

A model that gives nearly all rows the same label, or labels that have nothing to do with the true ones,
has as little use as a constant, and as low a Discrimination.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A share of the labels other than the most frequent prediction, below which predictions of them are rare.
RARE = 0.1
# Shares that add up to 1 but for rounding.
ROUNDING = 1e-12


def nearly_constant(
    predicted: NDArray[np.generic], y: NDArray[np.generic], weight: Floats | None = None
) -> NDArray[np.bool_]:
    """Return whether labels are constant, or as good as constant.

    They are if all of them, or all but a share of less than a tenth of that among the true labels, are
    the same; or if their balanced accuracy is not above a constant's by more than the chance level: the
    mean magnitude by which that of random labels of the same rates differs from it.

    Parameters
    ----------
    predicted : array of shape (..., N)
        Predicted labels: class numbers or booleans.
    y : array of shape (N,)
        True labels.
    weight : array of shape (N,), optional
        Instance weights.

    Returns
    -------
    bool array of shape (...)

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext.metrics.constant import nearly_constant
    >>> y = np.arange(1000) % 4 == 0
    >>> rare = y & (np.arange(1000) < 80)  # favorable for 20 rows, of 250 that are
    >>> nearly_constant(np.stack([y, ~y | y, rare]), y)
    array([False,  True,  True])
    """
    w = np.ones(len(y)) if weight is None else weight
    labels = np.union1d(y, predicted)
    share = np.array([w[y == label].sum() for label in labels]) / w.sum()
    rate = np.stack([((predicted == label) @ w) for label in labels], axis=-1) / w.sum()
    others = 1.0 - rate.max(axis=-1)
    rare = others < RARE * (1.0 - share[rate.argmax(axis=-1)]) - ROUNDING
    # Rows of one label do not show whether predictions have to do with it.
    useless = ~better_than_chance(predicted, y, w) & (np.count_nonzero(share) > 1)
    return np.asarray(rare | (others <= ROUNDING) | useless)


def better_than_chance(
    predicted: NDArray[np.generic], y: NDArray[np.generic], weight: Floats | None = None
) -> NDArray[np.bool_]:
    """Return whether balanced accuracy is above a constant's by more than the chance level.

    The chance level is the mean magnitude by which the balanced accuracy of random labels of the same
    rates differs from a constant's.

    Parameters
    ----------
    predicted : array of shape (..., N)
        Predicted labels: class numbers or booleans.
    y : array of shape (N,)
        True labels.
    weight : array of shape (N,), optional
        Instance weights.

    Returns
    -------
    bool array of shape (...)

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext.metrics.constant import better_than_chance
    >>> y = np.arange(1000) % 4 == 0
    >>> better_than_chance(np.stack([y, np.arange(1000) % 3 == 0]), y)
    array([ True, False])
    """
    w = np.ones(len(y)) if weight is None else weight
    above, chance = 0.0, 0.0
    for label in np.unique(y):
        hits, own = predicted == label, y == label
        rate = hits @ w / w.sum()
        above = above + hits[..., own] @ w[own] / w[own].sum() - rate
        chance = chance + rate * (1.0 - rate) * (w[own] ** 2).sum() / w[own].sum() ** 2
    return np.asarray(above > np.sqrt(2.0 / np.pi * np.maximum(chance, 0.0)))
