"""The study's files: results.csv, the figure, and one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from grad_ext.files import write_atomically
from grad_ext.report.figures import lambda_figure, render
from grad_ext.report.tables import by_lambda, lines, results
from grad_ext.report.words import verdict
from grad_ext.trial import Record

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
.figure { background: #fff; padding: .5rem; overflow-x: auto; }
.figure svg { width: 100%; height: auto; min-width: 40rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
tbody tr:first-child { font-weight: 600; }
"""


def title(record: Record) -> str:
    """Return what a study is about, in one line."""
    trial = record.trial
    return f"{trial.method} on {trial.dataset}, protecting {' and '.join(trial.protected)}"


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
    figure = lambda_figure(frame, heading)
    svg = render(figure, "svg")
    write_atomically(folder / "lambda.svg", svg)
    write_atomically(folder / "lambda.png", render(figure, "png"))
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
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in columns)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in body
    )
    found = "\n".join(f"<p>{escape(text)}</p>" for text in said)
    settings = ", ".join(f"{n} {v}" for n, v in record.trial.to_json()["settings"].items())
    made = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(heading)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(heading)}</h1>
{found}
<div class="figure" role="img" aria-label="Accuracy, Discrimination and Consistency against λ">
{svg[svg.index("<svg") :]}
</div>
<p>Test rows; mean ± standard deviation over seeds, on one division of the rows (split seed
{record.trial.split_seed}), whose own error the spread over seeds does not show. Chance level: the
Discrimination of predictions that ignore the protected attribute. Constant: share of models that
give every test row the same label. Every model is a row of <a href="results.csv">results.csv</a>.
</p>
<div class="table" tabindex="0">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<p>Settings: {escape(settings)}. Made with {escape(made)}.</p>
</body>
</html>
"""
