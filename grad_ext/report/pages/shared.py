"""Sections of several pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from grad_ext.codec import from_json
from grad_ext.data.table_report import TableReport
from grad_ext.errors import InputError
from grad_ext.report.card import cards
from grad_ext.report.explorer import Source, explorer
from grad_ext.report.figures.audit import audit_figure
from grad_ext.report.figures.style import render
from grad_ext.report.findings.audit import leakage
from grad_ext.report.html import answer, figure, heading, items, paragraphs, table
from grad_ext.report.pages.section import Page, Section
from grad_ext.report.sentences import sentences
from grad_ext.report.tables import label, varying
from grad_ext.report.text_tables.audit import audit_lines
from grad_ext.sinks import read_csv

LAMBDA_FIGURE = "Accuracy, Discrimination and Consistency against λ"


def inline_figure(drawn: Figure, description: str) -> str:
    """Return a figure as HTML, with its description for screen readers."""
    return figure(render(drawn, "inline").decode(), description)


def versions_text(versions: Mapping[str, str]) -> str:
    """Return the packages that made the models with their versions."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def audits(folder: Path) -> list[str]:
    """Return the audits in a study's folder as HTML, or nothing if there is none.

    An audit is a file audit.csv in the folder or in one directly below.

    Raises
    ------
    InputError
        If such a file is not an audit.
    """
    parts: list[str] = []
    for path in [folder / "audit.csv", *sorted(folder.glob("*/audit.csv"))]:
        if not path.exists():
            continue
        try:
            rows = read_csv(path)
            texts, lines = sentences(leakage(rows)), audit_lines(rows)
        except (KeyError, ValueError) as error:
            raise InputError(f"{path}: expected what grad-ext audit writes, got {error}") from None
        name = "" if path.parent == folder else f" ({path.parent.name})"
        description = "AUC and balanced accuracy of fresh probes with 95 % intervals"
        parts += [
            heading(f"Attribute leakage{name}"),
            paragraphs(texts),
            table(*lines, words=(0, 1), bold=False),
            inline_figure(audit_figure(rows, "Attribute leakage"), description),
        ]
    return parts


DATA_FILE = "data.json"


def source(
    folder: Path, about: Mapping[str, Any], versions: Mapping[str, str], known_only: bool = False
) -> Source:
    """Return where the models of a study's own page come from.

    Raises
    ------
    InputError
        If data.json in its folder is damaged.
    """
    file, path = None, folder / DATA_FILE
    if path.exists():
        try:
            file = json.loads(path.read_text())["file"]
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path} is damaged: {error}; delete it") from None
    return Source(folder.name, folder.name, about, versions, known_only, path.exists(), file)


def _tables(page: Page) -> list[str]:
    """Return what was read of the user's own file or frame as HTML."""
    path = page.folder / DATA_FILE
    parts: list[str] = []
    try:
        for values in json.loads(path.read_text())["tables"]:
            report = from_json(TableReport, values)
            parts.append(paragraphs(report.sentences()))
            parts.append(table(*report.group_lines(), words=(0, 1), bold=False))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is damaged: {error}; delete it") from None
    return parts


def _shared_settings(page: Page) -> list[str]:
    """Return the settings that all models share, and the versions that made them."""
    trial, differing = page.records[0].trial.to_json(), varying(page.records)
    flat = {n: v for n, v in trial.items() if n != "settings"} | {
        f"settings.{n}": v for n, v in trial["settings"].items()
    }
    shared = [
        f"{n.removeprefix('settings.').replace('_', ' ')}: {_plain(v)}"
        for n, v in flat.items()
        if n not in differing and v not in ([], {}, "")
    ]
    parts = [items(shared)]
    if differing:
        names = ", ".join(map(label, differing))
        parts.append(paragraphs([f"Settings that vary are columns of the table above: {names}."]))
    for source in page.sources:
        if made := versions_text(source.versions):
            made_with = f"{source.name}: made with" if len(page.sources) > 1 else "Made with"
            parts.append(paragraphs([f"{made_with} {made}."]))
    return parts


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


TABLES: Section[Page] = Section(
    "data", "Data", _tables, lambda page: (page.folder / DATA_FILE).exists()
)
ANSWER: Section[Page] = Section(
    "answer", "", lambda page: [answer(page.studied, page.findings, page.caveats)]
)
EXPLORER: Section[Page] = Section(
    "explorer",
    "",
    lambda page: [explorer(page.frame, page.records, page.sources)],
    lambda page: bool(page.records),
)
AUDITS: Section[Page] = Section("audits", "", lambda page: audits(page.folder))
CARDS: Section[Page] = Section("cards", "", lambda page: cards(page.folder))
SETTINGS: Section[Page] = Section("settings", "Settings and versions", _shared_settings)
VERSIONS: Section[Page] = Section(
    "versions",
    "",
    lambda page: [paragraphs([f"Made with {versions_text(page.sources[0].versions)}."])],
    lambda page: bool(page.sources[0].versions),
)
