"""Style and file formats of figures."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from grad_ext.errors import unknown
from grad_ext.files import write_atomically

# Okabe and Ito's colours, which colour-blind readers can distinguish.
CURVE_COLOR, MAJORITY_COLOR, CHANCE_COLOR, PLAIN_COLOR = "#0072B2", "#D55E00", "#999999", "#009E73"
STAR_COLOR = "#F0E442"
FORMATS = ("png", "svg", "pdf")
WRITTEN = ("png", "svg")
# Control characters, which matplotlib copies from names and XML does not allow.
NOT_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def style() -> AbstractContextManager[None]:
    """Return the style in which equal input gives equal bytes, with fonts as part of the file.

    Letters are outlines in SVG and TrueType in PDF. Dollar signs are letters: names of data hold them,
    and what stands between two of them need not be a formula that matplotlib can read.
    """
    return matplotlib.rc_context(
        {
            "svg.fonttype": "path",
            "pdf.fonttype": 42,
            "svg.hashsalt": "grad-ext",
            "font.size": 9,
            "text.parse_math": False,
            "text.usetex": False,
        }
    )


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, which needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def checked_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Return the formats of figures, each once.

    Raises
    ------
    InputError
        If a format is unknown.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    return tuple(dict.fromkeys(formats))


def draw(figure: Figure, path: Path, formats: Sequence[str]) -> None:
    """Write a figure in some formats; the path is without a suffix."""
    for kind in formats:
        write_atomically(path.with_name(f"{path.name}.{kind}"), render(figure, kind))


def render(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file: 'png', 'svg', 'pdf', or 'inline', an SVG for a page.

    In the latter text stays text, which can be searched and read by screen readers.
    """
    buffer = io.BytesIO()
    inline = kind == "inline"
    kind = "svg" if inline else kind
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with style(), matplotlib.rc_context({"svg.fonttype": "none"} if inline else {}):
        figure.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    content = buffer.getvalue()
    return NOT_XML.sub(b"?", content) if kind == "svg" else content
