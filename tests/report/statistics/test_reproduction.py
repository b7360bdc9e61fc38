"""The paper's lines beside ours."""

import numpy as np
import pytest
from report_data import reproduced

from grad_ext.report.published import TABLES
from grad_ext.report.statistics.reproduction import lines, sensitivity

ABOUT = {"adult": "sex"}
PUBLISHED = {"adult": TABLES["table1"]["adult"]}


@pytest.mark.parametrize("table", TABLES)
def test_the_published_figures_hang_together(table):
    """Delta is accuracy less mean Discrimination, to the digits that the paper gives."""
    for rows in TABLES[table].values():
        for line in rows.values():
            delta = line.accuracy - np.mean(line.discrimination)
            assert line.delta == pytest.approx(delta, abs=1.5e-4)


def test_every_line_stands_beside_the_papers():
    made = lines(reproduced(), PUBLISHED, ABOUT)
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
    other = lines(reproduced(attributes="race"), PUBLISHED, ABOUT)
    assert other.loc[other["recipe"] == "paper", "published"].isna().all()


def test_two_attributes_have_a_line_each():
    frame = reproduced(attributes="race,gender", dataset="diabetes")
    frame["discrimination_race"], frame["discrimination_gender"] = 0.3, 0.1
    made = lines(frame, TABLES["table2"], {"diabetes": "race,gender"})
    nn = made[(made["algorithm"] == "NN-Pred") & (made["recipe"] == "paper")].set_index("metric")
    assert nn.loc["discrimination_race", "published"] == 0.0418
    assert nn.loc["discrimination_gender", "published"] == 0.0458
    assert nn.loc["discrimination", "published"] == pytest.approx((0.0418 + 0.0458) / 2)


def test_an_open_choice_moves_a_figure_by_so_much():
    moved = sensitivity(reproduced())
    assert set(moved["choice"]) == {"score"}
    np.testing.assert_allclose(moved[["accuracy", "delta", "consistency"]], 0.01)
