"""Pages that are one file: text is escaped, nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

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


def paragraphs(texts: Sequence[str]) -> str:
    """Return texts as paragraphs."""
    return "\n".join(f"<p>{escape(text)}</p>" for text in texts)


def heading(text: str) -> str:
    """Return the heading of a part."""
    return f"<h2>{escape(text)}</h2>"


def items(texts: Sequence[str]) -> str:
    """Return texts as a list."""
    return "<ul>\n" + "\n".join(f"<li>{escape(text)}</li>" for text in texts) + "\n</ul>"


def table(columns: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return lines of text as a table that scrolls on a narrow screen."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in columns)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body
    )
    return f"""<div class="table" tabindex="0">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>"""


def figure(svg: str, label: str) -> str:
    """Return a picture, and what it shows for those who cannot see it."""
    return f"""<div class="figure" role="img" aria-label="{escape(label)}">
{svg[svg.index("<svg") :]}
</div>"""


def document(title: str, parts: Sequence[str]) -> str:
    """Return a page of parts that are HTML already."""
    body = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{body}
</body>
</html>
"""
