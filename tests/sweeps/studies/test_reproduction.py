"""The paper's tables: as published, as trials, and side by side."""

import re

import numpy as np
import pandas as pd
import pytest
from command import grad_ext

from grad_ext.cli import main
from grad_ext.errors import InputError
from grad_ext.evaluation import EvaluationConfig
from grad_ext.report.html import ANSWER
from grad_ext.report.published import TABLES
from grad_ext.report.reproduction import (
    claims,
    disguised,
    extent,
    insensitivity,
    interval,
    lines,
    sensitivity,
    shared_rows,
    tally,
)
from grad_ext.report.reproduction_page import write_figure2, write_reproduction
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.reproduction import Reproduction, algorithm, reproduce
from grad_ext.sweeps.studies.values import LAMBDAS


@pytest.mark.parametrize("table", TABLES)
def test_the_published_figures_hang_together(table):
    """Delta is accuracy less mean Discrimination, to the digits that the paper gives."""
    for rows in TABLES[table].values():
        for line in rows.values():
            delta = line.accuracy - np.mean(line.discrimination)
            assert line.delta == pytest.approx(delta, abs=1.5e-4)


def test_table1_is_both_networks_in_both_variants():
    asked = Reproduction("table1", seeds=3, recipes=("paper",))
    trials = asked.trials(["adult"])
    own = [t for t in trials if t.protected == ("sex",)]
    assert {algorithm(t) for t in own} == {"NN-Pred", "GRAD-Pred", "NN-Auto", "GRAD-Auto"}
    assert {t.lam for t in own} == {0.0, 100.0}
    assert len(own) == 4 * 3
    assert {t.protected for t in trials} == {("sex",), ("race",)}
    # German's few test rows: five divisions of the rows, each with every seed.
    german = asked.trials(["german"])
    assert {t.split_seed for t in german} == set(range(5))
    assert len(german) == 2 * 4 * 5 * 3
    assert len(set(trials)) == len(trials)


def test_table2_protects_both_or_one_and_judges_by_both():
    asked = Reproduction("table2", seeds=1, recipes=("paper",))
    trials = asked.trials(["diabetes"])
    assert sorted(algorithm(t) for t in trials) == sorted(TABLES["table2"]["diabetes"])
    assert len({t.rows for t in trials}) == 1
    assert all(asked.in_order(t) == ["race", "gender"] for t in trials)
    alone = next(t for t in trials if algorithm(t) == "GRAD-Pred-G")
    assert (alone.protected, alone.watched) == (("gender",), ("race",))


def test_figure2_is_a_study_of_lambda():
    trials = Reproduction("figure2", seeds=2, recipes=("paper",)).trials(["adult"])
    assert sorted({t.lam for t in trials}) == sorted(LAMBDAS)
    assert len(trials) == 2 * len(LAMBDAS)


