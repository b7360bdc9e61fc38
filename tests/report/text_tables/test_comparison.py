"""Text tables of comparisons."""

from report_data import failed, frame, model, pair

from grad_ext.report.statistics.comparison import at_chosen
from grad_ext.report.text_tables.comparison import grid_lines, summary_lines


def test_the_lines_have_the_majority_class_on_top_and_marks():
    heading, body = summary_lines(
        frame(
            model("majority", 0, 0.7, 0.0, hyperparameter="", constant=True),
            *pair("good", 0.85, 0.05, 0.001),
            *pair("bad", 0.80, 0.10, 0.001, needs_attributes=True),
            model("plain", 0, 0.84, 0.06, hyperparameter=""),
            failed("gone"),
        )
    )
    assert all(len(line) == len(heading) for line in body)
    by_name = {line[0]: dict(zip(heading, line, strict=True)) for line in body}
    assert list(by_name) == ["majority class", "GOOD", "PLAIN", "BAD", "GONE"]
    assert body[0][3:6] == ["0.700", "0.500", "0.000"]
    assert by_name["GOOD"]["accuracy"] == "0.850 ±0.001"
    assert by_name["BAD"]["marks"] == "†, clearly dominated"
    assert by_name["PLAIN"]["marks"] == "dominated"
    assert by_name["PLAIN"]["hyperparameter"] == ""
    assert by_name["GONE"]["marks"] == "1 failed, fairlearn is not installed"
    assert by_name["GONE"]["accuracy"] == "–"


def test_diverged_models_are_counted_among_the_marks():
    nothing = failed("a", 1, "returned NaN for 3 of 200 rows", diverged=True)
    _, body = summary_lines(frame(model("a", 0), nothing))
    assert "1 diverged" in body[1][-1]


def test_grids_have_the_number_of_settings_and_ours_first():
    rows = frame(
        model("majority", hyperparameter=""),
        *(model("vfae", 0, 0.9, lam=lam, chosen=lam == 30.0) for lam in (0.0, 30.0)),
        model("plain", 0, 0.85, hyperparameter=""),
        *(model("GRAD-Pred", 0, lam=lam, chosen=lam == 10.0) for lam in (1.0, 10.0, 100.0)),
    )
    _, body = grid_lines(at_chosen(rows))
    assert body == [
        ["GRAD-PRED", "3", "beta", "1, 10, 100", "10", ""],
        ["VFAE", "2", "beta", "0, 30", "30", "greatest"],
        ["PLAIN", "1", "", "", "", ""],
    ]
    marks = {line[0]: line[-1] for line in summary_lines(rows)[1]}
    assert "end of grid" in marks["VFAE"]
    assert "end of grid" not in marks["GRAD-PRED"]
