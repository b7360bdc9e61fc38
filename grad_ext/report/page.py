"""The study's files: results.csv, the figure, and one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from grad_ext.files import write_atomically
from grad_ext.report.figures import lambda_figure, render
from grad_ext.report.html import document, figure, paragraphs, table
from grad_ext.report.tables import by_lambda, lines, results
from grad_ext.report.words import verdict
from grad_ext.task import CRITERIA
from grad_ext.trial import Record


def title(record: Record) -> str:
    """Return what a study is about, in one line."""
    trial = record.trial
    criterion = trial.settings.criterion
    by = "" if criterion == CRITERIA[0] else f" by {criterion.replace('_', ' ')}"
    return f"{trial.method} on {trial.dataset}, protecting {' and '.join(trial.protected)}{by}"


def write_report(folder: Path, records: Sequence[Record], versions: Mapping[str, str]) -> Path:
    """Write results.csv, lambda.png, lambda.svg and report.html into a study's folder.

    Parameters
    ----------
    folder : pathlib.Path
        The study's folder.
    records : sequence of Record
        Its models, at least one.
    versions : mapping of str to str
        The versions that made them, shown at the end of the page.

    Returns
    -------
    pathlib.Path
        The page.
    """
    frame = results(records)
    write_atomically(folder / "results.csv", frame.to_csv(index=False))
    heading = title(records[-1])
    drawn = lambda_figure(frame, heading)
    svg = render(drawn, "svg")
    write_atomically(folder / "lambda.svg", svg)
    write_atomically(folder / "lambda.png", render(drawn, "png"))
    page = folder / "report.html"
    columns, body = lines(by_lambda(frame))
    write_atomically(
        page, _page(heading, verdict(frame), svg.decode(), columns, body, records[0], versions)
    )
    return page


def _page(
    heading: str,
    said: Sequence[str],
    svg: str,
    columns: Sequence[str],
    body: Sequence[Sequence[str]],
    record: Record,
    versions: Mapping[str, str],
) -> str:
    settings = ", ".join(f"{n} {v}" for n, v in record.trial.to_json()["settings"].items())
    made = ", ".join(f"{name} {number}" for name, number in versions.items())
    return document(
        heading,
        [
            paragraphs(said),
            figure(svg, "Accuracy, Discrimination and Consistency against λ"),
            f"""<p>Test rows; mean ± standard deviation over seeds, on one division of the rows (split seed
{record.trial.split_seed}), whose own error the spread over seeds does not show. Chance level: the
Discrimination of predictions that ignore the protected attribute. Constant: share of models that
give every test row the same label. Every model is a row of <a href="results.csv">results.csv</a>.
</p>""",
            table(columns, body),
            paragraphs([f"Settings: {settings}. Made with {made}."]),
        ],
    )
