"""Own data to a model: fit, evaluate on the right rows, predict in the data's words."""

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from people import people

import grad_ext
from grad_ext.data import Table, load_table
from grad_ext.data.split import split
from grad_ext.errors import ConstantPredictionWarning, InputError, UnseenValuesWarning
from grad_ext.models import workflow
from grad_ext.models.persistence import load
from grad_ext.models.workflow import evaluate_model, fit, predict_file, rows_for_model
from grad_ext.sinks import read_csv

ROLES = {"label": "decision", "favorable": "approved", "protected": ["sex", "age>=40"]}
SMALL = {"epochs": 15, "batch_size": 16, "lam": 0.1, "trunk": (8,), "branch": (4,)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    people().to_csv(folder / "people.csv", index=False)
    people(120, seed=1).to_csv(folder / "test.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return fit(folder / "people.csv", **ROLES, **SMALL)


def test_the_model_predicts_in_the_words_of_the_data(model, folder):
    test = split(load_table(folder / "people.csv", **ROLES)).test
    predicted = model.predict(test.inputs())
    # The unfavorable label is the first, whatever the labels are called.
    assert model.classes_.tolist() == ["denied", "approved"]
    assert set(predicted) == {"denied", "approved"}
    right = (predicted == test.frame["decision"]).mean()
    assert right > 0.65
    assert model.held_out_.metrics.loc["accuracy", "estimate"] == pytest.approx(right)
    assert model.score(test.inputs(), test.frame["decision"]) == right


def test_rates_by_group_are_those_of_the_test_set(model, folder):
    test = split(load_table(folder / "people.csv", **ROLES)).test
    selected = model.predict(test.inputs()) == "approved"
    women = (test.frame["sex"] == "Female").to_numpy()
    favorable = (test.frame["decision"] == "approved").to_numpy()
    groups = model.held_out_.groups
    row = groups[groups["group"] == "Female"].iloc[0]
    assert row["rows"] == women.sum()
    assert row["selected"] == pytest.approx(selected[women].mean())
    assert row["favorable"] == pytest.approx(favorable[women].mean())
    assert row["true_positive_rate"] == pytest.approx(selected[women & favorable].mean())
    assert row["false_positive_rate"] == pytest.approx(selected[women & ~favorable].mean())
    assert set(groups["group"]) == {"Female", "Male", "age>=40", "not age>=40"}
    majority = model.held_out_.metrics["majority"]
    assert majority["accuracy"] == max(favorable.mean(), 1 - favorable.mean())


def test_what_it_was_trained_on_is_recorded_and_saved(model, folder):
    table = load_table(folder / "people.csv", **ROLES)
    parts = split(table)
    model.save(folder / "model.safetensors")
    trained = load(folder / "model.safetensors").training_data_
    assert trained == model.training_data_
    assert (trained.rows, trained.training, trained.test) == (300, len(parts.train), 60)
    assert trained.source == "people.csv"
    assert trained.digest == table.digest()
    assert dict(trained.checksums) == table.checksums
    assert trained.group_names == (("Female", "Male"), ("not age>=40", "age>=40"))
    women = parts.train.frame["sex"] == "Female"
    [row] = [group for group in trained.groups if group.group == "Female"]
    assert row.rows == women.sum()
    assert row.favorable == pytest.approx(parts.train.y()[women].mean())


def test_a_frame_and_its_file_give_the_same_model(model, folder):
    again = fit(Table.from_frame(people(), **ROLES, name="people"), **SMALL)
    rows = people(50, seed=2)[list(model.feature_names_in_)]
    assert (again.predict_proba(rows) == model.predict_proba(rows)).all()
    assert again.training_data_.source == ""


def test_the_data_of_the_training_are_evaluated_on_their_test_set_alone(model, folder):
    result = evaluate_model(model, folder / "people.csv")
    pd.testing.assert_frame_equal(result.metrics, model.held_out_.metrics)
    table, _ = rows_for_model(model, folder / "people.csv", rows="all")
    assert len(table) == 300
    # Under another name too.
    (folder / "renamed.csv").write_bytes((folder / "people.csv").read_bytes())
    result = evaluate_model(model, folder / "renamed.csv")
    pd.testing.assert_frame_equal(result.metrics, model.held_out_.metrics)
    # Also by other attributes: the split is that of the training.
    by_age, _ = rows_for_model(model, folder / "people.csv", protected=["age>=60"])
    test = split(load_table(folder / "people.csv", **ROLES)).test
    assert by_age.frame.index.tolist() == test.frame.index.tolist()
    assert by_age.attribute_names == ("age>=60",)


def test_another_file_is_evaluated_whole_with_the_groups_of_the_training(folder):
    # Among these rows women have the higher rate: read anew, they would be the privileged ones.
    frame = people(200, seed=3)
    frame["sex"] = frame["sex"].map({"Female": "Male", "Male": "Female"})
    frame.to_csv(folder / "turned.csv", index=False)
    model = fit(folder / "people.csv", **ROLES, **SMALL)
    table, which = rows_for_model(model, folder / "turned.csv")
    assert len(table) == 200
    assert "turned.csv" in which
    assert table.protected == model.training_data_.protected
    assert load_table(folder / "turned.csv", **ROLES).protected != table.protected


def test_roles_that_are_given_take_the_place_of_those_of_the_training(model, folder):
    frame = people(100, seed=4).rename(columns={"decision": "outcome"})
    table, _ = rows_for_model(model, frame, label="outcome", favorable="approved")
    assert table.target.column == "outcome"
    with pytest.raises(InputError, match="decision"):
        rows_for_model(model, frame)


def test_weights_of_the_training_can_be_left_out():
    frame = people(100).assign(w=1.5)
    model = fit(frame, **ROLES, **SMALL, weights="w")
    rows = people(100, seed=5)
    with pytest.raises(InputError, match="weights"):
        rows_for_model(model, rows)
    assert rows_for_model(model, rows, weights="")[0].weights is None


def test_a_data_set_needs_no_rows_named():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantPredictionWarning)
        model = fit("german", protected=["age"], epochs=1)
    table, _ = rows_for_model(model)
    assert len(table) == 200
    assert model.training_data_.catalogued
    assert model.classes_.tolist() == list(table.label_words)


def test_labels_that_a_condition_makes_are_named_by_it(folder):
    frame = people().drop(columns="decision")
    model = fit(frame, "income>35", ["sex"], **SMALL)
    assert model.classes_.tolist() == ["not income>35", "income>35"]


def test_class_weights_are_named_by_labels(folder):
    weighted = fit(people(), **ROLES, **SMALL, class_weight={"approved": 4.0, "denied": 1.0})
    plain = fit(people(), **ROLES, **SMALL)
    rows = people(100, seed=6)[list(plain.feature_names_in_)]
    assert weighted.class_weight == {"approved": 4.0, "denied": 1.0}
    assert (weighted.predict(rows) == "approved").sum() > (plain.predict(rows) == "approved").sum()
    with pytest.raises(InputError, match="granted"):
        fit(people(), **ROLES, class_weight={"granted": 2.0})


@pytest.mark.parametrize("given", [{"epoch": 3}, {"validation": 0.5}, {"prot_attr": True}])
def test_unknown_parameters_are_refused(given):
    with pytest.raises(InputError, match=next(iter(given))):
        fit(people(), **ROLES, **given)


def test_a_table_has_its_roles_already():
    table = Table.from_frame(people(), **ROLES)
    assert fit(table, **SMALL).training_data_.rows == 300
    with pytest.raises(InputError, match="label"):
        fit(table, label="decision")


# --- predict -----------------------------------------------------------------------------------


def new_rows(folder, **changes):
    frame = people(25, seed=7).drop(columns=["sex", "age", "decision"]).assign(**changes)
    frame.to_csv(folder / "new.csv", index=False)
    return frame


def test_predictions_are_those_of_predict_in_the_files_order(model, folder, monkeypatch):
    monkeypatch.setattr(workflow, "BLOCK", 10)
    frame = new_rows(folder, id=[f"a{i}" for i in range(25)])
    rows = predict_file(model, folder / "new.csv", folder / "scores.csv", keep=["id"])
    written = pd.read_csv(folder / "scores.csv")
    X = frame[list(model.feature_names_in_)]
    assert rows == 25
    assert list(written) == ["id", "prediction", "score"]
    assert written["id"].tolist() == frame["id"].tolist()
    assert written["prediction"].tolist() == model.predict(X).tolist()
    assert written["score"].to_numpy() == pytest.approx(model.predict_proba(X)[:, 1], abs=1e-12)


def test_kept_columns_are_safe_and_no_columns_of_predictions(model, folder):
    new_rows(folder, **{"=id": ["=1+1", "-2"] + ["a"] * 23, "score": 1})
    with pytest.raises(InputError, match="'score' twice"):
        predict_file(model, folder / "new.csv", folder / "twice.csv", keep=["score"])
    assert not (folder / "twice.csv").exists()
    predict_file(model, folder / "new.csv", folder / "safe.csv", keep=["=id"])
    first, second, third = (folder / "safe.csv").read_text().splitlines()[:3]
    assert first == "'=id,prediction,score"
    assert (second.split(",")[0], third.split(",")[0]) == ("'=1+1", "-2")
    again = read_csv(folder / "safe.csv")
    assert again["=id"].tolist() == ["=1+1", "-2", *["a"] * 23]


def test_a_saved_model_predicts_to_an_open_file(model, folder):
    new_rows(folder)
    model.save(folder / "again.safetensors")
    file = io.BytesIO()
    assert predict_file(folder / "again.safetensors", folder / "new.csv", file) == 25
    assert file.getvalue().decode().splitlines()[0] == "prediction,score"


def test_a_missing_feature_is_named_before_anything_is_written(model, folder):
    new_rows(folder).drop(columns="job").to_csv(folder / "lacking.csv", index=False)
    with pytest.raises(InputError, match="'job'"):
        predict_file(model, folder / "lacking.csv", folder / "none.csv")
    assert not (folder / "none.csv").exists()
    assert not list(folder.glob(".none.csv*"))


def test_words_for_missing_values_are_those_of_the_training(folder):
    frame = people().astype({"income": object})
    frame.loc[::10, "income"] = "refused"
    model = fit(frame, **ROLES, **SMALL, missing_values=["refused"])
    new_rows(folder).assign(income="refused").to_csv(folder / "gaps.csv", index=False)
    file = io.BytesIO()
    assert predict_file(model, folder / "gaps.csv", file) == 25
    with pytest.raises(InputError, match="refused"):
        predict_file(model, folder / "gaps.csv", io.BytesIO(), missing_values=[])


def test_blocks_that_read_numbers_in_two_ways_are_refused(model, folder, monkeypatch):
    monkeypatch.setattr(workflow, "BLOCK", 2)
    text = 'income,job\n"1,250",cook\n"2,500",cook\n"30,5",cook\n"31,5",cook\n'
    (folder / "mixed.csv").write_text(text)
    with pytest.raises(InputError, match=r"rows 3 to 4.*'income'"):
        predict_file(model, folder / "mixed.csv", folder / "none.csv")
    assert not (folder / "none.csv").exists()


def test_new_levels_warn_once(model, folder, monkeypatch):
    monkeypatch.setattr(workflow, "BLOCK", 5)
    new_rows(folder, job="pilot")
    with pytest.warns(UnseenValuesWarning) as caught:
        predict_file(model, folder / "new.csv", folder / "scores.csv")
    assert len([one for one in caught if one.category is UnseenValuesWarning]) == 1
    assert "4 further" in str(caught[0].message)


def test_other_models_are_predicted_with_too(folder):
    frame = new_rows(folder)
    X, y = people()[["income", "job"]], people()["age"]
    three = np.digitize(y, [30, 60]).astype(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classes = grad_ext.GRADClassifier(epochs=1, random_state=0).fit(X, three)
        number = grad_ext.GRADRegressor(epochs=1, random_state=0).fit(X, y)
        unnamed = grad_ext.GRADRegressor(epochs=1, random_state=0).fit(X[["income"]].to_numpy(), y)
        encoder = grad_ext.GRADEncoder(epochs=1, random_state=0).fit(X)
    predict_file(classes, folder / "new.csv", folder / "out.csv")
    assert list(pd.read_csv(folder / "out.csv")) == ["prediction", "score_0", "score_1", "score_2"]
    predict_file(number, folder / "new.csv", folder / "out.csv")
    written = pd.read_csv(folder / "out.csv")["prediction"]
    assert written.to_numpy() == pytest.approx(number.predict(frame[["income", "job"]]))
    for other in (unnamed, encoder):
        with pytest.raises(InputError, match=r"GRADRegressor|array"):
            predict_file(other, folder / "new.csv", folder / "out.csv")


def test_the_file_that_is_read_is_not_written(model, folder):
    new_rows(folder)
    with pytest.raises(InputError, match=r"new\.csv"):
        predict_file(model, folder / "new.csv", folder / "new.csv")
    with pytest.raises(InputError, match="no_such"):
        predict_file(model, folder / "new.csv", folder / "no_such" / "out.csv")


def test_a_model_without_roles_needs_rows_named(folder):
    X = people()[["income", "job"]]
    model = grad_ext.GRADClassifier(epochs=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, people()["decision"])
    with pytest.raises(InputError, match="data set"):
        rows_for_model(model)
    table, _ = rows_for_model(model, folder / "people.csv", **ROLES)
    assert len(table) == 60
    # Fitting on other rows makes another model.
    refitted = fit(people(), **ROLES, **SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refitted.fit(X, people()["decision"])
    assert not hasattr(refitted, "training_data_")
