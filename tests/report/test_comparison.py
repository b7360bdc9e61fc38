"""Methods side by side, over models whose figures are known."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from grad_ext.report.comparison import (
    at_chosen,
    differences,
    dominance,
    summary,
    summary_lines,
    write_comparison,
)
from grad_ext.report.comparison_page import plane
from grad_ext.report.comparison_words import (
    doubts,
    duels,
    findings,
    found,
    over_hyperparameters,
    studied,
)
from grad_ext.report.words import listed
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from grad_ext.errors import InputError
from grad_ext.report.figures import render

FILES = ["comparison.csv", "plane.png", "plane.svg", "report.html", "results.csv"]


def model(method, seed=0, accuracy=0.8, discrimination=0.1, **other):
    """A row of the frame; a model with a hyperparameter at 0 unless told otherwise."""
    constant = other.get("constant", False)
    row = {
        "dataset": "german",
        "method": method,
        "title": method.upper(),
        "hyperparameter": "beta",
        "lam": 0.0,
        "seed": seed,
        "split_seed": 0,
        "variant": "pred",
        "recipe": "paper",
        "protected": "age",
        "accuracy": accuracy,
        "balanced_accuracy": 0.5 if constant else accuracy - 0.1,
        "discrimination": discrimination,
        "discrimination_age": discrimination,
        "delta": accuracy - discrimination,
        "balanced_delta": (0.5 if constant else accuracy - 0.1) - discrimination,
        "consistency": 1.0 if constant else 0.8,
        "positive_rate": 1.0 if constant else 0.7,
        "majority_accuracy": 0.7,
        "majority_favorable": 1.0,
        "chance_level": 0.0 if constant else 0.05,
        "statistical_parity_difference_age": -discrimination,
        "disparate_impact_age": 1.0 - discrimination,
        "constant": False,
        "diverged": False,
        "seconds": 2.0,
        "predict_seconds": 0.01,
        "peak_bytes": 3e8,
        "error": "",
        "needs_attributes": False,
        "seeded": True,
        "chosen": True,
        "default": False,
    }
    return row | other


def failed(method, seed=0, error="fairlearn is not installed", **other):
    figures = [n for n, v in model(method).items() if isinstance(v, float) and n != "lam"]
    return model(method, seed) | dict.fromkeys(figures, np.nan) | {"error": error} | other


def frame(*rows):
    return pd.DataFrame(rows)


def pair(method, accuracy, discrimination, spread=0.0, **other):
    """Two models around a mean; their interval is 12.706 / √2 · √2 · spread to either side."""
    return [
        model(method, 0, accuracy - spread, discrimination - spread, **other),
        model(method, 1, accuracy + spread, discrimination + spread, **other),
    ]


def test_the_summary_by_hand():
    made = summary(
        frame(
            model("a", 0, 0.70, 0.10, lam=1.0, disparate_impact_age=np.nan),
            model("a", 1, 0.72, 0.20, lam=1.0, disparate_impact_age=0.5),
            failed("a", 2, lam=1.0),
            failed("a", 3, "another", lam=1.0),
            model("a", 0, 0.70, 0.00, lam=0.5, constant=True, disparate_impact_age=np.inf),
        )
    )
    assert made["setting"].tolist() == ["beta = 0.5", "beta = 1"]
    constant, line = made.iloc[0], made.iloc[1]
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
    assert "seed" not in made
    assert "epoch" not in made


def test_intervals_are_over_divisions_where_there_are_several():
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


def test_diverged_models_are_no_failures_and_have_no_figures():
    nothing = failed("a", 1, "returned NaN for 3 of 200 rows", diverged=True)
    line = summary(frame(model("a", 0), nothing)).iloc[0]
    assert (line["models"], line["diverged"], line["failed"]) == (2, 1, 0)
    assert line["accuracy"] == 0.8
    assert "1 diverged" in summary_lines(frame(model("a", 0), nothing))[1][1][-1]


def test_dominated_by_hand():
    made = summary(
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
    assert made["dominated"].tolist() == [False, True, False, False, True, True, False]
    assert made["dominated_by"].tolist()[:5] == [
        "",
        "BEST, beta = 0",
        "",
        "",
        "BEST, beta = 0",
    ]
    # The dominating line of the highest Delta is named: 0.80 here, not 0.60 of its own hyperparameter.
    assert made["dominated_by"].iloc[5] == "BEST, beta = 0"
    assert not made["clearly"].any()  # a single model has no interval


def test_constants_and_the_majority_class_dominate_none():
    made = summary(
        frame(
            model("majority", 0, 0.70, 0.0, hyperparameter=""),
            model("constant", 0, 0.70, 0.0, constant=True),
            model("partly", 0, 0.70, 0.0, constant=True),
            model("partly", 1, 0.90, 0.0),
            model("poor", 0, 0.60, 0.2),
        )
    )
    assert not made["dominated"].any()


def test_clearly_is_beyond_the_intervals_and_above_chance():
    # Intervals reach 12.7 · spread to either side.
    def marks(*rows):
        made = summary(frame(*rows)).set_index("name")
        return bool(made.loc["B", "dominated"]), bool(made.loc["B", "clearly"])

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
    found = dominance(lines)
    assert set(zip(found["winner"], found["loser"], strict=True)) == expected
    assert found["clearly"].all()


def test_each_method_stands_at_its_chosen_values():
    made = at_chosen(
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
    assert made.index.tolist() == ["E", "A", "B", "C", "D"]  # by balanced Delta
    assert made["setting"].tolist() == ["", "beta = 2", "beta = 1 to 3", "beta = 2", "beta = 0"]
    np.testing.assert_allclose(made["accuracy"], [0.9, 0.7, 0.7, 0.6, np.nan])
    # Nobody is dominated by a value that was not chosen: A's 0.9.
    assert made.loc["A", "dominated_by"] == "E"


def test_one_title_with_several_recipes_is_several_methods():
    made = summary(frame(model("a", recipe="paper"), model("a", recipe="steady"), model("b")))
    assert made["name"].tolist() == ["A, paper recipe", "A, steady recipe", "B"]


def test_differences_are_paired_within_divisions():
    rows = [
        model(method, 0, accuracy, split_seed=division)
        for method, values in {"a": (0.9, 0.7, 0.8), "b": (0.85, 0.66, 0.74)}.items()
        for division, accuracy in enumerate(values)
    ]
    made = differences(frame(*rows, failed("c"), model("majority")), "A")
    assert made.index.tolist() == ["B"]
    moved = np.array([0.05, 0.04, 0.06])
    half = stats.t.ppf(0.975, 2) * moved.std(ddof=1) / 3**0.5
    np.testing.assert_allclose(made["accuracy"], 0.05)
    np.testing.assert_allclose(made["accuracy_low"], 0.05 - half)
    np.testing.assert_allclose(made["accuracy_high"], 0.05 + half)


def test_differences_over_seeds_are_welchs():
    a, b = (0.80, 0.82, 0.85), (0.70, 0.78)
    rows = [model(m, s, v) for m, values in (("a", a), ("b", b)) for s, v in enumerate(values)]
    rows += [model("fixed", 0, 0.75, seeded=False), model("once", 0, 0.75)]
    made = differences(frame(*rows), "A")
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert made.loc["B", "accuracy_low"] == pytest.approx(expected.low)
    assert made.loc["B", "accuracy_high"] == pytest.approx(expected.high)
    expected = stats.ttest_1samp(a, 0.75).confidence_interval(0.95)
    assert made.loc["FIXED", "accuracy_low"] == pytest.approx(expected.low - 0.75)
    assert made.loc["FIXED", "accuracy_high"] == pytest.approx(expected.high - 0.75)
    assert np.isnan(made.loc["ONCE", "accuracy_low"])
    # 0.5 and 0.5 ± 6.35, which ends where a difference of shares does.
    wide = frame(*(model("a", s, float(s)) for s in range(2)), model("b", 0, 0.0, seeded=False))
    ends = differences(wide, "A").loc["B", ["accuracy", "accuracy_low", "accuracy_high"]]
    assert ends.tolist() == [0.5, -1.0, 1.0]
    # Nothing varies in Discrimination, so there is nothing to judge a difference by.
    assert np.isnan(made.loc["B", "discrimination_low"])


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


def test_the_findings_say_who_beats_whom():
    rows = [
        model("majority", 0, 0.7, 0.0, hyperparameter="", constant=True),
        *pair("GRAD-Pred", 0.80, 0.10, 0.001, hyperparameter="λ", lam=100.0),
        *pair("beaten", 0.75, 0.15, 0.001),
        *pair("beats", 0.85, 0.06, 0.02),
        *pair("dear", 0.90, 0.20, needs_attributes=True),
        *pair("cheap", 0.65, 0.01),
        model("dull", 0, 0.7, 0.0, constant=True),
        failed("gone"),
    ]
    rows = frame(*rows)
    top, warned = " ".join(found(rows)), " ".join(doubts(rows))
    assert findings(rows) == [*studied(rows), *found(rows), *doubts(rows)]
    assert studied(rows)[0].startswith("13 models of 7 methods on german, protecting age; 6 of the")
    frontier = "as good in the other: DEAR † (0.900, 0.200), BEATS (0.850, 0.060)"
    assert frontier in top
    # Balanced accuracy less Discrimination: 0.69 of BEATS, then 0.60.
    assert (
        "GRAD-PRED, λ = 100, number 2 of 6 methods by balanced accuracy less Discrimination and on "
        "neither frontier: accuracy 0.800, balanced accuracy 0.700, Discr"
    ) in top
    assert "Clearly: better in one of the two by so much" in top
    assert (
        "In accuracy and Discrimination together it clearly beats BEATEN; loses to BEATS, not "
        "clearly; 3 others are worse in one and better in the other, equal, or with constant models."
    ) in top
    assert "about 0.050 on these test rows by chance; no more than their chance level show" in top
    assert "gives everybody" not in top
    assert "Less accurate than the majority class (0.700): CHEAP, beta = 0." in warned
    assert "mean nothing: DULL, beta = 0 (1 of 1)." in warned
    assert "Behind the majority class by" not in warned
    assert "DEAR (†) needs the protected attributes at prediction" in warned
    assert "Failed: GONE (1 model). fairlearn is not installed" in warned
    assert "Some methods have a single model, and so no interval" in warned
    assert "among many, some differences are clear by chance" in warned
    assert "All models share one division of the rows" in warned
    told, balanced = duels(rows, "GRAD-PRED")
    assert "it beats BEATEN (-0.050, +0.050; clearly)" in told
    assert "it loses to BEATS (+0.050, -0.040)." in told
    assert "The others: 1 of higher accuracy and more Discrimination and 2 of lower" in told
    assert balanced.startswith("GRAD-PRED in balanced accuracy and Discrimination")
    assert over_hyperparameters(rows).endswith("DEAR (beta = 0) and CHEAP (beta = 0).")
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_grad_is_set_against_its_plain_network():
    rows = frame(
        *(model("GRAD-Pred", s, 0.80 + 0.01 * s, 0.05) for s in range(2)),
        *(model("NN-Pred", s, 0.85 + 0.01 * s, 0.15) for s in range(2)),
    ).replace({"title": {"GRAD-PRED": "GRAD-Pred", "NN-PRED": "NN-Pred"}})
    # Welch's: standard errors of 0.005 each, two degrees of freedom.
    reach = stats.t.ppf(0.975, 2) * (2 * 0.005**2) ** 0.5
    said = " ".join(found(rows))
    assert "number 1 of 2 methods by" in said
    assert "on the frontier of accuracy and balanced accuracy: accuracy" in said
    assert (
        "It has more than NN-Pred, the same network without reversal: accuracy -0.050 "
        f"({-0.05 - reach:+.3f} to {-0.05 + reach:+.3f}), balanced accuracy -0.050 "
    ) in said
    assert "Discrimination -0.100." in said
    assert "clearly" not in " ".join(found(frame(model("GRAD-Pred"))))


def test_what_looks_like_several_methods_and_is_one_is_named():
    rows = frame(
        model("a", 0, 0.8, 0.1, seeded=False),
        model("b", 0, 0.8, 0.1, seeded=False),
        model("c", 0, 0.8, 0.2),
        model("dull", 0, 0.7, 0.0, constant=True, chosen=False, lam=1.0),
        model("dull", 0, 0.75, 0.1, lam=2.0),
    )
    warned = " ".join(doubts(rows))
    # 0.7 less 0.1 is above the 0.5 of the majority class; 0.65 less 0.1 is, too.
    assert "Behind the majority class by" not in warned
    behind = " ".join(doubts(frame(model("a", 0, 0.8, 0.25))))
    assert "balanced accuracy less Discrimination (0.500): A, beta = 0." in behind
    assert "Less accurate" not in behind
    assert "so most likely in every prediction: A and B." in warned
    assert "DULL, beta = 1 (1 of 1, not at the chosen value)." in warned
    assert "Methods that draw nothing at random have a single model and no interval" in warned
    assert "every method shows more than its chance level." in " ".join(found(rows))
    different = " ".join(doubts(frame(*pair("a", 0.8, 0.1), *pair("b", 0.8, 0.2))))
    assert "most likely in every prediction" not in different
    assert "draw nothing at random" not in different


def test_many_names_are_counted_and_all_may_vary():
    better = [row for i in range(6) for row in pair(f"m{i}", 0.85 + 0.01 * i, 0.06, 0.0001)]
    rows = frame(*pair("GRAD-Pred", 0.80, 0.10, 0.0001), *better)
    said = " ".join(found(rows))
    assert "together it clearly loses to 6 methods." in said
    assert "No model gives everybody the same label." in said
    warned = " ".join(doubts(rows))
    assert "Some methods have 2 models only: their 95 % intervals reach 12.7 standard" in warned
    assert "Less accurate" not in warned
    several = [model("a", s, split_seed=d) for s in range(5) for d in range(2)]
    assert doubts(frame(*several)) == []


def offsets(axes):
    return np.concatenate([c.get_offsets() for c in axes.collections if len(c.get_offsets())])


def test_the_plane_shows_models_means_and_the_majority_class():
    rows = [
        *pair("a", 0.80, 0.10, 0.01, lam=1.0, chosen=False),
        *pair("a", 0.75, 0.05, 0.01, lam=2.0),
        model("majority", 0, 0.7, 0.0, hyperparameter="", constant=True),
    ]
    drawn = plane(frame(*rows))
    accuracy, balanced = drawn.axes
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("Discrimination", "Accuracy")
    np.testing.assert_allclose(np.sort(offsets(accuracy)[:, 1]), [0.74, 0.76, 0.79, 0.81])
    lines = [line.get_xydata() for line in accuracy.lines]
    assert any(np.allclose(xy, [[0.10, 0.80], [0.05, 0.75]]) for xy in lines if len(xy) == 2)
    named = {line.get_label(): line.get_xydata() for line in accuracy.lines}
    np.testing.assert_allclose(named["A"], [[0.05, 0.75]])
    np.testing.assert_allclose(named["majority class"], [[0.0, 0.7]])
    stars = {line.get_label(): line.get_xydata() for line in balanced.lines}
    np.testing.assert_allclose(stars["majority class"], [[0.0, 0.5]])
    np.testing.assert_allclose(stars["A"], [[0.05, 0.65]])


def test_models_beyond_the_axes_are_said():
    rows = [model("a", s, 0.8 + 0.001 * s, 0.1) for s in range(8)]
    drawn = plane(frame(*rows, model("far", 0, 0.2, 0.1)))
    low, high = drawn.axes[0].get_ylim()
    assert 0.2 < low < 0.7
    assert high > 0.807
    assert "Models beyond the axes: 1 of FAR (" in drawn.get_supxlabel()
    assert "accuracy 0.200 to 0.200" in drawn.get_supxlabel()
    assert "beyond" not in plane(frame(*rows)).get_supxlabel()


def test_no_two_of_many_methods_look_alike():
    rows = [model(f"m{i}", 0, 0.8, 0.1) for i in range(30)]
    drawn = plane(frame(*rows, *(model(f"GRAD-{i}", 0, 0.8, 0.1) for i in range(4))))
    shown = [li for li in drawn.axes[0].lines if li.get_label().startswith(("M", "G"))]
    assert len(shown) == 34
    assert len({(li.get_color(), li.get_marker()) for li in shown}) == 34


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [v for n, v in attributes if n in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path):
    bad = "<script>x</script>"
    rows = [
        *pair("GRAD-Pred", 0.8, 0.1, 0.01, hyperparameter="λ"),
        *pair(bad, 0.7, 0.2, 0.01, hyperparameter=bad, dataset="german"),
        failed("gone", error=f"no {bad}"),
    ]
    page = write_comparison(tmp_path, frame(*rows), {"torch": "2"}, [f"a note {bad}"])
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES
    parsed = Page(page.read_text())
    assert "script" not in parsed.tags
    assert all(link.startswith("#") for link in parsed.links)
    words = "".join(parsed.words)
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
        assert expected in words
    assert "nan" not in words.split()
    assert len(pd.read_csv(tmp_path / "results.csv")) == 5
    assert len(pd.read_csv(tmp_path / "comparison.csv")) == 3


def test_the_same_models_give_the_same_files_and_csv_reads_back(tmp_path):
    rows = frame(*pair("a", 0.8, 0.1, 0.01), model("b", hyperparameter=""), failed("c"))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_comparison(tmp_path / name, rows, {}, [])
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    again = pd.read_csv(tmp_path / "a" / "results.csv", keep_default_na=True)
    again["hyperparameter"] = again["hyperparameter"].fillna("")
    pd.testing.assert_frame_equal(summary(again), summary(rows))


NO_FIGURES = {n: v for n, v in failed("a").items() if not (isinstance(v, float) and np.isnan(v))}
DEGENERATE = {
    "one model": [model("a")],
    "one without a hyperparameter": [model("a", hyperparameter="", lam=np.nan)],
    "all failed": [failed("a"), failed("GRAD-Pred")],
    "failed before any figure was known": [NO_FIGURES],
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
    page = write_comparison(tmp_path, frame(*rows), {"torch": "2"}, [])
    words = "".join(Page(page.read_text()).words)
    for missing in ("nan", "NaN,", "inf "):
        assert missing not in words.replace("returned NaN", "")
    heading, body = summary_lines(frame(*rows))
    assert all(len(line) == len(heading) for line in body)
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES


def test_several_attributes_have_columns_of_their_own(tmp_path):
    rows = [
        model("a", protected="age,sex", discrimination_sex=0.25),
        model("b", protected="age,sex"),
    ]
    words = "".join(Page(write_comparison(tmp_path, frame(*rows), {}).read_text()).words)
    assert "Discr. age" in words
    assert "Discr. sex" in words
    assert "0.250" in words


def test_bad_frames_are_refused():
    with pytest.raises(InputError, match="at least one model"):
        summary(frame())
    with pytest.raises(InputError, match="expected a column 'error'"):
        summary(frame(model("a")).drop(columns="error"))
    with pytest.raises(InputError, match="dataset: expected the same for all models, got 'german'"):
        summary(frame(model("a"), model("b", dataset="adult")))


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
    made = summary(rows)
    assert made["name"].tolist() == ["majority", "logistic", "GRAD-Pred", "GRAD-Pred"]
    np.testing.assert_allclose(
        made["delta"], made["accuracy"] - made[["discrimination_age", "discrimination_sex"]].mean(1)
    )
    top, logistic = made.iloc[0], made.iloc[1]
    assert (top["accuracy"], top["discrimination"], top["constant"]) == (0.7, 0.0, 1.0)
    # No seed moves it.
    assert logistic["accuracy_low"] == pytest.approx(logistic["accuracy_high"])
    page = write_comparison(tmp_path, rows, {})
    assert "protecting age and sex" in page.read_text()
    assert render(plane(rows), "png").startswith(b"\x89PNG")
