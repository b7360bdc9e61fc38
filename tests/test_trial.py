# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext import checks
from grad_ext.codec import to_json
from grad_ext.constraints import CONSTRAINTS
from grad_ext.errors import InputError
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial, fingerprint

finite = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | st.text() | finite
values = st.recursive(scalars, st.lists, max_leaves=4)
trials = st.builds(
    Trial,
    dataset=st.text(),
    protected=st.lists(st.text(), unique=True).map(tuple),
    lam=finite,
    seed=st.integers(0, 2**40),
    split_seed=st.integers(0, 100),
    settings=st.builds(
        Settings,
        recipe=st.sampled_from(["paper", "steady", "smooth"]),
        constraint=st.sampled_from(sorted(CONSTRAINTS)),
        trunk=st.lists(st.integers(1, 99), min_size=1).map(tuple),
        epochs=st.none() | st.integers(1, 99),
        use_protected=st.booleans(),
        encoding=st.sampled_from([None, "standard", "quantile"]),
        attribute_learning_rate=st.none() | st.floats(0, 1, exclude_min=True),
        final_lr_fraction=st.none() | st.floats(0, 1, exclude_min=True),
        dropout=st.none() | st.floats(0, 1, exclude_max=True),
        saturation=st.sampled_from([None, (), (40, 10), (1.5, 0.1)]),
        warmup=st.sampled_from([None, 0, 2.5]),
        balance_groups=st.none() | st.booleans(),
    ),
    baseline=st.sampled_from(["", "vfae", "a forest"]),
    options=st.dictionaries(st.text(), values, max_size=3),
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
        "attribute_learning_rate": 1e-3, "beta1": 0.9, "final_lr_fraction": 1.0, "dropout": 0.0,
        "adversary_input": "representation", "lam_scales": "loss", "saturation": [], "warmup": 0.0, "extrapolation": 0.0, "balance_groups": False, "score_penalty": 0.0, "checkpoint": "paper",
    },
    "steady": {
        "encoding": "quantile", "epochs": 30, "batch_size": 256, "learning_rate": 3e-3,
        "attribute_learning_rate": 1e-2, "beta1": 0.0, "final_lr_fraction": 0.02, "dropout": 0.2,
        "adversary_input": "prediction", "lam_scales": "reversal", "saturation": [35.0, 1.0],
        "warmup": 10.0, "extrapolation": 0.6,
        "balance_groups": True, "score_penalty": 0.0, "checkpoint": "last",
    },
    "smooth": {
        "encoding": "quantile", "epochs": 30, "batch_size": 256, "learning_rate": 3e-3,
        "attribute_learning_rate": 1e-2, "beta1": 0.0, "final_lr_fraction": 0.02, "dropout": 0.2,
        "adversary_input": "representation", "lam_scales": "reversal", "saturation": [3.0, 100.0],
        "warmup": 10.0, "extrapolation": 0.0,
        "balance_groups": True, "score_penalty": 0.01, "checkpoint": "last",
    },
}  # fmt: skip


STANDARD = {"encoding": "standard", "dropout": 0.0}
FOR_AUTO = {
    "paper": {},
    "steady": STANDARD,
    "smooth": {**STANDARD, "saturation": [35.0, 1.0], "score_penalty": 0.0},
}


@pytest.mark.parametrize("recipe", RESOLVED)
def test_another_variant_keeps_what_was_changed_and_leaves_the_rest_to_the_recipe(recipe):
    auto = Settings("auto", recipe)
    expected = RESOLVED[recipe] | FOR_AUTO[recipe]
    resolved = Trial("d", ("a",), settings=auto).to_json()["settings"]
    assert {name: resolved[name] for name in expected} == expected
    assert Settings("pred", recipe).with_variant("auto") == auto
    assert auto.with_variant("pred") == Settings("pred", recipe)
    changes = {"dropout": 0.1, "epochs": 7, "trunk": (5,)}
    changed = Settings("pred", recipe, **changes)
    assert changed.with_variant("auto") == Settings("auto", recipe, **changes)
    assert changed.with_variant("pred") == changed


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


