"""Tables, words and pictures over records whose figures are known."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from grad_ext.report.page import title, write_report
from grad_ext.report.verdict import doubts, flat_range, found, verdict
from scipy import stats

from grad_ext.errors import InputError
from grad_ext.report.figures import lambda_figure, render
from grad_ext.report.html import NAMES
from grad_ext.report.tables import by_lambda, cell, lines, results
from grad_ext.trial import Record, Trial

COLUMNS = [
    "dataset",
    "variant",
    "recipe",
    "constraint",
    "protected",
    "lam",
    "seed",
    "epoch",
    "accuracy",
    "balanced_accuracy",
    "discrimination",
    "discrimination_age",
    "delta",
    "consistency",
    "positive_rate",
    "majority_accuracy",
    "constant",
    "chance_level",
    "statistical_parity_difference_age",
    "disparate_impact_age",
    "equal_opportunity_difference_age",
    "average_odds_difference_age",
    "equalized_odds_difference_age",
]


def record(
    lam, seed, accuracy=0.75, discrimination=0.1, constant=False, diverged=False, name="age"
):
    metrics = {
        "accuracy": accuracy,
        "balanced_accuracy": 0.5 if constant else 0.65,
        "discrimination": discrimination,
        "delta": accuracy - discrimination,
        "consistency": 1.0 if constant else 0.8,
        "positive_rate": 0.8,
        "majority_accuracy": 0.7,
        "majority_favorable": 1.0,
        "chance_level": 0.05,
    }
    if diverged:
        metrics |= {n: np.nan for n in metrics if not n.startswith("majority")}
    return Record(Trial("german", (name,), lam, seed), metrics, 7, constant, diverged, 0.1)


def study(curve, seeds=4, noise=0.0):
    """Records whose accuracy over λ follows a curve, with alternating noise over seeds."""
    return [
        record(lam, seed, accuracy=value + noise * (-1) ** seed)
        for lam, value in curve.items()
        for seed in range(seeds)
    ]


def test_results_have_the_promised_columns(german_problem, german):
    from grad_ext.evaluation import evaluate
    from grad_ext.method import GRAD
    from grad_ext.training.settings import Settings

    trials = [Trial("german", ("age", "sex"), seed=s, settings=Settings(epochs=3)) for s in (0, 1)]
    records = evaluate(GRAD(), trials, german_problem)
    frame = results(records)
    assert set(COLUMNS) <= set(frame.columns)
    assert frame["protected"].tolist() == ["age,sex"] * 2
    means = frame[["discrimination_age", "discrimination_sex"]].mean(axis=1)
    np.testing.assert_allclose(frame["discrimination"], means)
    np.testing.assert_allclose(frame["delta"], frame["accuracy"] - frame["discrimination"])
    assert (frame["majority_accuracy"] == 0.7).all()


def test_the_title_and_the_rows_name_another_constraint():
    from dataclasses import replace

    from grad_ext.training.settings import Settings

    plain = record(1, 0)
    odds = replace(
        plain, trial=replace(plain.trial, settings=Settings(constraint="equalized_odds"))
    )
    assert title(plain) == "GRAD-Pred on german, protecting age"
    assert title(odds) == "GRAD-Pred on german, protecting age by equalized odds"
    assert results([plain, odds])["constraint"].tolist() == ["demographic_parity", "equalized_odds"]


def test_the_table_has_the_majority_class_on_top():
    rows = by_lambda(
        results([record(1, 0, 0.7), record(1, 1, 0.8), record(10, 0, 0.75, constant=True)])
    )
    assert [row.label for row in rows] == ["majority class", "1", "10"]
    top, one, ten = rows
    assert top.cells["accuracy"][0] == top.cells["delta"][0] == 0.7
    assert top.cells["balanced_accuracy"][0] == 0.5
    assert top.constant == 1.0
    assert one.models == 2
    assert one.cells["accuracy"] == pytest.approx((0.75, np.std([0.7, 0.8], ddof=1)))
    assert (one.constant, ten.constant) == (0.0, 1.0)
    heading, body = lines(rows)
    assert all(len(line) == len(heading) for line in body)
    # Whether the models are any stands before what they show.
    assert heading[2:4] == ["constant", "accuracy"]
    assert body[1][2:4] == ["0%", "0.750 ±0.071"]
    assert body[2][2:4] == ["100%", "0.750"]  # a single model has no spread
    assert cell(np.nan, np.nan) == "–"
    with pytest.raises(InputError, match="at least one record"):
        results([])


def test_flat_range_by_hand():
    assert flat_range([(0.0,), (0.02,), (0.025,), (0.03,), (0.5,)], 0.01) == (1, 3)
    assert flat_range([(0.0, 0.0), (0.0, 0.5), (0.0, 0.5)], 0.01) == (1, 2)
    assert flat_range([(0.0,), (1.0,)], 0.01) == (0, 0)
    # A slow drift is not flat, however small each step.
    assert flat_range([(i * 0.006,) for i in range(10)], 0.01) == (0, 1)


def test_the_verdict_says_where_the_curve_is_flat():
    said = verdict(results(study({1: 0.80, 10: 0.75, 100: 0.752, 1000: 0.748})))
    assert "flat for λ from 10 to 1000 (3 of 4 values)" in said[0]
    moves = "the means of accuracy, balanced accuracy and Discrimination move by"
    assert f"there {moves} 0.004, 0.000 and 0.000, no more than 0.010." in said[0]
    assert f"Over all λ {moves} 0.052, 0.000 and 0.000." in said[0]
    # As the seeds do tell these apart, only that they are alike enough is said.
    assert "That gives no reason to prefer one of these λ." in said[0]
    assert "has λ = 1, which the seeds can tell apart from every other" in said[1]
    assert "flat over the whole range" in verdict(results(study({1: 0.75, 10: 0.75})))[0]
    assert "flat nowhere" in verdict(results(study({1: 0.7, 10: 0.8, 100: 0.7})))[0]


def test_the_verdict_claims_no_more_than_the_seeds_can_tell():
    said = verdict(results(study({1: 0.80, 10: 0.75}, noise=0.05)))
    # Standard error of a difference of two means of 4: sqrt(2 · 0.05² · 4/3 / 4); for a single pair
    # it is Student's test, with 6 degrees of freedom, of three figures.
    expected = stats.t.ppf(1 - 0.025 / 3, 6) * np.sqrt(2 * 0.05**2 * 4 / 3 / 4)
    limits = f"no more than {expected:.3f}, 0.010 and 0.010 (what 4 seeds can tell apart at 5 %"
    assert limits in said[0]


def test_a_curve_that_is_flat_but_for_balanced_accuracy_is_not():
    frame = results(study({1: 0.80, 10: 0.80, 100: 0.80}))
    assert "flat over the whole range" in verdict(frame)[0]
    frame["balanced_accuracy"] = frame["lam"].map({1: 0.7, 10: 0.65, 100: 0.65})
    assert "flat for λ from 10 to 100" in verdict(frame)[0]
    first = next(said for said in found(frame) if said.startswith("By balanced accuracy less"))
    assert first.startswith(
        "By balanced accuracy less Discrimination λ = 1 is first here; it has more"
    )
    assert (
        "than λ = 100 with the same seed, with 95 % intervals over seeds of this one pair: "
        in first
    )
    assert "balanced accuracy +0.050 (+0.050 to +0.050), Discrimination +0.000" in first
    # A constant has 0.5, which may be the most.
    dull = [record(1, s, 0.7, 0.0, constant=True) for s in range(2)]
    worse = [record(lam, s, 0.7, 0.3) for lam in (10, 100) for s in range(2)]
    (first,) = (said for said in found(results([*dull, *worse])) if "first here" in said)
    assert "Discrimination λ = 1 (2 of its 2 models constant) is first here" in first
    # The first of equals, and nothing to set beside the paper's own.
    alike = [said for said in found(results(study({100: 0.8, 200: 0.8}))) if "first here" in said]
    assert alike == ["By balanced accuracy less Discrimination λ = 100 is first here."]


def test_noise_alone_is_flat_however_many_values_there_are():
    """Of eleven means of ten models the highest and the lowest lie further apart than two do."""
    rng, flat = np.random.default_rng(0), 0
    for _ in range(40):
        made = [
            record(lam, s, 0.75 + 0.02 * rng.normal()) for lam in range(1, 12) for s in range(10)
        ]
        flat += "flat over the whole range" in verdict(results(made))[0]
    assert flat >= 36


def test_the_verdict_says_which_values_can_be_told_apart():
    made = [
        record(lam, s, accuracy + 0.004 * (-1) ** s, gap)
        for lam, accuracy, gap in ((1, 0.80, 0.2), (10, 0.795, 0.1), (100, 0.75, 0.04))
        for s in range(4)
    ]
    assert verdict(results(made))[1] == (
        "The highest mean accuracy, 0.800, has λ = 1, which the seeds can tell apart only from λ = 100; the "
        "highest mean balanced accuracy, 0.650, has λ = 1, which the seeds can tell apart from no other; the "
        "least mean Discrimination, 0.040, has λ = 100, which the seeds can tell apart from every other."
    )
    # Single models: nothing says how far seeds would move them.
    alone = verdict(results([record(1, 0, 0.8), record(10, 0, 0.7, 0.0, constant=True)]))
    assert alone[1] == (
        "The highest mean accuracy, 0.800, has λ = 1; the highest mean balanced accuracy, 0.650, has λ = 1; "
        "the least mean Discrimination, 0.000, has λ = 10 "
        "(1 of its 1 model constant)."
    )
    assert "Each λ has a single model" in " ".join(alone)


def test_what_to_distrust_is_said_apart(tmp_path):
    made = study({1: 0.8, 100: 0.75}, noise=0.02)
    said = doubts(results(made))
    assert [
        any(words in each for each in said)
        for words in ("partly by luck", "No model without reversal", "one division")
    ] == [True] * 3
    assert verdict(results(made)) == [*found(results(made)), *said]
    plain = doubts(results([*made, record(0, 0), record(0, 1)]))
    assert "No model without reversal" not in " ".join(plain)
    page = write_report(tmp_path, made, {}, formats=()).read_text()
    parts = re.split("<h2>(What [^<]+)</h2>", page)
    assert parts[1::2] == ["What was studied", "What was found", "What to distrust"]
    assert "partly by luck" in parts[6]
    meant = page[page.index("What the names mean") : page.index("</section>")]
    assert all(f"<dt>{name}</dt>" in meant for name in NAMES)


def test_the_verdict_names_constant_predictors():
    constant = [record(lam, s, 0.7, 0.0, constant=True) for lam in (10, 100) for s in range(3)]
    said = " ".join(verdict(results(constant)))
    assert "(3 of its 3 models constant)" in said
    assert "flat because most of those models are constant predictors" in said
    assert "6 of 6 models give everybody the same label" in said
    assert "None of the 2 models" in " ".join(verdict(results([record(1, 0), record(1, 1)])))


def test_the_verdict_sets_models_beside_the_majority_and_chance():
    said = " ".join(verdict(results([record(100, s, 0.68, 0.04) for s in range(3)])))
    assert "0.020 below the majority class's 0.700" in said
    assert "0.040, is below the 0.050 that chance alone" in said
    said = " ".join(verdict(results([record(100, s, 0.75, 0.06) for s in range(3)])))
    assert "0.050 above the majority class's 0.700" in said
    assert "0.060, is above the 0.050 that chance alone" in said
    # 0.04 and 0.08: the mean is known to 2 · 0.02 only.
    said = " ".join(verdict(results([record(100, s, 0.75, 0.04 * (1 + s)) for s in (0, 1)])))
    assert "0.060, cannot be told from the 0.050 that chance alone" in said


def test_the_verdict_says_what_reversal_costs_and_brings():
    plain = [record(0, s, 0.80, 0.20) for s in range(4)]
    # 0.02, 0.03 and 0.04 below the plain network of the same seed; the fourth has none beside it.
    grad = [record(50, s, 0.78 - 0.01 * s, 0.15) for s in range(3)]
    frame = results([*plain, *grad, *(record(2000, s, 0.5, 0.0) for s in range(3))])
    reach = stats.t.ppf(0.975, 2) * 0.01 / 3**0.5
    said = found(frame)[-1]
    assert said.startswith(
        "What reversal costs and brings, λ = 50 less the plain network of the same seed, with 95 % "
        f"intervals over seeds of this one pair: accuracy -0.030 ({-0.03 - reach:+.3f} to {-0.03 + reach:+.3f}), "
        "balanced accuracy +0.000 (+0.000 to +0.000), Discrimination -0.050 (-0.050 to -0.050)."
    )
    one = " ".join(found(results([plain[0], grad[0]])))
    assert "of the same seed: accuracy -0.020, balanced accuracy +0.000, Discr" in one
    for alone in ([*plain], [*grad], [plain[0], grad[1]]):
        assert "costs and brings," not in " ".join(found(results(alone)))


def test_over_divisions_what_reversal_brings_is_judged_by_them():
    """Two seeds on each of two divisions: two observations, of -0.02 and -0.04."""
    records = [record(lam, s) for lam in (0, 100) for s in range(4)]
    frame = results(records).assign(split_seed=[0, 0, 1, 1] * 2, seed=[0, 1] * 4)
    frame["accuracy"] = [0.8] * 4 + [0.78, 0.78, 0.75, 0.77]
    reach = stats.t.ppf(0.975, 1) * 0.02 / 2**0.5 / 2**0.5
    said = found(frame)[-1]
    assert "with 95 % intervals over divisions of the rows" in said
    assert f"accuracy -0.030 ({-0.03 - reach:+.3f} to {-0.03 + reach:+.3f})" in said


def test_diverged_models_are_left_out_and_counted():
    records = [record(1, 0), record(1, 1, diverged=True), record(10, 0), record(10, 1)]
    frame = results(records)
    assert frame["diverged"].sum() == 1
    said = " ".join(verdict(frame))
    assert "1 of 4 models diverged" in said
    assert "nan" not in said
    rows = by_lambda(frame)
    assert rows[1].cells["accuracy"][0] == 0.75


def test_all_diverged_is_said_and_drawn():
    records = [record(1, 0, diverged=True), record(10, 0, diverged=True)]
    assert verdict(results(records)) == ["2 of 2 models diverged to numbers that are none."]
    lambda_figure(results(records), "none")


def texts(svg):
    return [e.text for e in ElementTree.fromstring(svg).iter() if e.text and e.tag.endswith("text")]


def test_the_legend_is_no_wider_than_the_figure():
    two = results([*study({1: 0.8, 10: 0.75}, 2, 0.01), record(0, 0)])
    two = pd.concat([two, two.assign(recipe="a recipe with a name that is rather long")])
    for frame, curves in ((two[two["recipe"] == "steady"], ()), (two, ["recipe"])):
        figure = lambda_figure(frame, "GRAD-Pred on german", curves)
        figure.canvas.draw()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert len(legend.get_texts()) == len(figure.axes[1].get_legend_handles_labels()[1])


def test_the_figure_shows_what_the_papers_does():
    frame = results([*study({1: 0.80, 10: 0.75, 100: 0.752}, noise=0.01), record(0, 0)])
    figure = lambda_figure(frame, "GRAD-Pred on german")
    accuracy = figure.axes[0]
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "Accuracy",
        "Discrimination",
        "Consistency",
    ]
    assert accuracy.get_xscale() == "log"
    drawn = {line.get_label(): line for line in accuracy.lines}
    np.testing.assert_allclose(drawn["median"].get_xydata(), [[1, 0.8], [10, 0.75], [100, 0.752]])
    assert drawn["majority class"].get_ydata()[0] == 0.7
    assert drawn["plain network (λ = 0)"].get_ydata()[0] == 0.75
    assert any(
        line.get_xdata()[0] == 100 and line.get_linestyle() == "--" for line in accuracy.lines
    )
    svg = render(figure, "inline")
    assert "GRAD-Pred on german" in texts(svg)
    assert render(figure, "png").startswith(b"\x89PNG")


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
    parsed = Page(page.read_text())
    # The data, no histories, and the page's own script.
    assert parsed.tags.count("script") == 2
    assert not [link for link in parsed.links if not link.startswith("#")]
    words = "".join(parsed.words)
    assert "majority class" in words
    assert "torch 2" in words
    assert len(pd.read_csv(tmp_path / "results.csv")) == 4


def test_the_same_records_give_the_same_files(tmp_path):
    records = study({1: 0.8, 100: 0.75}, noise=0.02)
    folders = [tmp_path / name / "study" for name in ("a", "b")]
    for folder in folders:
        folder.mkdir(parents=True)
        write_report(folder, records, {}, formats=("svg", "pdf"))
    for name in ("results.csv", "lambda.svg", "plane.pdf", "spread.svg", "report.html"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
