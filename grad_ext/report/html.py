"""Pages that are one file: text is escaped, nothing is fetched."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
.bold tbody tr:first-child { font-weight: 600; }
.wide { margin-inline: max(50% - 50vw + 1rem, -16rem); }
.wide th { white-space: normal; vertical-align: bottom; }
.wide .words { text-align: left; white-space: normal; min-width: 8rem; }
.wide .words:first-child { position: sticky; left: 0; background: Canvas; }
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


def table(
    columns: Sequence[str],
    body: Sequence[Sequence[str]],
    *,
    words: Collection[int] = (),
    bold: bool = True,
) -> str:
    """Return lines of text as a table that scrolls on a narrow screen.

    Parameters
    ----------
    columns : sequence of str
        The heading.
    body : sequence of sequences of str
        The lines.
    words : collection of int, optional
        Which columns hold words, which are broken into lines. With any, the table may be wider than
        the text, and a first column of words stays in sight when it scrolls.
    bold : bool, default True
        Whether the first line is one that the others are to be read against.
    """
    kinds = " wide" * bool(words) + " bold" * bold
    kind = [' class="words"' if i in words else "" for i in range(len(columns))]
    head = "".join(
        f'<th scope="col"{k}>{escape(cell)}</th>' for k, cell in zip(kind, columns, strict=True)
    )
    rows = "\n".join(
        "<tr>"
        + "".join(f"<td{k}>{escape(cell)}</td>" for k, cell in zip(kind, row, strict=True))
        + "</tr>"
        for row in body
    )
    return f"""<div class="table{kinds}" tabindex="0">
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
