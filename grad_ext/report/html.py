"""Pages that are one file: text is escaped, and they load nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Sequence
from functools import cache
from hashlib import sha256
from html import escape

from grad_ext.report.assets import asset, script

ANSWER = ("What was studied", "Findings", "Caveats")
NAMES = {
    "Balanced accuracy": "the mean of the accuracies on the rows of each label; 0.5 for a constant classifier.",
    "Majority class": "predicts the more frequent label for all rows; its accuracy is the share of that label.",
    "Discrimination": "the difference between the groups' mean predictions, averaged over several attributes; "
    "0 is best, and a constant classifier has a Discrimination of 0.",
    "Chance level": "the Discrimination expected by chance, on this number of rows, of predictions that ignore the "
    "attribute.",
    "Delta": "accuracy minus Discrimination; balanced Delta: balanced accuracy minus Discrimination.",
    "Consistency": "1 minus the mean difference between a row's prediction and that of its nearest "
    "neighbours; 1 is best, and a constant classifier has a Consistency of 1.",
    "GRAD-Pred, GRAD-Auto": "the networks with reversed gradients: the target branch predicts labels, or "
    "reconstructs the features, on which a logistic regression then predicts.",
    "NN-Pred, NN-Auto": "the same networks without attribute branches, λ = 0.",
    "λ": "how strongly the attribute branches' gradients are reversed into the trunk.",
    "Recipe": "how a network is trained: the paper's, or one of grad-ext's own, steady and smooth.",
}


def paragraphs(texts: Sequence[str]) -> str:
    """Return texts as paragraphs."""
    return "\n".join(f"<p>{escape(text)}</p>" for text in texts)


def answer(studied: Sequence[str], findings: Sequence[str], caveats: Sequence[str]) -> str:
    """Return the highlighted box at the top of a page.

    Parameters
    ----------
    studied, findings, caveats : sequence of str
        Sentences, a few per entry; a part without any is left out.
    """
    parts = zip(ANSWER, (studied, findings, caveats), strict=True)
    sentences = "\n".join(
        f"<h2>{escape(name)}</h2>\n{paragraphs(texts)}" for name, texts in parts if texts
    )
    definitions = "\n".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in NAMES.items()
    )
    return f"""<section class="answer" aria-label="The answer">
{sentences}
<details><summary>What the names mean</summary>
<dl>
{definitions}
</dl>
</details>
</section>"""


def heading(text: str, name: str = "") -> str:
    """Return the heading of a section, with the name that addresses of the page can point to."""
    attribute = f' id="section-{escape(name)}"' if name else ""
    return f"<h2{attribute}>{escape(text)}</h2>"


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
        The columns of words, which are broken into lines. With any, the table may be wider than
        the text, and a first column of words stays in sight when it scrolls.
    bold : bool, default True
        Whether the first line is the reference for the others.
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
    """Return a figure, with a description for screen readers."""
    return f"""<div class="figure" role="img" aria-label="{escape(label)}">
{svg[svg.index("<svg") :]}
</div>"""


@cache
def page_script() -> str:
    """Return the content of the script element, the only one that a page runs."""
    return f"\n{script('main.js')}"


def security_policy() -> str:
    """Return the content security policy of a page.

    A page loads nothing and sends nothing. It runs `page_script`, by its hash, and no other script,
    also if text of data became HTML. Figures style their elements in place.
    """
    digest = b64encode(sha256(page_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def document(title: str, parts: Sequence[str]) -> str:
    """Return a page from its parts, which are HTML."""
    body = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{security_policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{asset("report.css")}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<main id="content">
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""
