"""Cells of text tables."""

from __future__ import annotations

import numpy as np

# The heading, and the cells of each line.
TextTable = tuple[list[str], list[list[str]]]


def number(mean: float, deviation: float = np.nan) -> str:
    """Return "mean ±standard deviation" to three decimals."""
    if np.isnan(mean):
        return "–"
    # A single space, at which a narrow terminal wraps the deviation.
    return f"{mean:.3f}" if np.isnan(deviation) else f"{mean:.3f} ±{deviation:.3f}"


def share(value: float) -> str:
    """Return a share in percent."""
    return "–" if np.isnan(value) else f"{value:.0%}"


def short(value: object) -> str:
    """Return a setting's value, numbers to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
