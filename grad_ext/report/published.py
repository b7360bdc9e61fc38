"""The tables of the paper, as published (Raff and Sylvester, 2018).

Accuracy, Delta, Discrimination (of each attribute) and Consistency on the test rows; None where the
paper has a dash. The paper quotes LFR, VFAE and ALFR from their own papers, which protect other
attributes and, in LFR's case, evaluate scores.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One line of a table.

    Attributes
    ----------
    accuracy, delta, consistency : float or None
        Shares.
    discrimination : tuple of float or None
        One for each protected attribute, in the table's order.
    """

    accuracy: float
    delta: float
    discrimination: tuple[float, ...]
    consistency: float | None


def _table1(*rows: tuple[str, float, float, float, float | None]) -> dict[str, Published]:
    return {name: Published(acc, delta, (discr,), cons) for name, acc, delta, discr, cons in rows}


TABLE1 = {
    "german": _table1(
        ("NN-Auto", 0.7350, 0.5334, 0.2016, 0.8730),
        ("GRAD-Auto", 0.6750, 0.6296, 0.0454, 0.8705),
        ("NN-Pred", 0.7500, 0.3637, 0.3863, 0.6945),
        ("GRAD-Pred", 0.6750, 0.6744, 0.0006, 0.9705),
        ("LFR", 0.5909, 0.5867, 0.0042, 0.9408),
        ("VFAE", 0.7270, 0.6840, 0.0430, None),
    ),
    "adult": _table1(
        ("NN-Auto", 0.7635, 0.7191, 0.0444, 0.9850),
        ("GRAD-Auto", 0.7554, 0.7452, 0.0102, 0.9924),
        ("NN-Pred", 0.7022, 0.6268, 0.0754, 0.8168),
        ("GRAD-Pred", 0.7543, 0.7543, 0.0000, 1.0000),
        ("LFR", 0.7023, 0.7018, 0.0006, 0.8108),
        ("VFAE", 0.8129, 0.7421, 0.0708, None),
        ("ALFR", 0.8251, 0.8241, 0.0010, None),
    ),
    "health": _table1(
        ("NN-Auto", 0.8506, 0.7939, 0.0567, 0.9730),
        ("GRAD-Auto", 0.8491, 0.8491, 0.0000, 1.0000),
        ("NN-Pred", 0.8440, 0.7511, 0.0929, 0.9453),
        ("GRAD-Pred", 0.8493, 0.8486, 0.0007, 0.9999),
        ("LFR", 0.7365, 0.7365, 0.0000, 1.0000),
        ("VFAE", 0.8490, 0.8490, 0.0000, None),
    ),
}

# Discrimination by race, then by gender.
TABLE2 = {
    "diabetes": {
        "NN-Auto": Published(0.5735, 0.5392, (0.0412, 0.0275), 0.6411),
        "GRAD-Auto": Published(0.5765, 0.5723, (0.0055, 0.0030), 0.6288),
        "NN-Pred": Published(0.6286, 0.5848, (0.0418, 0.0458), 0.6464),
        "GRAD-Pred": Published(0.5980, 0.5949, (0.0028, 0.0034), 0.7180),
        "GRAD-Auto-R": Published(0.5851, 0.5749, (0.0003, 0.0201), 0.6404),
        "GRAD-Auto-G": Published(0.5640, 0.5143, (0.0981, 0.0013), 0.6093),
        "GRAD-Pred-R": Published(0.5844, 0.5478, (0.0020, 0.0713), 0.7538),
        "GRAD-Pred-G": Published(0.5941, 0.5526, (0.0785, 0.0045), 0.6849),
    }
}
TABLES = {"table1": TABLE1, "table2": TABLE2}
