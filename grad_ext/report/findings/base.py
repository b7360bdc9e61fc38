"""The base class of findings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A result of a study as data.

    `grad_ext.report.sentences.sentence` returns the sentence of each class.
    """
