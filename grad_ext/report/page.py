"""The study's files: results.csv, the figures, and one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from grad_ext.constraints import DEFAULT_CONSTRAINT
from grad_ext.errors import InputError
from grad_ext.files import writable_folder, write_atomically
from grad_ext.report.card import cards
from grad_ext.report.explorer import Source, explorer
from grad_ext.report.figures import (
    WRITTEN,
    draw,
    frontier_figure,
    lambda_figure,
    plane_figure,
    render,
    spread_figure,
)
from grad_ext.report.html import answer, document, figure, heading, items, paragraphs, table
from grad_ext.report.settings import Choices, lines_by
from grad_ext.report.tables import (
    CASE,
    CHANCE,
    MOST_LINES,
    and_joined,
    by_curve,
    by_lambda,
    called,
    lines,
    results,
    setting_lines,
    study_lines,
    toolkit_lines,
    varying,
    with_figures,
)
from grad_ext.report.verdict import doubts, found
from grad_ext.report.words import cautions, described, outline, studied
from grad_ext.trial import Record

LAMBDA_FIGURE = "Accuracy, Discrimination and Consistency against λ"


def title(record: Record) -> str:
    """Return what a study is about, in one line."""
    trial = record.trial
    constraint = trial.settings.constraint
    by = "" if constraint == DEFAULT_CONSTRAINT else f" by {constraint.replace('_', ' ')}"
    return f"{trial.method} on {trial.dataset}, protecting {' and '.join(trial.protected)}{by}"


def write_report(
    folder: Path,
    records: Sequence[Record],
    versions: Mapping[str, str],
    about: Mapping[str, Any] | None = None,
    formats: Sequence[str] = WRITTEN,
    choices: Choices | None = None,
) -> Path:
    """Write results.csv, the figures and report.html into a study's folder.

    Parameters
    ----------
    folder : pathlib.Path
        The study's folder.
    records : sequence of Record
        Its models, at least one, of whatever settings.
    versions : mapping of str to str
        The versions that made them, shown at the end of the page.
    about : mapping, optional
        What the study is about, as study.json has it.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.
    choices : Choices, optional
        The same models by the settings that the study varies, which become columns of results.csv
        and, but in a study of λ, lines of a table.

    Returns
    -------
    pathlib.Path
        The page.
    """
    frame = results(records) if choices is None else choices.frame
    audited = [*audits(folder), *cards(folder)]
    write_atomically(folder / "results.csv", frame.to_csv(index=False))
    frame = with_figures(frame)
    differing = set(varying(records)) - set(CHANCE)
    judged = frame[frame["accuracy"].notna()]
    curves = () if choices is None else choices.curves
    several = len(differing - {"lam"}) > 0
    heading_ = _title(records) if several else title(records[-1])
    parts: list[str] = []
    if choices is not None and not choices.curve:
        said, doubted = [*outline(frame), choices.said], cautions(frame)
        parts += _choices(choices, folder, heading_, formats, _splits(frame))
    elif len(judged) and (curves or not several) and not isinstance(records[0].trial.lam, tuple):
        drawn = lambda_figure(frame, heading_, curves)
        draw(drawn, folder / "lambda", formats)
        said, doubted = found(frame, curves), doubts(frame, curves)
        parts += [heading("By λ"), paragraphs([SPREAD.format(splits=_splits(frame))])]
        for name, rows in by_curve(frame, curves):
            parts += [paragraphs([f"With {name}:"])] if name else []
            parts.append(table(*lines(by_lambda(rows))))
        parts.append(figure(render(drawn, "inline").decode(), LAMBDA_FIGURE))
    else:
        said, doubted = outline(frame), cautions(frame)
        columns, body = setting_lines(frame, records)
        parts += [heading("By setting"), paragraphs([SPREAD.format(splits=_splits(frame))])]
        parts += [table(columns, body, words=(0,))]
    by = _colour(frame, differing, choices)
    if len(judged):
        draw(plane_figure(judged, heading_, by), folder / "plane", formats)
        apart = [*CASE, "method", "recipe", "lam", *(choices.varied if choices else ())]
        kept = [c for c in dict.fromkeys(apart) if c not in CHANCE and frame[c].nunique() > 1]
        draw(spread_figure(judged, heading_, kept), folder / "spread", formats)
    toolkit = toolkit_lines(frame, by)
    if toolkit is not None:
        parts += [heading("The toolkits' metrics"), paragraphs([TOOLKITS]), table(*toolkit)]
    source = Source(folder.name, folder.name, about or {}, versions)
    page = folder / "report.html"
    write_atomically(
        page,
        document(
            heading_,
            [
                answer([studied(records), *described(records)], said, doubted),
                explorer(frame, records, [source]),
                *parts,
                *audited,
                *settings(records, [source]),
            ],
        ),
    )
    return page


def write_together(
    folder: Path,
    studies: Sequence[tuple[Source, Sequence[Record]]],
    formats: Sequence[str] = WRITTEN,
) -> Path:
    """Write results.csv, the figures and report.html of several studies into a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; made if need be.
    studies : sequence of (Source, sequence of Record)
        Where the models come from, and the models.
    formats : sequence of str, optional
        Formats of the figures: 'png', 'svg', 'pdf'.

    Returns
    -------
    pathlib.Path
        The page.
    """
    folder = writable_folder(folder)
    frames = [results(records).assign(study=source.name) for source, records in studies]
    frame = pd.concat(frames, ignore_index=True)
    write_atomically(folder / "results.csv", frame.to_csv(index=False))
    frame = with_figures(frame)
    records = [record for _, of_study in studies for record in of_study]
    sources = [source for source, _ in studies]
    name = f"{len(studies)} studies side by side"
    said = [f"{source.name}: {studied(of_study)}" for source, of_study in studies]
    said += described(records)
    doubted = cautions(frame)
    if frame["dataset"].nunique() > 1 or frame["protected"].nunique() > 1:
        doubted.append(
            "The studies differ in their data or protected attributes: set side by side only models "
            "of the same."
        )
    judged = frame[frame["accuracy"].notna()]
    if len(judged):
        draw(plane_figure(judged, name, "study"), folder / "plane", formats)
        kept = ["study", *(c for c in ("method", "recipe", "lam") if frame[c].nunique() > 1)]
        draw(spread_figure(judged, name, kept), folder / "spread", formats)
    columns, body = study_lines(frame)
    parts = [
        answer(said, outline(frame), doubted),
        explorer(frame, records, sources),
        heading("By study"),
        paragraphs([TOGETHER]),
        table(columns, body, words=(0,), bold=False),
    ]
    toolkit = toolkit_lines(frame, "study")
    if toolkit is not None:
        parts += [heading("The toolkits' metrics"), paragraphs([TOOLKITS]), table(*toolkit)]
    page = folder / "report.html"
    write_atomically(page, document(name, [*parts, *settings(records, sources)]))
    return page


def _choices(
    choices: Choices, folder: Path, name: str, formats: Sequence[str], splits: str
) -> list[str]:
    """Return the part of a page on choices of settings, and write their picture."""
    parts = [heading("By setting"), paragraphs([SPREAD.format(splits=splits), FLATTERED])]
    for (dataset, protected), points in choices.points.groupby(CASE, sort=True):
        case = f"On {dataset}, protecting {and_joined(protected)}:"
        columns, body = lines_by(points, choices.varied, choices.objectives)
        parts += [paragraphs([case]), table(columns, body, words=(0,))]
        if len(points) > MOST_LINES:
            parts.append(paragraphs([MORE.format(left=len(points) - MOST_LINES)]))
    if choices.points["accuracy"].notna().any():
        drawn = frontier_figure(choices.points, name)
        draw(drawn, folder / "frontier", formats)
        parts.append(figure(render(drawn, "inline").decode(), FRONTIER_FIGURE))
    return parts


TOGETHER = (
    "Mean ± standard deviation over all models of a study, whatever their settings: the plane and "
    "the table above tell them apart."
)
SPREAD = (
    "Test rows; mean ± standard deviation over models, on {splits}. Chance level: the "
    "Discrimination of predictions that ignore the protected attribute. Constant: share of models "
    "that give every test row the same label."
)
FLATTERED = (
    "The figures on the validation rows (val.) are those by which the frontier was chosen among many, "
    "and flatter it: the others, on the test rows, are those to go by."
)
MORE = (
    "{left} further choices are not in this table, but among the models above and in results.csv."
)
FRONTIER_FIGURE = "Accuracy against Discrimination, a dot for each choice of settings"
TOOLKITS = (
    "With AIF360's names and signs, unprivileged less (disparate impact: over) privileged; mean ± "
    "standard deviation over the models for which they are defined. 0, and 1 for disparate impact, "
    "is parity, which a constant prediction has as well."
)
# Columns by which points are told apart, the first that varies.
COLOURED = ("study", "method", "lam", "recipe", *CASE, "variant")


def _splits(frame: pd.DataFrame) -> str:
    seeds = sorted(frame["split_seed"].unique())
    if len(seeds) > 1:
        return f"{len(seeds)} divisions of the rows"
    return (
        f"one division of the rows (split seed {seeds[0]}), whose own error the spread over seeds "
        "does not show"
    )


def _colour(frame: pd.DataFrame, differing: set[str], choices: Choices | None) -> str:
    columns = (*COLOURED, *(choices.varied if choices else ()))
    there = [c for c in columns if c in frame and c not in CHANCE and frame[c].nunique() > 1]
    if not differing - {"lam"}:
        return "lam"
    return there[0] if there else "lam"


def _title(records: Sequence[Record]) -> str:
    names = list(dict.fromkeys(title(record) for record in records))
    return names[0] if len(names) == 1 else f"{names[0]}, and {len(names) - 1} more"


def settings(records: Sequence[Record], sources: Sequence[Source]) -> list[str]:
    """Return the part of a page on what all models share, and on what made them."""
    trial = records[0].trial.to_json()
    differing = varying(records)
    flat = {n: v for n, v in trial.items() if n != "settings"} | {
        f"settings.{n}": v for n, v in trial["settings"].items()
    }
    shared = [
        f"{n.removeprefix('settings.').replace('_', ' ')}: {_plain(v)}"
        for n, v in flat.items()
        if n not in differing and v not in ([], {}, "")
    ]
    said = [heading("Settings and versions"), items(shared)]
    if differing:
        names = ", ".join(map(called, differing))
        said.append(paragraphs([f"These vary, and are columns of the table above: {names}."]))
    for source in sources:
        made = ", ".join(f"{name} {number}" for name, number in source.versions.items())
        if made:
            which = f"{source.name}: made" if len(sources) > 1 else "Made"
            said.append(paragraphs([f"{which} with {made}."]))
    return said


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def audits(folder: Path) -> list[str]:
    """Return what the audits in a study's folder found, or nothing if there is none.

    An audit is a file audit.csv in the folder or in one directly below.

    Raises
    ------
    InputError
        If such a file is none.
    """
    there = [folder / "audit.csv", *sorted(folder.glob("*/audit.csv"))]
    parts: list[str] = []
    for path in there:
        if not path.exists():
            continue
        # The probes are only needed here.
        from grad_ext.auditing.show import figure as picture
        from grad_ext.auditing.show import lines as audit_lines
        from grad_ext.auditing.show import words

        try:
            rows = pd.read_csv(path)
            said, text = words(rows), audit_lines(rows)
        except (KeyError, ValueError) as error:
            raise InputError(f"{path}: expected what grad-ext audit writes, got {error}") from None
        name = "" if path.parent == folder else f" ({path.parent.name})"
        drawn = render(picture(rows, "What can be read off"), "inline").decode()
        parts += [
            heading(f"What can still be read off{name}"),
            paragraphs(said),
            table(*text, words=(0, 1), bold=False),
            figure(drawn, "AUC and balanced accuracy of fresh probes with 95 % intervals"),
        ]
    return parts
