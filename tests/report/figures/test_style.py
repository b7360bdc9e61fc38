"""Figures as files: equal input gives equal bytes."""

import re
from xml.etree import ElementTree

import pytest

from grad_ext.errors import InputError
from grad_ext.report.figures.style import checked_formats, draw, new_figure, render, style


def drawn():
    figure = new_figure(3, 2)
    figure.subplots().plot([0, 1], [1, 0], label="a curve")
    figure.suptitle("A title")
    return figure


def test_equal_figures_are_equal_files(tmp_path):
    kinds = ("png", "svg", "pdf")
    for name in ("curve", "again"):
        draw(drawn(), tmp_path / name, kinds)
    for kind in kinds:
        files = [tmp_path / f"{name}.{kind}" for name in ("curve", "again")]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert (tmp_path / "curve.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "inline"])
@pytest.mark.parametrize("name", [r"$\frac{$ a $x_$ \\ %s {0}", "a\x1b[31m\x00b $"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_of_data_are_no_formulas(name, kind):
    with style():
        figure = new_figure(3, 2)
        axes = figure.subplots()
        axes.plot([0, 1], [1, 0], label=name)
        axes.set_xticks([0, 1], [name, "b"])
        axes.set_xlabel(name)
        axes.legend()
        figure.suptitle(name)
    content = render(figure, kind)
    if kind in ("svg", "inline"):
        shown = [e.text for e in ElementTree.fromstring(content).iter() if e.tag.endswith("text")]
        assert kind == "svg" or shown.count(re.sub("[\x00-\x1f]", "?", name)) == 4


def test_text_is_outlines_in_a_file_and_stays_text_in_a_page():
    assert b"A title</text>" in render(drawn(), "inline")
    assert b"<text" not in render(drawn(), "svg")


def test_formats_are_known_and_come_once():
    assert checked_formats(["svg", "png", "svg"]) == ("svg", "png")
    with pytest.raises(InputError, match="unknown format 'gif'"):
        checked_formats(["gif"])
