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
        recipe=st.sampled_from(["paper", "steady"]),
        trunk=st.lists(st.integers(1, 99), min_size=1).map(tuple),
        epochs=st.none() | st.integers(1, 99),
        use_protected=st.booleans(),
        encoding=st.sampled_from([None, "standard", "quantile"]),
        attribute_learning_rate=st.none() | st.floats(0, 1, exclude_min=True),
        final_rate=st.none() | st.floats(0, 1, exclude_min=True),
        dropout=st.none() | st.floats(0, 1, exclude_max=True),
        saturation=st.sampled_from([None, (), (40, 10), (1.5, 0.1)]),
        ramp=st.sampled_from([None, 0, 2.5]),
        balance_groups=st.none() | st.booleans(),
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


RESOLVED = {
    "paper": {
        "encoding": "standard", "epochs": 50, "batch_size": 64, "learning_rate": 1e-3,
        "attribute_learning_rate": 1e-3, "beta1": 0.9, "final_rate": 1.0, "dropout": 0.0,
        "lam_multiplies": "loss", "saturation": [], "ramp": 0.0, "balance_groups": False, "select": "paper",
    },
    "steady": {
        "encoding": "quantile", "epochs": 50, "batch_size": 256, "learning_rate": 1e-3,
        "attribute_learning_rate": 1e-2, "beta1": 0.0, "final_rate": 0.02, "dropout": 0.2,
        "lam_multiplies": "reversal", "saturation": [40.0, 10.0], "ramp": 10.0,
        "balance_groups": True, "select": "last",
    },
}  # fmt: skip


@pytest.mark.parametrize("recipe", RESOLVED)
def test_settings_are_those_of_the_recipe_but_for_what_is_given(recipe):
    def resolved(**changes):
        return Trial("d", ("a",), settings=Settings(recipe=recipe, **changes)).to_json()["settings"]

    plain = resolved()
    assert {name: plain[name] for name in RESOLVED[recipe]} == RESOLVED[recipe]
    assert resolved(dropout=0.1) == plain | {"dropout": 0.1}
    assert resolved(**dict.fromkeys(RESOLVED[recipe])) == plain
    follows = {"attribute_learning_rate": 0.5} if recipe == "paper" else {}
    assert resolved(learning_rate=0.5) == plain | {"learning_rate": 0.5} | follows


def test_a_trial_that_was_written_before_there_were_recipes_is_the_papers():
    settings = {
        "variant": "auto", "recipe": "paper", "trunk": [5], "branch": [], "epochs": 7,
        "batch_size": 32, "learning_rate": 0.01, "use_protected": True, "select": "delta",
    }  # fmt: skip
    old = {
        "dataset": "d", "protected": ["a"], "lam": 1.0, "seed": 2, "split_seed": 3,
        "settings": settings,
    }  # fmt: skip
    trial = Trial.from_json(old)
    assert trial.settings == Settings(
        "auto", "paper", (5,), (), use_protected=True, epochs=7, batch_size=32, learning_rate=0.01,
        attribute_learning_rate=0.01, select="delta",
    )  # fmt: skip
    assert Trial.from_json(trial.to_json()) == trial


def test_the_key_does_not_depend_on_how_a_number_was_written():
    assert Trial("d", ("a",), lam=100).key == Trial("d", ("a",), lam=100.0).key
    whole, floats = ({"dropout": z, "saturation": (40 + z, 10)} for z in (0, 0.0))
    whole, floats = (Trial("d", ("a",), settings=Settings(**kw)) for kw in (whole, floats))
    assert whole == floats
    assert whole.key == floats.key
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
        ({"learning_rate": "0.1"}, "learning_rate must be a number above 0, got '0.1'"),
        ({"attribute_learning_rate": -1}, "attribute_learning_rate must be a number above 0"),
        ({"encoding": "quantiles"}, "unknown encoding 'quantiles': did you mean 'quantile'"),
        ({"dropout": 1.0}, "dropout must be a number of at least 0 and below 1, got 1.0"),
        ({"dropout": True}, "dropout must be a number"),
        ({"beta1": 1.0}, "beta1 must be a number of at least 0 and below 1"),
        ({"final_rate": 0.0}, "final_rate must be a number above 0 and at most 1, got 0.0"),
        ({"lam_multiplies": "all"}, "unknown lam_multiplies 'all': there are 'loss', 'reversal'"),
        ({"saturation": 40.0}, "saturation must be a limit and a midpoint, or empty, got 40.0"),
        ({"saturation": (40.0,)}, "saturation must be a limit and a midpoint"),
        ({"saturation": "40"}, "saturation must be a limit and a midpoint"),
        ({"saturation": (40.0, 0.0)}, "saturation must be a number above 0, got 0.0"),
        ({"ramp": -1.0}, "ramp must be a number of at least 0, got -1.0"),
        ({"balance_groups": 1}, "balance_groups must be True or False, got 1"),
        ({"select": 3}, "select must be the name of a rule, got 3"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(InputError, match=message):
        Settings(**changes)


def test_a_seed_is_not_negative():
    with pytest.raises(InputError, match="seed must not be negative"):
        Trial("d", ("a",), seed=-1)
