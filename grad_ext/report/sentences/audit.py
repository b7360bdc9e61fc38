"""Sentences about an audit."""

from __future__ import annotations

from grad_ext.report.findings.audit import PLAIN, REFERENCE, Leakage
from grad_ext.report.sentences.english import listed, sentence


@sentence.register
def _leakage(finding: Leakage) -> str:
    auc = listed(
        f"{estimate:.2f} ({low:.2f} to {high:.2f}) from the {source}"
        for source, (estimate, low, high) in finding.auc.items()
    )
    return (
        f"{finding.attribute} ({finding.groups} groups, the largest {finding.majority:.0%} of "
        f"{finding.rows} rows): AUC {auc}; {_decision(finding.leaks)}."
    )


def _decision(leaks: dict[str, bool]) -> str:
    features = leaks.get(REFERENCE)
    yes, no = (
        [
            f"the {source}"
            for source, leak in leaks.items()
            if source not in (REFERENCE, PLAIN) and leak == which
        ]
        for which in (True, False)
    )
    parts = []
    if features is False:
        parts.append("even from the features these probes predict it no better than chance")
    elif features and not yes:
        parts.append("it can be predicted from the features")
    if yes:
        parts.append(f"it can {'still ' if features else ''}be predicted from {listed(yes)}")
    if no and features is not False:
        parts.append(f"from {listed(no)} these probes predict it no better than chance")
    return ", but ".join(parts)
