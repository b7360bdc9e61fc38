"""Findings of an audit: from which sources probes predict a protected attribute."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from grad_ext.report.findings.base import Finding
from grad_ext.report.statistics.intervals import Interval

# The source that is the model's input, with which the others are compared.
REFERENCE = "features"
# The representation of a network without attribute branches, trained on the same rows.
PLAIN = "plain network's representation"
CHANCE_AUC = 0.5


@dataclass(frozen=True)
class Leakage(Finding):
    """The AUC of the better probe from each source of an audit.

    Attributes
    ----------
    attribute : str
        The attribute.
    groups, rows : int
        How many groups and rows it has.
    majority : float
        The share of the largest group.
    auc : dict of str to Interval
        The higher of the probes' AUC, by source.
    """

    attribute: str
    groups: int
    rows: int
    majority: float
    auc: dict[str, Interval]

    @property
    def leaks(self) -> dict[str, bool]:
        """Whether the whole interval lies above chance, by source."""
        return {source: bool(auc.low > CHANCE_AUC) for source, auc in self.auc.items()}


def leakage(table: pd.DataFrame) -> list[Leakage]:
    """Return a finding for each attribute of an audit.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `grad_ext.auditing.audit.Audit`.
    """
    found = []
    for name, part in table.groupby("attribute", sort=False):
        best = part.loc[part.groupby("source", sort=False)["auc"].idxmax()]
        ends = zip(best["source"], best["auc"], best["auc_low"], best["auc_high"], strict=True)
        auc = {str(source): Interval(*values) for source, *values in ends}
        first = part.iloc[0]
        found.append(Leakage(str(name), first["groups"], first["rows"], first["majority"], auc))
    return found
