"""Audits on the rows of a table: the same as those of the arrays, by hand."""

import warnings

import numpy as np
import pandas as pd
import pytest
from people import people

from grad_ext import GRADClassifier, GRADRegressor, Table, audit, fit, load_dataset, load_table
from grad_ext.auditing.tables import (
    audit_table,
    audit_training,
    card,
    evaluation_rows,
    predictions_on,
)
from grad_ext.data.encoding import Encoder, arrays
from grad_ext.data.split import split
from grad_ext.errors import ConstantPredictionWarning, InputError
from grad_ext.method import GRAD
from grad_ext.models.tables import continuous_names, group_frame
from grad_ext.models.workflow import rows_for_model
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

ROWS = pd.DataFrame(
    {
        "y": [1, 0, 1, 0, 1, 0],
        "race": ["a", "b", "c", "a", None, "c"],
        "age": [20.0, 30.0, np.nan, 50.0, 60.0, 70.0],
        "patient": [1, 1, 2, 2, 3, 3],
        "weight": [1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        "x": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
    }
)


@pytest.fixture(scope="module")
def age():
    """German credit with age protected."""
    return load_dataset("german", ["age"])


@pytest.fixture
def small(tmp_path):
    """Return a function that loads the rows above that have no missing value."""
    path = tmp_path / "rows.csv"
    ROWS.to_csv(path, index=False)
    return lambda **options: load_table(
        path, "y", ["race", "age"], continuous=["age"], missing="drop", **options
    )


def test_groups_have_names_and_numbers_stay(small):
    table = small()
    frame = group_frame(table)
    assert frame["race"].tolist() == ["a", "b", "a", "c"]
    assert frame["age"].tolist() == [20, 30, 50, 70]
    assert continuous_names(table) == ["age"]
    german = load_dataset("german", ["age"])
    assert set(group_frame(german)["age"]) == {"others", "privileged"}
    assert (group_frame(german)["age"] == "privileged").sum() == german.a()[:, 0].sum()


def test_the_rows_to_evaluate_on(age):
    assert evaluation_rows(age, "all") is age
    test = evaluation_rows(age, split_seed=3)
    assert test.digest() == split(age, 3).test.digest()
    assert test.digest() != evaluation_rows(age).digest()
    with pytest.raises(InputError, match=r"'train'.*'test'"):
        evaluation_rows(age, "train")


def test_an_audit_of_a_table_is_that_of_its_arrays(age):
    parts = split(age)
    model = GRADClassifier(lam=1, epochs=2, checkpoint="last", random_state=0)
    model.fit(parts.train.inputs(), parts.train.y(), sensitive_features=parts.train.a())
    result = audit_table(model, parts.test, folds=2, seed=4)
    older = {"age": np.where(parts.test.a()[:, 0] == 1, "privileged", "others")}
    by_hand = audit(model, parts.test.inputs(), older, y=parts.test.y(), folds=2, seed=4)
    pd.testing.assert_frame_equal(result.table, by_hand.table)
    assert result.notes == by_hand.notes


def test_training_audits_grad_and_the_plain_network(age):
    parts, settings = split(age), Settings(epochs=2)
    trial = Trial("german", ("age",), 10.0, 5, settings=settings)
    result = audit_training(trial, parts, parts.test, folds=2)
    encoder = Encoder(settings.encoding).fit(parts.train.inputs())
    training, validation = (arrays(part, encoder) for part in (parts.train, parts.valid))
    fitted = GRAD().fit([trial], training, validation)
    scores = fitted.scores(encoder.transform(parts.test.inputs()))[0, 0]
    groups = group_frame(parts.test)
    by_hand = audit({"scores": scores}, None, groups, folds=2, seed=5, y=None).table
    rows = result.table[result.table["source"] == "scores (λ = 10)"]
    columns = ["probe", "auc", "auc_low", "balanced_accuracy"]
    np.testing.assert_array_equal(rows[columns].to_numpy(), by_hand[columns].to_numpy())
    assert result.table["source"].unique().tolist() == [
        "features",
        *(
            f"{name} (λ = {lam})"
            for name in ("representation", "scores", "labels")
            for lam in (0, 10)
        ),
    ]
    plain = audit_training(Trial("german", ("age",), 0.0, settings=settings), parts, parts.test)
    assert plain.table["source"].nunique() == 4


def test_options_are_checked_before_training(age, monkeypatch):
    monkeypatch.setattr(GRAD, "fit", lambda *_: pytest.fail("trained"))
    parts = split(age)
    with pytest.raises(InputError, match=r"folds.* 1"):
        audit_training(Trial("german", ("age",)), parts, parts.test, folds=1)


def test_predictions_for_a_card(small):
    table = small(weights="weight", groups="patient")
    sex = np.arange(len(table)) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantPredictionWarning)
        model = GRADClassifier(lam=0, epochs=1, random_state=0)
        model.fit(table.inputs(), table.y().astype(int), sensitive_features=sex)
    predictions = predictions_on(model, table, "Some rows.")
    assert predictions.rows == "Some rows."
    np.testing.assert_array_equal(predictions.y_true, table.y())
    np.testing.assert_array_equal(predictions.y_pred, model.predict(table.inputs()) == 1)
    assert list(predictions.sensitive_features) == ["race", "age"]
    assert predictions.continuous == ["age"]
    np.testing.assert_array_equal(predictions.sample_weight, table.w())
    np.testing.assert_array_equal(predictions.groups, table.g())
    plain = predictions_on(model, small(drop=["weight", "patient"]), "")
    assert plain.sample_weight is None
    assert plain.groups is None
    regressor = GRADRegressor(lam=0, epochs=1, random_state=0)
    regressor.fit(table.inputs(), table.y(), sensitive_features=sex)
    assert predictions_on(regressor, table, "") is None