def test_a_baselines_trial_bears_its_name_and_what_it_is_made_with():
    trial = Trial("d", ("a",), lam=0, baseline="vfae", options={"hidden": [3, 4], "epochs": 7})
    assert trial.method == "vfae"
    assert trial.options == (("epochs", 7), ("hidden", (3, 4)))
    assert trial.to_json()["options"] == {"epochs": 7, "hidden": [3, 4]}
    assert trial == Trial("d", ("a",), lam=0, baseline="vfae", options=trial.options)
    others = [
        Trial("d", ("a",), lam=0, baseline="alfr", options=trial.options),
        Trial("d", ("a",), lam=0, baseline="vfae", options={"epochs": 8, "hidden": (3, 4)}),
        Trial("d", ("a",), lam=0),
    ]
    assert len({t.key for t in [trial, *others]}) == 4
    assert len({t.static for t in [trial, *others]}) == 4
    # All values of a baseline's hyperparameter may be fitted together, also 0.
    again = Trial("d", ("a",), lam=5, baseline="vfae", options=trial.options)
    assert again.static == trial.static
    for bad in (object(), {"x": 1}, math.nan, [math.inf]):
        with pytest.raises(InputError, match="options: 'x' must be a value that JSON can hold"):
            Trial("d", ("a",), baseline="vfae", options={"x": bad})


def test_a_failure_survives_json_and_old_records_can_be_read():
    trial = Trial("d", ("a",), baseline="vfae")
    failed = Record.failed(trial, "ValueError: no", 0.5)
    again = Record.from_json(json.loads(json.dumps(failed.to_json(), allow_nan=False)))
    assert again.to_json() == failed.to_json()
    assert (again.error, again.metrics, again.epoch) == ("ValueError: no", {}, 0)
    assert math.isnan(again.predict_seconds)
    assert math.isnan(again.peak_bytes)
    sound = Record(trial, {"accuracy": 0.5}, 1, False, False, 0.5, 0.25, 1e6)
    assert Record.from_json(sound.to_json()) == sound
    old = {
        "trial": Trial("d", ("a",)).to_json(), "metrics": {"accuracy": 0.5}, "epoch": 3,
        "constant": True, "diverged": False, "seconds": 0.1,
    }  # fmt: skip
    read = Record.from_json(old)
    assert (read.error, read.seconds, read.constant) == ("", 0.1, True)
    assert math.isnan(read.peak_bytes)


@pytest.mark.parametrize("lam", [-1, "-0.5", math.nan, math.inf, "many", None, True, [1]])
def test_lambda_is_a_number_of_at_least_zero(lam):
    with pytest.raises(InputError, match="lambda must be"):
        checks.lam(lam)


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
        (
            {"final_lr_fraction": 0.0},
            "final_lr_fraction must be a number above 0 and at most 1, got 0.0",
        ),
        ({"lam_scales": "all"}, "unknown lam_scales 'all': there are 'loss', 'reversal'"),
        ({"saturation": 40.0}, "saturation must be a limit and a midpoint, or empty, got 40.0"),
        ({"saturation": (40.0,)}, "saturation must be a limit and a midpoint"),
        ({"saturation": "40"}, "saturation must be a limit and a midpoint"),
        ({"saturation": (40.0, 0.0)}, "saturation must be a number above 0, got 0.0"),
        ({"warmup": -1.0}, "warmup must be a number of at least 0, got -1.0"),
        ({"balance_groups": 1}, "balance_groups must be True or False, got 1"),
        ({"checkpoint": 3}, "checkpoint must be the name of a rule, got 3"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(InputError, match=message):
        Settings(**changes)


def test_a_seed_is_not_negative():
    with pytest.raises(InputError, match=r"seed must be .* at least 0, got -1"):
        Trial("d", ("a",), seed=-1)


def test_numpys_scalars_become_pythons():
    settings = Settings(
        trunk=np.array([5, 4]), branch=(np.int64(3),), epochs=np.int64(2),
        balance_groups=np.bool_(True), use_protected=np.bool_(False),
        saturation=np.array([40.0, 10.0]), recipe=np.str_("steady"),
    )  # fmt: skip
    plain = Settings(
        trunk=(5, 4), branch=(3,), epochs=2, balance_groups=True, saturation=(40.0, 10.0),
        recipe="steady",
    )  # fmt: skip
    trial = Trial("t", ("sex",), np.float32(1.5), np.int64(3), np.int8(4), settings=settings)
    assert trial == Trial("t", ("sex",), 1.5, 3, 4, settings=plain)
    assert json.loads(json.dumps(to_json(trial))) == to_json(
        Trial("t", ("sex",), 1.5, 3, 4, settings=plain)
    )
