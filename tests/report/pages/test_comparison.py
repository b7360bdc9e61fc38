"""The page of a comparison."""

import numpy as np
import pandas as pd
import pytest
from report_data import Html, failed, frame, model, pair

from grad_ext.report.figures.comparison import comparison_figure
from grad_ext.report.figures.style import render
from grad_ext.report.pages.comparison import write_comparison
from grad_ext.report.statistics.comparison import summary
from grad_ext.report.text_tables.comparison import summary_lines

FILES = ["comparison.csv", "plane.png", "plane.svg", "report.html", "results.csv"]


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path):
    bad = "<script>x</script>"
    rows = [
        *pair("GRAD-Pred", 0.8, 0.1, 0.01, hyperparameter="λ"),
        *pair(bad, 0.7, 0.2, 0.01, hyperparameter=bad, dataset="german"),
        failed("gone", error=f"no {bad}"),
    ]
    page = write_comparison(tmp_path, frame(*rows), {"torch": "2"}, notes=[f"a note {bad}"])
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES
    parsed = Html(page.read_text())
    assert "script" not in parsed.tags
    assert all(link.startswith("#") for link in parsed.links)
    text = "".join(parsed.texts)
    for expected in (
        "majority class",
        "torch 2",
        "GRAD-PRED against each other method",
        "statistical parity difference age",
        "peak memory, MB",
        f"GONE: 1 of 1 models: no {bad}",
        f"a note {bad}",
        "95 % intervals",
    ):
        assert expected in text
    assert "nan" not in text.split()
    assert len(pd.read_csv(tmp_path / "results.csv")) == 5
    assert len(pd.read_csv(tmp_path / "comparison.csv")) == 3


def test_the_same_models_give_the_same_files_and_csv_reads_back(tmp_path):
    rows = frame(*pair("a", 0.8, 0.1, 0.01), model("b", hyperparameter=""), failed("c"))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_comparison(tmp_path / name, rows, {})
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    again = pd.read_csv(tmp_path / "a" / "results.csv", keep_default_na=True)
    again["hyperparameter"] = again["hyperparameter"].fillna("")
    pd.testing.assert_frame_equal(summary(again), summary(rows))


NO_METRICS = {n: v for n, v in failed("a").items() if not (isinstance(v, float) and np.isnan(v))}
DEGENERATE = {
    "one model": [model("a")],
    "one without a hyperparameter": [model("a", hyperparameter="", lam=np.nan)],
    "all failed": [failed("a"), failed("GRAD-Pred")],
    "failed before any figure was known": [NO_METRICS],
    "all diverged": [failed("GRAD-Pred", diverged=True, error="returned NaN for 2 of 2 rows")],
    "constants only": [
        model(m, 0, 0.7, 0.0, constant=True, disparate_impact_age=np.nan)
        for m in ("a", "GRAD-Pred")
    ],
    "the majority class only": [model("majority", 0, 0.7, 0.0, hyperparameter="", constant=True)],
    "several attributes": [
        model(m, protected="age,sex", discrimination_sex=0.2, equal_opportunity_difference_sex=0.0)
        for m in ("a", "GRAD-Pred")
    ],
    "an undefined Discrimination": [model("a", 0, 0.8, np.nan, lam=float(lam)) for lam in range(2)],
    "an infinite ratio": [model("GRAD-Pred", s, disparate_impact_age=np.inf) for s in range(2)],
    "flags that were not recorded": [model("a", constant=None, chosen=None), model("b")],
}


@pytest.mark.parametrize("rows", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_comparisons_have_a_page(tmp_path, rows):
    page = write_comparison(tmp_path, frame(*rows), {"torch": "2"})
    text = "".join(Html(page.read_text()).texts)
    for missing in ("nan", "NaN,", "inf "):
        assert missing not in text.replace("returned NaN", "")
    heading, body = summary_lines(frame(*rows))
    assert all(len(line) == len(heading) for line in body)
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES


def test_several_attributes_have_columns_of_their_own(tmp_path):
    rows = [
        model("a", protected="age,sex", discrimination_sex=0.25),
        model("b", protected="age,sex"),
    ]
    text = "".join(Html(write_comparison(tmp_path, frame(*rows), {}).read_text()).texts)
    assert "Discr. age" in text
    assert "Discr. sex" in text
    assert "0.250" in text


def test_real_models_of_german(tmp_path, german_problem):
    from grad_ext.adapters.plain import logistic_regression, majority_class
    from grad_ext.evaluation import evaluate
    from grad_ext.method import GRAD
    from grad_ext.report.tables import results
    from grad_ext.training.settings import Settings
    from grad_ext.trial import Trial

    short = Settings(epochs=2)
    parts = []
    for name, method, lams in (
        ("majority", majority_class(), [0.0]),
        ("logistic", logistic_regression(), [0.0]),
        ("GRAD-Pred", GRAD(), [1.0, 100.0]),
    ):
        trials = [
            Trial("german", ("age", "sex"), lam, seed, settings=short)
            for lam in lams
            for seed in (0, 1)
        ]
        part = results(evaluate(method, trials, german_problem))
        part = part.assign(method=name, title=name, hyperparameter="λ" if len(lams) > 1 else "")
        parts.append(part.assign(chosen=part["lam"] == lams[-1], default=False))
    rows = pd.concat(parts, ignore_index=True).assign(error="", needs_attributes=False, seeded=True)
    lines = summary(rows)
    assert lines["name"].tolist() == ["majority", "logistic", "GRAD-Pred", "GRAD-Pred"]
    np.testing.assert_allclose(
        lines["delta"],
        lines["accuracy"] - lines[["discrimination_age", "discrimination_sex"]].mean(1),
    )
    top, logistic = lines.iloc[0], lines.iloc[1]
    assert (top["accuracy"], top["discrimination"], top["constant"]) == (0.7, 0.0, 1.0)
    # No seed moves it.
    assert logistic["accuracy_low"] == pytest.approx(logistic["accuracy_high"])
    page = write_comparison(tmp_path, rows, {})
    assert "protecting age and sex" in page.read_text()
    assert render(comparison_figure(rows), "png").startswith(b"\x89PNG")
