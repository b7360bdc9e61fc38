"""Figures as files: equal input gives equal bytes."""

import pytest

from grad_ext.errors import InputError
from grad_ext.report.figures.style import checked_formats, draw, new_figure, render


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


def test_text_is_outlines_in_a_file_and_stays_text_in_a_page():
    assert b"A title</text>" in render(drawn(), "inline")
    assert b"<text" not in render(drawn(), "svg")


def test_formats_are_known_and_come_once():
    assert checked_formats(["svg", "png", "svg"]) == ("svg", "png")
    with pytest.raises(InputError, match="unknown format 'gif'"):
        checked_formats(["gif"])
