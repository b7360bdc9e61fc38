"""The plain network beside an audited one."""

import numpy as np
import pandas as pd
import pytest

from grad_ext import GRADClassifier, GRADRegressor, audit, fit, load_dataset
from grad_ext.auditing.plain import plain_representation, protects
from grad_ext.auditing.tables import audit_table, card
from grad_ext.data.split import split
from grad_ext.errors import InputError
from grad_ext.models.workflow import split_for_model
from grad_ext.report.findings.audit import PLAIN

pytestmark = pytest.mark.filterwarnings("ignore::grad_ext.errors.ConstantPredictionWarning")


@pytest.fixture(scope="module")
def parts():
    return split(load_dataset("german", ["age"]))


def fitted(parts, lam, **given):
    train = parts.train
    model = GRADClassifier(lam=lam, epochs=2, random_state=3, **given)
    return model.fit(train.inputs(), train.y(), sensitive_features={"age": train.a()[:, 0]})


def test_it_is_the_same_network_without_attribute_branches(parts):
    model, plain = fitted(parts, 10), fitted(parts, 0)
    found = plain_representation(model, parts.train, parts.test)
    expected = plain.model_.representation(parts.test.inputs())
    np.testing.assert_array_equal(found, expected)
    assert protects(model)
    # Nothing to compare with.
    assert not protects(plain)
    assert plain_representation(plain, parts.train, parts.test) is None


def test_settings_and_trunk_are_those_of_the_model(parts):
    given = {"trunk": (7,), "recipe": "paper"}
    found = plain_representation(fitted(parts, 10, **given), parts.train, parts.test)
    expected = fitted(parts, 0, **given).model_.representation(parts.test.inputs())
    assert found.shape == (200, 7)
    np.testing.assert_array_equal(found, expected)


def test_of_numbers_there_is_none(parts):
    train = parts.train
    model = GRADRegressor(epochs=1, random_state=0).fit(
        train.inputs(), np.arange(len(train)), sensitive_features=train.a()[:, 0]
    )
    assert plain_representation(model, train, parts.test) is None


def test_an_audit_shows_it_beside_the_model(parts):
    model, plain = fitted(parts, 10), fitted(parts, 0)
    X, groups = parts.test.inputs(), {"age": parts.test.a()[:, 0]}
    result = audit(model, X, groups, folds=2, plain=plain)
    assert result.table["source"].unique().tolist() == [
        "features", PLAIN, "representation", "scores", "labels",
    ]  # fmt: skip
    assert not any("plain" in note for note in result.notes)
    by_hand = audit(plain.model_.representation(X), None, groups, folds=2).table
    rows = result.table[result.table["source"] == PLAIN]
    np.testing.assert_array_equal(rows["auc"], by_hand["auc"])
    # An array is the representation itself.
    again = audit(model, X, groups, folds=2, plain=plain.model_.representation(X))
    pd.testing.assert_frame_equal(again.table, result.table)


def test_a_note_says_that_it_is_missing(parts):
    X, groups = parts.test.inputs(), {"age": parts.test.a()[:, 0]}
    for model, expected in ((fitted(parts, 10), 1), (fitted(parts, 0), 0)):
        notes = audit(model, X, groups, folds=2).notes
        assert sum("`plain`" in note for note in notes) == expected
    alone = audit(fitted(parts, 10), X, groups, folds=2, sources=["scores"])
    assert not any("`plain`" in note for note in alone.notes)


def test_a_table_with_training_rows(parts):
    model = fitted(parts, 10)
    result = audit_table(model, parts.test, training=parts.train, folds=2)
    assert PLAIN in set(result.table["source"])
    assert PLAIN not in set(audit_table(model, parts.test, folds=2).table["source"])


def test_rows_of_a_known_split_train_it():
    model = fit("german", protected=["age"], epochs=2, lam=1)
    rows = split_for_model(model)
    assert (len(rows.table), len(rows.rest)) == (200, 800)
    both = pd.concat([rows.table.frame, rows.rest.frame])
    assert len(both.drop_duplicates()) == len(
        load_dataset("german", ["age"]).frame.drop_duplicates()
    )
    assert split_for_model(model, rows="all").rest is None
    leakage = card(model, folds=2).leakage
    assert PLAIN in set(leakage.table["source"])
    assert PLAIN in set(audit(model, load_dataset("german", ["age"]), folds=2).table["source"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"plain": object()}, "plain: expected a fitted network"),
        ({"plain": np.zeros((3, 2))}, "expected 200 rows, got 3"),
    ],
)
def test_bad_input(parts, given, message):
    X, groups = parts.test.inputs(), {"age": parts.test.a()[:, 0]}
    with pytest.raises(InputError, match=message):
        audit(fitted(parts, 10), X, groups, folds=2, **given)


def test_a_network_needs_rows(parts):
    with pytest.raises(InputError, match="without X"):
        audit(np.zeros((4, 2)), None, {"age": [0, 1, 0, 1]}, folds=2, plain=fitted(parts, 0))
