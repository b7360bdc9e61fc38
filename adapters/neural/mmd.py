"""The maximum mean discrepancy (MMD) between the groups of an attribute, by random features.

Gretton et al. (2012), "A Kernel Two-Sample Test", with the random Fourier features of Rahimi and
Recht (2007). VFAE penalises it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Random features of the kernel, as many as in the public implementations of VFAE.
FREQUENCIES = 500
# Added to the squared MMD, since the slope of the root at 0 is infinite.
ROOT = 1e-8


def comparisons(groups: Tensor, w: Tensor) -> Tensor:
    """Return the coefficients of the rows in each comparison of an attribute's groups.

    The sum of a quantity times the coefficients of a comparison is the difference of two weighted
    means: of the two groups, or of one of several groups and all rows. A comparison with a group
    that has no row is all zeros.

    Parameters
    ----------
    groups : Tensor of shape (P, G, B)
        1 for the row's group and 0 for the others; all 0 where it is missing.
    w : Tensor of shape (P, B)
        Instance weights.

    Returns
    -------
    Tensor of shape (P, M, B)
        M = 1 for two groups, else M = G.
    """
    weight = groups * w.unsqueeze(1)
    size = weight.sum(2, keepdim=True)
    share = weight / torch.where(size > 0, size, 1.0)
    if groups.shape[1] == 2:
        return (share[:, :1] - share[:, 1:]) * (size > 0).all(1, keepdim=True)
    whole, rows = weight.sum(1, keepdim=True), size.sum(1, keepdim=True)
    return (share - whole / torch.where(rows > 0, rows, 1.0)) * (size > 0)


def discrepancy(z: Tensor, coefficients: Tensor, frequencies: Tensor, phases: Tensor) -> Tensor:
    """Return the MMD of each comparison, shape (P, M), by random Fourier features.

    The kernel is exp(-d²/(2 L)) for a distance d in L dimensions: the author's bandwidth, with which
    the kernel of two standard normal points does not vanish for a large L.

    Parameters
    ----------
    z : Tensor of shape (P, L, B)
        Points.
    coefficients : Tensor of shape (P, M, B)
        See `comparisons`.
    frequencies : Tensor of shape (P, F, L)
        Standard normal numbers.
    phases : Tensor of shape (P, F, 1)
        Uniform between 0 and 2π.
    """
    angles = torch.bmm(frequencies * z.shape[1] ** -0.5, z) + phases
    features = math.sqrt(2.0 / frequencies.shape[1]) * torch.cos(angles)
    # In this order: the rounding of a product with a single column depends on the pack's size.
    differences = torch.bmm(coefficients, features.transpose(1, 2))
    return torch.sqrt(differences.square().sum(2) + ROOT) - math.sqrt(ROOT)
