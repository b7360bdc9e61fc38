"""The page of a study."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from report_data import Html, record, study

from grad_ext.codec import to_json
from grad_ext.data.table_report import (
    ColumnReport,
    GroupReport,
    LabelValue,
    RowsLeftOut,
    TableReport,
)
from grad_ext.errors import InputError
from grad_ext.report.explorer import Source
from grad_ext.report.findings import lambdas
from grad_ext.report.html import ANSWER, NAMES, paragraphs
from grad_ext.report.pages.section import Section
from grad_ext.report.pages.study import STUDY, title, write_report, write_together
from grad_ext.report.sentences import sentences
from grad_ext.report.statistics.settings import choices
from grad_ext.report.tables import results
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial


def test_the_title_names_another_constraint():
    plain = record(1, 0)
    odds = replace(
        plain, trial=replace(plain.trial, settings=Settings(constraint="equalized_odds"))
    )
    assert title(plain) == "GRAD-Pred on german, protecting age"
    assert title(odds) == "GRAD-Pred on german, protecting age by equalized odds"


def test_the_answer_has_findings_and_caveats_in_parts_of_their_own(tmp_path):
    records = study({1: 0.8, 100: 0.75}, noise=0.02)
    page = write_report(tmp_path, records, {}, formats=()).read_text()
    parts = re.split("<h2>([^<]+)</h2>", page.partition("</section>")[0])
    assert tuple(parts[1::2]) == ANSWER
    frame = results(records)
    assert paragraphs(sentences(lambdas.findings(frame))) in parts[4]
    assert paragraphs(sentences(lambdas.caveats(frame))) in parts[6]
    assert all(f"<dt>{name}</dt>" in page for name in NAMES)


def headings(page):
    return re.findall(r'<h2 id="section-([^"]+)"', page.read_text())


def test_sections_appear_where_they_apply(tmp_path):
    records = study({1: 0.8, 100: 0.75}, seeds=2)
    about = {"kind": "grid", "varied": ["lam"]}
    assert headings(write_report(tmp_path, records, {}, formats=())) == ["by-lambda", "settings"]
    page = write_report(tmp_path, records, {}, about, (), choices(records, about))
    assert headings(page) == ["by-setting", "settings"]
    own = Section("epochs", "Epochs", lambda page: [paragraphs([str(page.frame["epoch"].max())])])
    page = write_report(tmp_path, records, {}, formats=(), sections=(own, *STUDY))
    assert headings(page) == ["epochs", "by-lambda", "settings"]
    assert "<p>7</p>" in page.read_text()


def test_what_was_read_of_a_file_is_at_the_top(tmp_path):
    report = TableReport(
        name="<b>people",
        source="<b>people.csv",
        rows_read=100,
        rows=90,
        label="paid",
        values=(LabelValue("no", 30, False), LabelValue("yes", 60, True)),
        columns=(ColumnReport("x", "feature", "number"),),
        groups=(GroupReport("sex", "f", 29, 0.5, 39, 0.4),),
        left_out=(RowsLeftOut("without a label", 10),),
    )
    (tmp_path / "data.json").write_text(json.dumps({"tables": [to_json(report)], "file": None}))
    path = write_report(tmp_path, study({1: 0.8, 100: 0.75}), {}, formats=())
    assert headings(path) == ["data", "by-lambda", "settings"]
    page = path.read_text()
    for fact in ("&lt;b&gt;people.csv: 90 rows of 100", "10 rows without a label", ">40.0%<"):
        assert fact in page
    # A file may have the name of a data set of the catalog.
    options = {"path": "/home/german.csv", "label": "x=y", "drop": ["a, b"]}
    stored = {"tables": [to_json(report)], "file": options}
    (tmp_path / "data.json").write_text(json.dumps(stored))
    page = write_report(tmp_path, study({1: 0.8, 100: 0.75}), {}, {"kind": "x"}, ()).read_text()
    assert "load_table('/home/german.csv'" in page
    assert "drop=['a, b']" in page
    assert "load_dataset" not in page
    assert "--data FILE" not in page
    (tmp_path / "data.json").write_text("[]")
    with pytest.raises(InputError, match=r"data\.json"):
        write_report(tmp_path, study({1: 0.8, 100: 0.75}), {}, formats=())


def test_a_page_of_numbers_and_tuples_of_lambda(tmp_path):
    records = [
        replace(record(1, seed), trial=Trial("german", ("age", "sex"), lam, seed))
        for lam in (1.0, (1.0, 100.0), 10.0)
        for seed in (0, 1)
    ]
    # A curve needs one number a model, so the models are shown by setting.
    assert headings(write_report(tmp_path, records, {}, formats=("svg",))) == [
        "by-setting",
        "settings",
    ]
    about = {"kind": "lambda", "varied": ["lam"]}
    by_lambda = choices(records, about, over_lambda=True)
    assert not by_lambda.curve
    page = write_report(tmp_path, records, {}, about, ("svg",), by_lambda)
    assert headings(page) == ["by-setting", "settings"]
    sources = [Source(name, name, {}, {}) for name in ("one", "two")]
    write_together(tmp_path, [(sources[0], records[:2]), (sources[1], records[2:])], ("svg",))
    table = pd.read_csv(tmp_path / "results.csv")
    assert table["study"].tolist() == ["one"] * 2 + ["two"] * 4
    assert table["lam"].tolist()[:2] == ["(1.0, 1.0)"] * 2


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path):
    records = [record(lam, s, name="<script>x</script>") for lam in (1, 100) for s in (0, 1)]
    page = write_report(tmp_path, records, {"torch": "2"})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "lambda.png",
        "lambda.svg",
        "plane.png",
        "plane.svg",
        "report.html",
        "results.csv",
        "spread.png",
        "spread.svg",
    ]
    parsed = Html(page.read_text())
    # The data, no histories, and the page's own script.
    assert parsed.tags.count("script") == 2
    assert not [link for link in parsed.links if not link.startswith("#")]
    text = "".join(parsed.texts)
    assert "majority class" in text
    assert "torch 2" in text
    assert len(pd.read_csv(tmp_path / "results.csv")) == 4


def test_the_same_records_give_the_same_files(tmp_path):
    records = study({1: 0.8, 100: 0.75}, noise=0.02)
    folders = [tmp_path / name / "study" for name in ("a", "b")]
    for folder in folders:
        folder.mkdir(parents=True)
        write_report(folder, records, {}, formats=("svg", "pdf"))
    for name in ("results.csv", "lambda.svg", "plane.pdf", "spread.svg", "report.html"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
