"""Predictions of models on tables: whatever their labels are called."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.tree import DecisionTreeClassifier

from grad_ext import GRADInProcessing, load_dataset, load_table
from grad_ext.errors import InputError
from grad_ext.models.tables import favorable_predictions, model_inputs

FRAME = pd.DataFrame(
    {
        "credit": ["good", "good", "bad", "bad", "good", "bad"],
        "sex": ["f", "m", "f", "m", "f", "m"],
        "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "z": [0.0, 0.0, 1.0, 1.0, 0.0, 1.0],
    }
)
# Predicting from z makes no error.
FAVORABLE = [True, True, False, False, True, False]


@pytest.fixture
def table(tmp_path):
    FRAME.to_csv(tmp_path / "credit.csv", index=False)
    return load_table(tmp_path / "credit.csv", "credit", ["sex"], "good")


def tree(labels, columns=("x", "z")):
    return DecisionTreeClassifier(random_state=0).fit(FRAME[list(columns)], labels)


@pytest.mark.parametrize("labels", [FRAME["credit"], np.array(FAVORABLE).astype(int), FAVORABLE])
def test_the_favorable_label_may_be_the_tables_or_1(labels, table):
    assert favorable_predictions(tree(labels), table).tolist() == FAVORABLE


def test_inputs_are_the_columns_of_the_fit_in_its_order(table):
    pd.testing.assert_frame_equal(
        model_inputs(tree(FAVORABLE, ("z", "x")), table), FRAME[["z", "x"]], check_dtype=False
    )


def test_models_that_predict_no_labels(table):
    assert favorable_predictions(PCA(1).fit(FRAME[["x", "z"]]), table) is None


def test_an_algorithm_of_aif360_predicts_on_a_data_set():
    german = load_dataset("german", ["age"])
    rows = german.to_aif360()
    model = GRADInProcessing(epochs=2, lam=1, random_state=0).fit(rows)
    expected = model.predict(rows).labels.ravel() == rows.favorable_label
    np.testing.assert_array_equal(favorable_predictions(model, german), expected)


def test_other_labels_and_columns_are_errors(table):
    with pytest.raises(InputError, match="'yes'"):
        favorable_predictions(tree(["yes", "no"] * 3), table)
    with pytest.raises(InputError, match="array of 2"):
        model_inputs(DecisionTreeClassifier().fit(FRAME[["x", "z"]].to_numpy(), FAVORABLE), table)
    renamed = DecisionTreeClassifier().fit(
        FRAME[["x", "z"]].set_axis(["x", "w"], axis=1), FAVORABLE
    )
    with pytest.raises(InputError, match="'w'"):
        model_inputs(renamed, table)
