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
    # Shapes (L,), (..., L) and (..., L): shares among the true and the predicted labels, and recalls.
    share = np.array([w[y == label].sum() for label in labels]) / w.sum()
    hits = [(predicted == label) * w for label in labels]
    rate = np.stack([hit.sum(axis=-1) for hit in hits], axis=-1) / w.sum()
    present = np.flatnonzero(share > 0)
    recall = [hits[i][..., y == labels[i]].sum(axis=-1) / (share[i] * w.sum()) for i in present]
    top = rate.argmax(axis=-1)
    others = 1.0 - rate.max(axis=-1)
    rare = (others < RARE * (1.0 - share[top]) - ROUNDING) | (others <= ROUNDING)
    above = sum(recall) - rate[..., present].sum(axis=-1)
    effective = np.array(
        [(w[y == labels[i]] ** 2).sum() / (share[i] * w.sum()) ** 2 for i in present]
    )
    chance = rate[..., present] * (1.0 - rate[..., present]) @ effective
    chance = np.sqrt(2.0 / np.pi * np.maximum(chance, 0.0))
    # Rows of one label do not show whether predictions have to do with it.
    useless = (above <= chance) & (len(present) > 1)
    return np.asarray(rare | useless)
