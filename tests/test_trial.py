import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.errors import InputError
from grad_ext.trial import Record, Settings, Trial, checked_lambda, fingerprint

finite = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
trials = st.builds(
    Trial,
    dataset=st.text(),
    protected=st.lists(st.text(), unique=True).map(tuple),
    lam=finite,
    seed=st.integers(0, 2**40),
    split_seed=st.integers(0, 100),
    settings=st.builds(
        Settings,
        trunk=st.lists(st.integers(1, 99), min_size=1).map(tuple),
        epochs=st.integers(1, 99),
        use_protected=st.booleans(),
    ),
)


@given(trial=trials)
def test_a_trial_survives_json(trial):
    again = Trial.from_json(json.loads(json.dumps(trial.to_json())))
    assert again == trial
    assert again.key == trial.key
    assert again.static == trial.static


@given(a=trials, b=trials)
def test_the_key_tells_trials_apart(a, b):
    assert (a.key == b.key) == (a == b)


def test_the_key_does_not_depend_on_how_a_number_was_written():
    assert Trial("d", ("a",), lam=100).key == Trial("d", ("a",), lam=100.0).key
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_record_survives_json_nan_included():
    record = Record(Trial("d", ("a",)), {"accuracy": 0.1 + 0.2, "x": math.nan}, 3, True, False, 0.5)
    again = Record.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False)))
    assert again.metrics["accuracy"] == 0.1 + 0.2
    assert math.isnan(again.metrics["x"])
    assert again.trial == record.trial
    assert (again.epoch, again.constant, again.diverged, again.seconds) == (3, True, False, 0.5)


def test_the_papers_names():
    assert Trial("d", ("a",)).method == "GRAD-Pred"
    assert Trial("d", ("a",), lam=0).method == "NN-Pred"


@pytest.mark.parametrize("lam", [-1, "-0.5", math.nan, math.inf, "many", None, True, [1]])
def test_lambda_is_a_number_of_at_least_zero(lam):
    with pytest.raises(InputError, match="lambda must be a"):
        checked_lambda(lam)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "prde"}, "unknown variant 'prde': did you mean 'pred'"),
        ({"recipe": "mine"}, "unknown recipe"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"batch_size": True}, "batch_size must be a whole number"),
        ({"learning_rate": 0.0}, "learning_rate must be a number above 0"),
        ({"learning_rate": math.nan}, "learning_rate must be a number above 0"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(InputError, match=message):
        Settings(**changes)


def test_a_seed_is_not_negative():
    with pytest.raises(InputError, match="seed must not be negative"):
        Trial("d", ("a",), seed=-1)