def test_other_attributes_can_be_asked_for():
    asked = Reproduction("table1", protected={"german": ("sex",)}, seeds=1, recipes=("paper",))
    assert {t.protected for t in asked.trials(["german"])} == {("sex",)}
    asked = Reproduction("table1", protected={"adult": ("sex", "race")}, seeds=1, epochs=3)
    assert {t.settings.epochs for t in asked.trials(["adult"])} == {3}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Reproduction("table3"), "did you mean 'table"),
        (lambda: Reproduction("table1", seeds=0), "at least one seed, got 0"),
        (lambda: Reproduction("table1", recipes=("papr",)), "did you mean 'paper'"),
        (
            lambda: Reproduction("table2", protected={"adult": ("sex",)}),
            "unknown data set 'adult' of 'table2'",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def models(**changes):
    """Two seeds of NN-Pred and GRAD-Pred, with figures that are easy to follow."""
    rows = []
    for name, shift in (("NN-Pred", 0.0), ("GRAD-Pred", 0.1)):
        for seed in (0, 1):
            figures = {
                "accuracy": 0.8 - shift,
                "delta": 0.6 + shift + 0.01 * seed * shift,
                "discrimination": 0.2 - shift,
                "consistency": 0.9,
            }
            rows.append(
                {
                    "dataset": "adult",
                    "attributes": "sex",
                    "recipe": "paper",
                    "variant": "pred",
                    "algorithm": name,
                    "seed": seed,
                    "split_seed": 0,
                    "lam": shift * 1000,
                    "balanced_accuracy": 0.7,
                    "majority_accuracy": 0.75431,
                    "majority_favorable": 0.0,
                    "positive_rate": 0.2,
                    "chance_level": 0.005,
                    "constant": name == "GRAD-Pred" and seed == 0,
                    "diverged": False,
                    **figures,
                    **{f"{m}@score": v + 0.01 for m, v in figures.items()},
                    **changes,
                }
            )
    return pd.DataFrame(rows)


ABOUT = {"adult": "sex"}
PUBLISHED = {"adult": TABLES["table1"]["adult"]}


def test_every_line_stands_beside_the_papers():
    made = lines(models(), PUBLISHED, ABOUT)
    grad = made[(made["algorithm"] == "GRAD-Pred") & (made["metric"] == "accuracy")].iloc[0]
    assert (grad["published"], grad["mean"], grad["models"]) == (0.7543, pytest.approx(0.7), 2)
    assert grad["difference"] == pytest.approx(0.7 - 0.7543)
    assert (grad["constant"], grad["balanced_accuracy"]) == (0.5, 0.7)
    # Lines that are not run stand there as published.
    alfr = made[made["algorithm"] == "ALFR"]
    assert set(alfr["recipe"]) == {"as published"}
    assert set(alfr["metric"]) == {"accuracy", "delta", "discrimination"}  # no Consistency given
    assert alfr["mean"].isna().all()
    # Models of another attribute have no published figure.
    other = lines(models(attributes="race"), PUBLISHED, ABOUT)
    assert other.loc[other["recipe"] == "paper", "published"].isna().all()


def test_two_attributes_have_a_line_each():
    frame = models(attributes="race,gender", dataset="diabetes")
    frame["discrimination_race"], frame["discrimination_gender"] = 0.3, 0.1
    made = lines(frame, TABLES["table2"], {"diabetes": "race,gender"})
    nn = made[(made["algorithm"] == "NN-Pred") & (made["recipe"] == "paper")].set_index("metric")
    assert nn.loc["discrimination_race", "published"] == 0.0418
    assert nn.loc["discrimination_gender", "published"] == 0.0458
    assert nn.loc["discrimination", "published"] == pytest.approx((0.0418 + 0.0458) / 2)


def test_an_open_choice_moves_a_figure_by_so_much():
    moved = sensitivity(models())
    assert set(moved["choice"]) == {"score"}
    np.testing.assert_allclose(moved[["accuracy", "delta", "consistency"]], 0.01)


def test_an_interval_by_hand():
    # Mean 2, sd 1, t(2 degrees, 97.5 %) = 4.3027.
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert (mean, high - mean) == (2.0, pytest.approx(4.3027 / 3**0.5, abs=1e-4))
    assert low == pytest.approx(4.0 - high)
    assert np.isnan(interval([1.0])[1:]).all()


def test_claims_say_what_holds():
    (said,) = claims(models())
    assert "from NN-Pred to GRAD-Pred Delta improves (+0.10" in said
    assert "Consistency is not told apart (+0.000" in said
    assert "Discrimination improves (-0.100" in said
    worse = models()
    worse["delta"] = -worse["delta"]
    assert "Delta worsens" in claims(worse)[0]


def test_claims_are_counted():
    worse = models(dataset="german")
    worse["delta"] = -worse["delta"]
    (said,) = tally(pd.concat([models(), worse]))
    assert "Of 2 comparisons of GRAD with its plain network here: Delta improves in 1" in said
    assert "Delta improves in 1, worsens in 1 and is not told apart in 0" in said
    assert "Consistency improves in 0, worsens in 0 and is not told apart in 2" in said
    assert "Discrimination improves in 2," in said
    alone = models()
    assert tally(alone[alone["algorithm"] == "NN-Pred"]) == []


def test_what_there_is_and_which_rows_are_shared():
    frame = pd.concat([models(), models(dataset="german"), models(dataset="german", split_seed=1)])
    assert extent(frame) == (
        "12 models of NN-Pred, GRAD-Pred on adult (judged by sex), german (judged by sex); recipes: "
        "paper; 2 seeds, up to 2 divisions of the rows. All figures are those of test rows."
    )
    assert [s.split(",")[0] for s in shared_rows(frame)] == [
        "On adult all models share one division of the rows"
    ]
    assert shared_rows(frame[frame["dataset"] == "german"]) == []


def test_models_of_one_division_share_its_error():
    """Two divisions of the rows whose seeds agree: two observations, and not four."""
    frame = models()
    other = frame.assign(split_seed=1)
    other.loc[other["algorithm"] == "GRAD-Pred", "delta"] += 0.1
    (said,) = claims(pd.concat([frame, other]))
    _, low, high = interval([0.1005, 0.2005])
    assert f"({0.1505:+.3f}, {low:+.3f} to {high:+.3f})" in said


def test_protecting_one_attribute_is_set_against_the_plain_network():
    frame = models(attributes="race,gender")
    frame["discrimination_race"] = [0.02, 0.03, 0.01, 0.02]
    frame["discrimination_gender"] = 0.04
    alone = frame[frame["algorithm"] == "GRAD-Pred"].assign(algorithm="GRAD-Pred-G")
    alone["discrimination_race"] = [0.12, 0.131]
    said = claims(pd.concat([frame, alone]))
    assert any("protecting gender alone (GRAD-Pred-G) raises" in s and "race" in s for s in said)


def test_how_far_lambda_moves_the_figures():
    """The ends of the paper's range, model by model; what lies outside of it does not count."""
    rows = [
        models().iloc[:2].assign(lam=lam, accuracy=accuracy, discrimination=[gap, gap + 0.02])
        for lam, accuracy, gap in [
            (20.0, 0.9, 0.5),
            (50.0, 0.8, 0.03),
            (100.0, 0.82, 0.01),
            (2000.0, 0.77, 0.04),
        ]
    ]
    (said,) = insensitivity(pd.concat(rows))
    assert "accuracy by -0.030 (-0.030 to -0.030), its means from 0.770 to 0.820;" in said
    assert "Discrimination by +0.010 (+0.010 to +0.010), its means from 0.020 to 0.050." in said
    assert insensitivity(pd.concat(rows[:3])) == []


def test_the_majority_class_is_found_in_disguise():
    said = disguised(models(), PUBLISHED, ABOUT)
    assert any("1 of 2 models of GRAD-Pred give everybody the same label" in s for s in said)
    assert any("The paper's GRAD-Pred on adult" in s and "is the majority class" in s for s in said)
    assert not any("GRAD-Auto" in s for s in said)
    whole = disguised(models(constant=False, majority_accuracy=0.7), PUBLISHED, ABOUT)
    assert whole == ["No model here gives everybody the same label."]


def test_the_page_escapes_and_needs_nothing(tmp_path):
    page = write_reproduction(
        tmp_path, "table1", models(), PUBLISHED, ABOUT, {"grad-ext": "<1>"}, ["health: <missing>"]
    )
    text = page.read_text()
    assert "&lt;missing&gt;" in text
    assert "<missing>" not in text
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "0.700 ±0.000 (0.754; -0.054)" in text
    assert "as published, not run" in text
    assert text.index("What was found") < text.index("Of 1 comparison of GRAD with its plain")
    assert text.index("Each comparison of GRAD") < text.index("from NN-Pred to GRAD-Pred Delta")
    stored = pd.read_csv(tmp_path / "table1.csv")
    assert stored["metric"].value_counts()["accuracy"] == 2 + 5
    assert {p.name for p in tmp_path.iterdir()} == {
        "results.csv",
        "table1.csv",
        "sensitivity.csv",
        "report.html",
    }


def test_a_figure_for_each_recipe(tmp_path):
    frame = pd.concat([models(), models(recipe="other")])
    page = write_figure2(tmp_path, frame, {})
    text = page.read_text()
    assert text.count("<svg") == 2
    # What holds for every group is said once, at the top.
    assert text.count("All models share one division of the rows") == 1
    assert [text.count(f"<h2>{part}</h2>") for part in ANSWER] == [1, 1, 1]
    assert (tmp_path / "figure2-adult-other.png").stat().st_size > 10_000


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ("--datasets", "german", "--epochs", "1", "--recipes", "paper", "--out", "study")
    command = ("reproduce", "table1", *small, "--seeds", "1", "--num-cpus", "1")
    done = grad_ext(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "majority class" in done.stdout
    assert "as published" in done.stdout
    frame = pd.read_csv(tmp_path / "study" / "results.csv")
    assert len(frame) == 2 * 4 * 5
    assert "consistency@k=10" in frame.columns
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "study" / "records").iterdir()}
    assert grad_ext(*command, cwd=tmp_path).returncode == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "study" / "records").iterdir()} == before
    for arguments, message in (
        (("table1", "--datasets", "germn"), "did you mean 'german'"),
        (("table4",), "unknown table 'table4'"),
        (("table1", "--protected", "german"), "something like german=sex"),
        (("table1", *small, "--k", "10"), "evaluation.k is 5, this one has 10"),
    ):
        assert main(["reproduce", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_a_table_from_python(tmp_path):
    result = reproduce(
        "table1",
        ["german"],
        out=tmp_path,
        resources=Resources(num_cpus=1),
        seeds=1,
        recipes=("steady",),
        epochs=1,
        evaluation=EvaluationConfig(k=1),
    )
    # Two variants, with and without reversal, on five splits.
    assert len(pd.read_csv(tmp_path / "results.csv")) == 2 * 2 * 5
    trained = result.rows[result.rows["recipe"] == "steady"]
    assert set(trained["algorithm"]) >= {"NN-Pred", "NN-Auto", "GRAD-Pred", "GRAD-Auto"}
    tables = result.tables()
    assert len(tables) == len(result.rows.groupby(["dataset", "attributes"]))
    for title, heading, body in tables:
        assert title.startswith(("german, ", "adult, ", "health, "))
        assert body
        assert all(len(line) == len(heading) for line in body)
    assert [row["dataset"] for row in result.majority] == ["german"]
    assert result.sentences
    assert (tmp_path / "report.html").exists()
