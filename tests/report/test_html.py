"""Parts of pages: text is escaped, and tables mark their columns of words."""

import re
from base64 import b64encode
from hashlib import sha256

from report_data import Html

from grad_ext.report.assets import script
from grad_ext.report.html import ANSWER, answer, document, figure, heading, items, paragraphs, table

NASTY = "<b>&\"'"


def texts(html):
    return [text.strip() for text in Html(html).texts if text.strip()]


def test_text_is_escaped():
    for html in (paragraphs([NASTY]), items([NASTY]), heading(NASTY), table([NASTY], [[NASTY]])):
        assert "<b>" not in html
        assert set(texts(html)) == {NASTY}
    assert "<b>" not in document(NASTY, [])
    assert "<b>" not in figure("<svg></svg>", NASTY)


def test_a_page_allows_its_own_script_alone():
    policy = re.search('Content-Security-Policy" content="([^"]+)"', document("t", []))
    assert policy
    parts = dict(part.split(" ", 1) for part in policy[1].split("; "))
    digest = b64encode(sha256(f"\n{script('main.js')}".encode()).digest()).decode()
    assert parts["default-src"] == "'none'"
    assert parts["script-src"] == f"'sha256-{digest}'"


def test_the_answer_leaves_out_parts_without_sentences():
    assert [name for name in ANSWER if f"<h2>{name}</h2>" in answer(["a"], [], ["c"])] == [
        ANSWER[0],
        ANSWER[2],
    ]


def test_tables_mark_columns_of_words():
    html = table(["setting", "accuracy"], [["a b", "0.7"]], words=(0,))
    assert '<th scope="col" class="words">setting</th>' in html
    assert '<td class="words">a b</td><td>0.7</td>' in html
    assert 'class="table wide bold"' in html
    assert 'class="table"' in table(["x"], [["1"]], bold=False)


def test_a_figure_starts_with_its_drawing():
    assert "<?xml" not in figure("<?xml version='1.0'?>\n<svg></svg>", "curves")


def test_a_heading_has_the_name_of_its_section():
    assert heading("By λ", "by-lambda") == '<h2 id="section-by-lambda">By λ</h2>'
