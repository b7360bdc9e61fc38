"""What was read, as sentences and a table."""

from grad_ext.codec import from_json, to_json
from grad_ext.data.table_report import (
    ColumnReport,
    GroupReport,
    LabelValue,
    RowsLeftOut,
    TableReport,
)

REPORT = TableReport(
    name="loans",
    source="loans.csv",
    rows_read=100,
    rows=90,
    label="paid",
    values=(
        LabelValue("no", 20, False),
        LabelValue("late", 10, False),
        LabelValue("yes", 60, True),
    ),
    columns=(
        ColumnReport("amount", "feature", "number", 4, ("'?' (4 rows) read as missing",)),
        ColumnReport("purpose", "feature", "category"),
        ColumnReport("sex", "protected", "category"),
        ColumnReport("paid", "label", "category"),
        ColumnReport("id", "left out", notes=("numbers the rows, from 1 to 100",)),
        ColumnReport("notes", "left out"),
    ),
    groups=(
        GroupReport("sex", "f", 29, 0.5, 39, 0.4),
        GroupReport("sex", "m", 61, 0.75, 61, 0.75, privileged=True),
        GroupReport("age", "18 to 80", 90, None, 100),
    ),
    left_out=(RowsLeftOut("with missing values, in 'amount' (10)", 10),),
    duplicates=1,
    units=45,
    notes=("fields separated by semicolons",),
)


def test_sentences_hold_every_fact():
    text = "\n".join(REPORT.sentences())
    for fact in (
        *("loans.csv", "90 rows of 100", "6 columns"),
        *("'paid'", "'yes' (60)", "66.7%", "'no' (20), 'late' (10)"),
        *("1 number, 1 category", "'amount' (4)", "45", "10 rows with missing values"),
        *("'id', numbers the rows", "semicolons", "'?' (4 rows)", "sex: f (29)"),
    ):
        assert fact in text, fact
    # A column that the user excludes, and a single copy, go without saying.
    assert "'notes'" not in text
    assert "equal an earlier" not in text


def test_groups_before_and_after():
    heading, body = REPORT.group_lines()
    assert len(heading) == 6
    assert body[0] == ["sex", "f", "29", "50.0%", "10", "40.0%"]
    assert body[1][1:3] == ["m (privileged)", "61"]
    assert body[2] == ["age", "18 to 80", "90", "", "10", ""]


def test_small_groups():
    assert [group.group for group in REPORT.small_groups] == ["f"]


def test_reports_are_stored_as_json():
    assert from_json(TableReport, to_json(REPORT)) == REPORT
