"""Sections, and pages as lists of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd

from grad_ext.files import write_atomically
from grad_ext.report.explorer import Source
from grad_ext.report.html import document, heading
from grad_ext.trial import Record


@dataclass(frozen=True)
class Page:
    """What the sections of every page read.

    Attributes
    ----------
    folder : pathlib.Path
        The study's folder, to which the page is written.
    title : str
        The page's heading.
    frame : pandas.DataFrame
        The models, a row each, as results.csv has them.
    records : sequence of Record
        The models' records in the same order; empty for a page without an interactive part.
    sources : sequence of Source
        The studies that the models are of.
    studied, findings, caveats : sequence of str
        The sentences at the top.
    """

    folder: Path
    title: str
    frame: pd.DataFrame
    records: Sequence[Record]
    sources: Sequence[Source]
    studied: Sequence[str]
    findings: Sequence[str]
    caveats: Sequence[str]


# A section of every page is a section of any page.
P_contra = TypeVar("P_contra", bound=Page, contravariant=True)


@dataclass(frozen=True)
class Section(Generic[P_contra]):
    """One part of a page.

    Attributes
    ----------
    id : str
        Its name within the page's address.
    title : str
        Its heading; empty where the content has headings of its own.
    content : callable
        Returns its parts as HTML from the page's data: see `grad_ext.report.html`.
    applies : callable, optional
        Returns whether a page has this section; every page, if not given.
    """

    id: str
    title: str
    content: Callable[[P_contra], Sequence[str]]
    applies: Callable[[P_contra], bool] = lambda page: True


def write_page(page: P_contra, sections: Sequence[Section[P_contra]]) -> Path:
    """Write report.html with the sections that apply, and return its path."""
    parts: list[str] = []
    for section in sections:
        if section.applies(page):
            parts += [heading(section.title, section.id)] if section.title else []
            parts += section.content(page)
    path = page.folder / "report.html"
    write_atomically(path, document(page.title, parts))
    return path
