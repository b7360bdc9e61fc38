"""Findings as English sentences.

A module registers a sentence for each class of findings with `english.sentence`; `sentences` takes
findings of any class.
"""

from __future__ import annotations

from collections.abc import Iterable

from grad_ext.report.findings.base import Finding
from grad_ext.report.sentences import (  # noqa: F401
    audit,
    comparison,
    lambdas,
    models,
    reproduction,
)
from grad_ext.report.sentences.english import sentence


def sentences(findings: Iterable[Finding]) -> list[str]:
    """Return the sentence of each finding."""
    return [sentence(finding) for finding in findings]
