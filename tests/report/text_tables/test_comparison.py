"""Text tables of comparisons."""

from report_data import failed, frame, model, pair

from grad_ext.report.text_tables.comparison import summary_lines


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
