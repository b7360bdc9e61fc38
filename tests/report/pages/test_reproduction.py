"""The pages of reproductions."""

import re

import pandas as pd
from report_data import reproduced

from grad_ext.report.findings.models import OneSplit
from grad_ext.report.findings.reproduction import claims, tally
from grad_ext.report.html import ANSWER, items, paragraphs
from grad_ext.report.pages.reproduction import write_figure2, write_reproduction
from grad_ext.report.published import TABLES
from grad_ext.report.sentences import sentences

ABOUT = {"adult": "sex"}
PUBLISHED = {"adult": TABLES["table1"]["adult"]}


def test_the_page_escapes_and_needs_nothing(tmp_path):
    page = write_reproduction(
        tmp_path,
        "table1",
        reproduced(),
        PUBLISHED,
        ABOUT,
        {"grad-ext": "<1>"},
        missing=["health: <missing>"],
    )
    text = page.read_text()
    assert "&lt;missing&gt;" in text
    assert "<missing>" not in text
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "0.700 ±0.000 (0.754; -0.054)" in text
    assert "as published, not run" in text
    assert paragraphs(sentences(tally(reproduced()))) in text
    assert items(sentences(claims(reproduced()))) in text.partition("section-claims")[2]
    stored = pd.read_csv(tmp_path / "table1.csv")
    assert stored["metric"].value_counts()["accuracy"] == 2 + 5
    assert {p.name for p in tmp_path.iterdir()} == {
        "results.csv",
        "table1.csv",
        "sensitivity.csv",
        "report.html",
    }


def test_a_figure_for_each_recipe(tmp_path):
    frame = pd.concat([reproduced(), reproduced(recipe="steady")])
    page = write_figure2(tmp_path, frame, {})
    text = page.read_text()
    assert text.count("<svg") == 2
    # What holds for every group is said once, at the top.
    assert text.count(sentences([OneSplit()])[0]) == 1
    assert [text.count(f"<h2>{part}</h2>") for part in ANSWER] == [1, 1, 1]
    assert (tmp_path / "figure2-adult-steady.png").stat().st_size > 10_000