def test_an_audit_is_written_as_table_and_figure(tmp_path):
    sex = np.arange(40) % 2
    result = audit(sex[:, None], None, {"sex": sex}, folds=2)
    csv, picture = result.write(tmp_path, "A title")
    assert {path.name for path in tmp_path.iterdir()} == {"audit.csv", "audit.png", "audit.svg"}
    assert (csv.name, picture.name) == ("audit.csv", "audit.png")
    pd.testing.assert_frame_equal(pd.read_csv(csv), result.table)
    assert picture.read_bytes().startswith(b"\x89PNG")


ROLES = {"label": "decision", "favorable": "approved", "protected": ["sex", "age>=40"]}


@pytest.fixture(scope="module")
def own():
    table = Table.from_frame(people(), **ROLES)
    return fit(table, epochs=15, batch_size=16, lam=0.1, trunk=(8,), branch=(4,))


def test_a_model_that_knows_the_roles_is_audited_on_a_frame(own):
    frame = people(120, seed=1)
    result = audit(own, frame, folds=2)
    table, _ = rows_for_model(own, frame)
    pd.testing.assert_frame_equal(result.table, audit_table(own, table, folds=2).table)
    assert result.table["attribute"].unique().tolist() == ["sex", "age>=40", "sex x age>=40"]
    assert set(result.table["rows"]) == {120}
    # Of the training data the test set alone.
    assert set(audit(own, people(), folds=2).table["rows"]) == {60}
    with pytest.raises(InputError, match="groups"):
        audit(own, frame, groups=range(120))


def test_a_card_is_written_with_the_training_data(own, tmp_path):
    path = tmp_path / "card.md"
    written = card(own, people(120, seed=1), path, name="loans", folds=2)
    assert path.read_text() == str(written) == written.text
    for fact in ("# Model card: loans", "192 of 300 rows", "not age", "Female", "approved"):
        assert fact in written.text, fact
    with pytest.raises(InputError, match="no_such"):
        card(own, people(120, seed=1), tmp_path / "no_such" / "card.md", folds=2)
