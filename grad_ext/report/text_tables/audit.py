"""The text table of an audit."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from grad_ext.report.findings.audit import CHANCE_AUC
from grad_ext.report.tables import MAJORITY_LABEL
from grad_ext.report.text_tables.cells import TextTable

MEASURES = {"auc": "AUC", "balanced_accuracy": "balanced acc."}


def audit_lines(table: pd.DataFrame) -> TextTable:
    """Return the heading and the lines of an audit's table, a line per attribute and source.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `grad_ext.auditing.audit.Audit`.
    """
    probes = list(dict.fromkeys(table["probe"]))
    heading = ["attribute", "source"]
    heading += [f"{name}, {probe}" for probe in probes for name in MEASURES.values()]
    body = []
    for name, part in table.groupby("attribute", sort=False):
        chance = {
            "auc": CHANCE_AUC,
            "balanced_accuracy": part["majority_balanced_accuracy"].iloc[0],
        }
        majority = f"{MAJORITY_LABEL} ({part['majority'].iloc[0]:.0%})"
        body.append([str(name), majority, *[f"{chance[m]:.3f}" for _ in probes for m in MEASURES]])
        for source, rows in part.groupby("source", sort=False):
            of = {row["probe"]: row for row in rows.to_dict("records")}
            cells = [_cell(of[probe], measure) for probe in probes for measure in MEASURES]
            body.append(["", str(source), *cells])
    return heading, body


def _cell(row: Mapping[Hashable, Any], measure: str) -> str:
    return f"{row[measure]:.3f} ({row[f'{measure}_low']:.3f} to {row[f'{measure}_high']:.3f})"
