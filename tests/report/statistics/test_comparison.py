"""Means, intervals and dominance of methods whose metrics are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_data import failed, frame, model, pair
from scipy import stats

from grad_ext.errors import InputError
from grad_ext.report.statistics.comparison import at_chosen, differences, dominance, summary


def test_an_attribute_named_as_an_end_of_a_column_overwrites_nothing():
    named = {"discrimination_(sd)": 0.5, "discrimination_(low)": 0.25}
    line = summary(frame(*(model("a", k, 0.7, 0.1 + 0.2 * k, **named) for k in (0, 1)))).iloc[0]
    assert line["discrimination"] == pytest.approx(0.2)
    assert line["discrimination_sd"] == pytest.approx(0.02**0.5)
    assert line["discrimination_(sd)"] == 0.5
    assert line["discrimination_(low)"] == line["discrimination_(low)_low"] == 0.25


def test_the_summary_by_hand():
    lines = summary(
        frame(
            model("a", 0, 0.70, 0.10, lam=1.0, disparate_impact_age=np.nan),
            model("a", 1, 0.72, 0.20, lam=1.0, disparate_impact_age=0.5),
            failed("a", 2, lam=1.0),
            failed("a", 3, "another", lam=1.0),
            model("a", 0, 0.70, 0.00, lam=0.5, constant=True, disparate_impact_age=np.inf),
        )
    )
    assert lines["setting"].tolist() == ["beta = 0.5", "beta = 1"]
    constant, line = lines.iloc[0], lines.iloc[1]
    assert (line["name"], line["models"], line["failed"]) == ("A", 2, 2)
    assert line["error"] == "fairlearn is not installed"
    assert line["accuracy"] == pytest.approx(0.71)
    assert line["accuracy_sd"] == pytest.approx(0.02 / 2**0.5)
    # Standard error 0.01; Student's t of one degree of freedom at 97.5 % is 12.7062.
    assert line["accuracy_low"] == pytest.approx(0.71 - 0.01 * 12.7062, abs=1e-5)
    assert line["accuracy_high"] == pytest.approx(0.71 + 0.01 * 12.7062, abs=1e-5)
    # Of Discrimination 0.05; 0.15 ± 0.635 ends where the figure does.
    assert line["discrimination_low"] == 0.0
    assert line["discrimination_high"] == pytest.approx(0.15 + 0.05 * 12.7062, abs=1e-5)
    assert (line["constant"], constant["constant"]) == (0.0, 1.0)
    assert line["disparate_impact_age"] == 0.5
    assert constant[["accuracy_sd", "accuracy_low", "disparate_impact_age"]].isna().all()
    assert "seed" not in lines
    assert "epoch" not in lines


def test_intervals_are_over_splits_if_there_are_several():
    rows = [
        model("a", seed, accuracy, split_seed=division)
        for division, pair in enumerate([(0.7, 0.8), (0.8, 0.9), (0.75, 0.75)])
        for seed, accuracy in enumerate(pair)
    ]
    line = summary(frame(*rows)).iloc[0]
    half = stats.t.ppf(0.975, 2) * np.std([0.75, 0.85, 0.75], ddof=1) / 3**0.5
    mean = np.mean([0.75, 0.85, 0.75])
    assert line["accuracy"] == pytest.approx(mean)
    assert line["accuracy_low"] == pytest.approx(mean - half)
    assert line["accuracy_high"] == pytest.approx(mean + half)
    assert line["accuracy_sd"] == pytest.approx(np.std(frame(*rows)["accuracy"], ddof=1))


def test_diverged_models_did_not_fail_and_have_no_metrics():
    nothing = failed("a", 1, "returned NaN for 3 of 200 rows", diverged=True)
    line = summary(frame(model("a", 0), nothing)).iloc[0]
    assert (line["models"], line["diverged"], line["failed"]) == (2, 1, 0)
    assert line["accuracy"] == 0.8


def test_dominated_by_hand():
    lines = summary(
        frame(
            model("best", 0, 0.85, 0.05),
            model("worse", 0, 0.80, 0.10),
            model("fairer", 0, 0.75, 0.01),
            model("same", 0, 0.85, 0.05),
            model("as-accurate", 0, 0.85, 0.06),
            model("hyperparameter", 0, 0.70, 0.30, lam=0.0),
            model("hyperparameter", 0, 0.90, 0.30, lam=1.0),
        )
    ).set_index("name")
    assert lines["dominated"].tolist() == [False, True, False, False, True, True, False]
    assert lines["dominated_by"].tolist()[:5] == [
        "",
        "BEST, beta = 0",
        "",
        "",
        "BEST, beta = 0",
    ]
    # The dominating line of the highest Delta is named: 0.80 here, not 0.60 of its own hyperparameter.
    assert lines["dominated_by"].iloc[5] == "BEST, beta = 0"
    assert not lines["clearly"].any()  # a single model has no interval


def test_constants_and_the_majority_class_dominate_none():
    lines = summary(
        frame(
            model("majority", 0, 0.70, 0.0, hyperparameter=""),
            model("constant", 0, 0.70, 0.0, constant=True),
            model("partly", 0, 0.70, 0.0, constant=True),
            model("partly", 1, 0.90, 0.0),
            model("poor", 0, 0.60, 0.2),
        )
    )
    assert not lines["dominated"].any()


def test_clearly_is_beyond_the_intervals_and_above_chance():
    # Intervals reach 12.7 · spread to either side.
    def marks(*rows):
        lines = summary(frame(*rows)).set_index("name")
        return bool(lines.loc["B", "dominated"]), bool(lines.loc["B", "clearly"])

    assert marks(*pair("a", 0.85, 0.10, 0.001), *pair("b", 0.80, 0.10, 0.001)) == (True, True)
    assert marks(*pair("a", 0.85, 0.10, 0.003), *pair("b", 0.80, 0.10, 0.003)) == (True, False)
    assert marks(*pair("a", 0.80, 0.06, 0.001), *pair("b", 0.80, 0.10, 0.001)) == (True, True)
    # The chance level is 0.05: 0.04 is as good as 0.
    assert marks(*pair("a", 0.80, 0.00, 0.001), *pair("b", 0.80, 0.04, 0.001)) == (True, False)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2, st.booleans()), min_size=1, max_size=8))
def test_dominance_agrees_with_the_definition(points):
    lines = pd.DataFrame(
        {
            "method": "a",
            "constant": [float(c) for *_, c in points],
            "accuracy": [a / 10 for a, *_ in points],
            "discrimination": [d / 10 for _, d, _ in points],
            "chance_level": 0.0,
        }
    )
    for figure in ("accuracy", "discrimination"):
        lines[f"{figure}_low"] = lines[f"{figure}_high"] = lines[figure]
    expected = {
        (i, j)
        for i, (a, d, constant) in enumerate(points)
        for j, (b, e, _) in enumerate(points)
        if not constant and a >= b and d <= e and (a, d) != (b, e)
    }
    pairs = dominance(lines)
    assert set(zip(pairs["winner"], pairs["loser"], strict=True)) == expected
    assert pairs["clearly"].all()


def test_each_method_is_taken_at_its_chosen_values():
    lines = at_chosen(
        frame(
            model("a", 0, 0.9, lam=1.0, chosen=False),
            model("a", 0, 0.7, lam=2.0, chosen=True),
            model("b", 0, 0.8, lam=1.0, chosen=True),
            model("b", 0, 0.1, lam=3.0, chosen=False),
            model("b", 1, 0.6, lam=3.0, chosen=True),
            model("c", 0, 0.5, lam=1.0, chosen=False),
            model("c", 0, 0.6, lam=2.0, chosen=False, default=True),
            failed("d"),
            model("e", 0, 0.9, hyperparameter="", chosen=False),
        )
    ).set_index("name")
    assert lines.index.tolist() == ["E", "A", "B", "C", "D"]  # by balanced Delta
    assert lines["setting"].tolist() == ["", "beta = 2", "beta = 1 to 3", "beta = 2", "beta = 0"]
    np.testing.assert_allclose(lines["accuracy"], [0.9, 0.7, 0.7, 0.6, np.nan])
    # Nobody is dominated by a value that was not chosen: A's 0.9.
    assert lines.loc["A", "dominated_by"] == "E"


def test_the_end_of_a_grid_is_told_where_it_was_chosen():
    lines = at_chosen(
        frame(
            *(model("top", 0, lam=lam, chosen=lam == 3.0) for lam in (3.0, 0.0, 1.0)),
            *(model("low", 0, lam=lam, chosen=lam == 1.0) for lam in (1.0, 2.0)),
            *(model("zero", 0, lam=lam, chosen=lam == 0.0) for lam in (0.0, 2.0)),
            *(model("inner", s, lam=lam, chosen=lam == 2.0) for s in (0, 1) for lam in (1, 2, 3)),
            model("single", 0, lam=5.0),
            model("none", 0, hyperparameter=""),
            *(model("unchosen", 0, lam=lam, chosen=False) for lam in (1.0, 2.0)),
        )
    ).set_index("name")
    ends = {"TOP": "greatest", "LOW": "least", "ZERO": "", "INNER": "", "SINGLE": "", "NONE": ""}
    assert lines["grid_end"].to_dict() == {**ends, "UNCHOSEN": ""}
    assert lines.loc["TOP", "grid"] == (0.0, 1.0, 3.0)
    assert lines.loc["INNER", "grid"] == (1.0, 2.0, 3.0)
    assert lines.loc["NONE", "grid"] == ()


def test_one_title_with_several_recipes_is_several_methods():
    lines = summary(frame(model("a", recipe="paper"), model("a", recipe="steady"), model("b")))
    assert lines["name"].tolist() == ["A, paper recipe", "A, steady recipe", "B"]


def test_differences_are_paired_within_splits():
    rows = [
        model(method, 0, accuracy, split_seed=division)
        for method, values in {"a": (0.9, 0.7, 0.8), "b": (0.85, 0.66, 0.74)}.items()
        for division, accuracy in enumerate(values)
    ]
    lines = differences(frame(*rows, failed("c"), model("majority")), "A")
    assert lines.index.tolist() == ["B"]
    moved = np.array([0.05, 0.04, 0.06])
    half = stats.t.ppf(0.975, 2) * moved.std(ddof=1) / 3**0.5
    np.testing.assert_allclose(lines["accuracy"], 0.05)
    np.testing.assert_allclose(lines["accuracy_low"], 0.05 - half)
    np.testing.assert_allclose(lines["accuracy_high"], 0.05 + half)


def test_differences_over_seeds_are_welchs():
    a, b = (0.80, 0.82, 0.85), (0.70, 0.78)
    rows = [model(m, s, v) for m, values in (("a", a), ("b", b)) for s, v in enumerate(values)]
    rows += [model("fixed", 0, 0.75, seeded=False), model("once", 0, 0.75)]
    lines = differences(frame(*rows), "A")
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert lines.loc["B", "accuracy_low"] == pytest.approx(expected.low)
    assert lines.loc["B", "accuracy_high"] == pytest.approx(expected.high)
    expected = stats.ttest_1samp(a, 0.75).confidence_interval(0.95)
    assert lines.loc["FIXED", "accuracy_low"] == pytest.approx(expected.low - 0.75)
    assert lines.loc["FIXED", "accuracy_high"] == pytest.approx(expected.high - 0.75)
    assert np.isnan(lines.loc["ONCE", "accuracy_low"])
    # 0.5 and 0.5 ± 6.35, which ends where a difference of shares does.
    wide = frame(*(model("a", s, float(s)) for s in range(2)), model("b", 0, 0.0, seeded=False))
    ends = differences(wide, "A").loc["B", ["accuracy", "accuracy_low", "accuracy_high"]]
    assert ends.tolist() == [0.5, -1.0, 1.0]
    # Nothing varies in Discrimination, so there is nothing to judge a difference by.
    assert np.isnan(lines.loc["B", "discrimination_low"])


def test_bad_frames_are_refused():
    with pytest.raises(InputError, match="at least one model"):
        summary(frame())
    with pytest.raises(InputError, match="expected a column 'error'"):
        summary(frame(model("a")).drop(columns="error"))
    with pytest.raises(InputError, match="dataset: expected the same for all models, got 'german'"):
        summary(frame(model("a"), model("b", dataset="adult")))
