"""Text of data in terminals and in CSV: nothing in it is run, and it is read back as it was."""

import io
import json
import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.cli import main
from grad_ext.cli.output import Output
from grad_ext.sinks import (
    defused,
    printable,
    printable_json,
    read_csv,
    restored,
    to_csv,
)

# Red text, the title of the window, the C1 form of an escape, an overwritten line, reversed text.
HOSTILE = ["\x1b[31m", "\x1b]0;a\x07", "\x9b2J", "a\rb", "\u202eab", "\x00", "\x7f"]


@given(st.text(st.characters()))
def test_printable_text_has_no_control_characters(text):
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    shown.encode()


def test_text_that_is_safe_is_printed_unchanged():
    for text in ("age", "λ = 1\n\tä", "性別", "[bold]x[/bold]", "👩\u200d🔬"):
        assert printable(text) == text
    assert printable("a\x1b[31mb") == r"a\x1b[31mb"


@given(st.text(st.characters(codec="utf-8")))
def test_json_keeps_its_value(text):
    shown = printable_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(shown) == {text: [text]}
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "text", ["=1+1", "+a", "-a", "@SUM(A1)", "\t=1", "\r=1", "'=1", "＝1", "=", "--1"]
)
def test_formulas_are_defused(text):
    assert defused(text) == f"'{text}"
    assert restored(defused(text)) == text


@pytest.mark.parametrize(
    "text", ["-1", "-1.5e-3", "+2", "-.5", "-inf", "age>=25", "'age'", "", "a=1"]
)
def test_numbers_and_other_text_stay(text):
    assert defused(text) == restored(text) == text


@given(st.text())
def test_every_text_can_be_restored(text):
    assert restored(defused(text)) == text


def test_frames_are_read_back_as_they_were(tmp_path):
    text = ["=1+1", "'=x", "@a,b", 'a"b', "NA", "-5x", "\t+1", "None"]
    frame = pd.DataFrame(
        {"=name": text, "n": [-1.5, *[None] * 6, 0.1 + 0.2], "whole": range(8), "flag": [True] * 8}
    )
    frame["category"] = frame["=name"].astype("category")
    (tmp_path / "a.csv").write_text(to_csv(frame), newline="")
    expected = frame.assign(category=text)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "a.csv"), expected, check_exact=True)
    assert "\n'=1+1,-1.5,0,True,'=1+1\n" in to_csv(frame)
    file = io.BytesIO()
    assert to_csv(frame, file, header=False) == ""
    assert file.getvalue().decode() == to_csv(frame).split("\n", 1)[1]
    assert list(frame) == ["=name", "n", "whole", "flag", "category"]


def test_what_commands_print_holds_no_escape_sequences(capsys):
    printer = Output()
    for text in HOSTILE:
        printer.table(text, [text, "[red]head[/red]"], [[text, "[bold]:car:[/bold]"]])
        printer.sentences([f"{text} [red]:car:[/red]"])
        printer.line(text)
        printer.paths({"Table": text})
    out = capsys.readouterr().out
    assert printable(out) == out
    assert {"[red]head[/red]", "[bold]:car:[/bold]", "[red]:car:[/red]"} <= set(out.split())


def test_errors_and_json_hold_no_escape_sequences(capsys, tmp_path):
    path = tmp_path / "\x1b[31mpeople.csv"
    pd.DataFrame({"\x1b[2Jx": range(40), "y": [0, 1] * 20, "\x9b1m": [1, 1, 0, 0] * 10}).to_csv(
        path, index=False
    )
    given = ["data", "info", str(path), "--label", "y", "--protected"]
    assert main([*given, "\x1b[31mnone"]) == 2
    assert main([*given, "\x9b1m"]) == 0
    assert main([*given, "\x9b1m", "--json"]) == 0
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert text
        assert printable(text) == text
