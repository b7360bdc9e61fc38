"""Metrics and rates on a test set, worked by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from grad_ext import GRADEncoder
from grad_ext.data import Table
from grad_ext.errors import InputError
from grad_ext.models.held_out import held_out

# The tree predicts "yes" where x is 1: six of eight rows, of which five are right.
FRAME = pd.DataFrame(
    {
        "x": [1, 1, 1, 0, 1, 1, 1, 0] * 5,
        "sex": ["f", "f", "f", "f", "m", "m", "m", "m"] * 5,
        "paid": ["yes", "yes", "no", "no", "yes", "yes", "yes", "yes"] * 5,
        "w": [1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0] * 5,
    }
)
TREE = DecisionTreeClassifier().fit(FRAME[["x"]], np.where(FRAME["x"] == 1, "yes", "no"))


def table(**roles):
    return Table.from_frame(FRAME, "paid", ["sex"], "yes", features=["x"], **roles)


def test_metrics_and_rates():
    result = held_out(TREE, table())
    assert result.metrics.loc["accuracy", ["estimate", "majority"]].tolist() == [0.75, 0.75]
    assert result.metrics.loc["discrimination", "estimate"] == 0.0
    women, men = (row for _, row in result.groups.iterrows())
    rates = ["favorable", "selected", "true_positive_rate", "false_positive_rate", "accuracy"]
    assert (women["group"], women["rows"]) == ("f", 20)
    assert women[rates].tolist() == [0.5, 0.75, 1.0, 0.5, 0.75]
    assert men[rates].tolist()[:3] == [1.0, 0.75, 0.75]
    assert np.isnan(men["false_positive_rate"])
    assert not result.constant
    [accuracy, chance, small] = result.sentences()
    assert "0.750" in accuracy
    assert "chance level" in chance
    assert "sex: f (20), sex: m (20)" in small


def test_rates_are_weighted():
    women = held_out(TREE, table(weights="w")).groups.iloc[0]
    assert women["favorable"] == pytest.approx(0.4)
    assert women["selected"] == pytest.approx(0.8)


def test_a_constant_model_is_named():
    tree = DecisionTreeClassifier(max_depth=1).fit([[0], [0]], ["yes", "yes"])
    tree.classes_, tree.feature_names_in_ = np.array(["yes"]), np.array(["x"])
    result = held_out(tree, table())
    assert result.constant
    assert "same label" in result.sentences()[0]


def test_a_nearly_constant_model_is_named_with_its_figures():
    frame = pd.DataFrame(
        {"x": np.arange(200) < 2, "sex": ["f", "m"] * 100, "y": ["yes", "no"] * 100}
    )
    rows = Table.from_frame(frame, "y", ["sex"], "yes", features=["x"])
    tree = DecisionTreeClassifier().fit(frame[["x"]], np.where(frame["x"], "yes", "no"))
    result = held_out(tree, rows)
    assert result.constant
    assert result.metrics.loc["balanced_accuracy", "estimate"] == 0.5
    assert "1.00%" in result.sentences()[0]
    assert "0.500" in result.sentences()[0]


def test_scores_are_compared_between_groups():
    result = held_out(TREE, table())
    # The tree's scores are 0 and 1, which both groups get equally often.
    assert result.metrics.loc["ks_distance", "estimate"] == 0.0
    assert 0.1 < result.metrics.loc["ks_chance_level", "estimate"] < 0.15
    assert result.metrics.loc["wasserstein_distance", "majority"] == 0.0


def test_an_attribute_of_numbers_is_compared_by_fifths_and_tested():
    age = np.arange(20.0, 120.0)
    frame = pd.DataFrame({"x": (age > 50) & (age < 90), "age": age, "y": ["yes", "no"] * 50})
    rows = Table.from_frame(frame, "y", ["age"], "yes", features=["x"], continuous=["age"])
    tree = DecisionTreeClassifier().fit(frame[["x"]], np.where(frame["x"], "yes", "no"))
    result = held_out(tree, rows)
    of_age = result.metrics["estimate"]
    # All of the third fifth, 60 to 79, and nobody of the first and the last.
    assert of_age["quintile_difference_age"] == 1.0
    assert of_age["permutation_p_value_age"] == 1 / 200
    assert 0.1 < of_age["quintile_chance_level_age"] < 0.4
    assert abs(of_age["correlation_age"]) < 0.05
    [sentence] = [one for one in result.sentences() if "fifths of age" in one]
    assert "1.000" in sentence
    assert "p = 0.005" in sentence


def test_tables_as_text_have_every_group_and_metric():
    heading, body = held_out(TREE, table()).lines()
    assert len(heading) == 4
    assert {"accuracy", "balanced accuracy", "chance level"} <= {line[0] for line in body}
    heading, body = held_out(TREE, table()).group_lines()
    assert [line[:3] for line in body] == [["sex", "f", "20"], ["sex", "m", "20"]]
    assert body[1][6] == "–"


@pytest.mark.filterwarnings("ignore")
def test_a_model_without_labels_is_refused():
    encoder = GRADEncoder(epochs=1, random_state=0).fit(FRAME[["x"]].assign(x=range(40)))
    with pytest.raises(InputError, match="GRADEncoder"):
        held_out(encoder, table())
