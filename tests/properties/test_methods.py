"""What holds for every method: GRAD in its variants, and all baselines of the registry."""

import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from grad_ext.adapters.registry import BASELINES
from grad_ext.data.encoding import Arrays
from grad_ext.errors import InputError
from grad_ext.method import GRAD
from grad_ext.outputs import Binary, Categorical, Continuous, Task
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

# Settings of GRAD, and options of baselines whose defaults take long.
VARIANTS = {
    "grad-paper": {"recipe": "paper", "epochs": 2},
    "grad-steady": {"recipe": "steady", "epochs": 2},
    "grad-auto": {"variant": "auto", "epochs": 2},
    "grad-equalized-odds": {"constraint": "equalized_odds", "epochs": 2},
    "nn": {"epochs": 2},
}
QUICK = {
    "vfae": {"epochs": 2, "hidden": 8, "hidden_top": 8, "latent": 3},
    "alfr": {"epochs": 2, "hidden": 8, "code": 3},
    "lfr": {"iterations": 5},
    "fairlearn-adversarial": {"epochs": 2},
    "fairlearn-exponentiated-gradient": {"max_iter": 5},
    "fairlearn-exponentiated-gradient-boosting": {"max_iter": 2},
    "fairlearn-grid-search": {"grid_size": 5},
    "fairlearn-grid-search-lightgbm": {"grid_size": 3},
    "fairlearn-exponentiated-gradient-lightgbm": {"max_iter": 2},
    "aif360-adversarial": {"epochs": 2, "batch_size": 32, "hidden": 8},
    "aif360-gerry-fair": {"iterations": 2},
    "aif360-grid-search": {"grid_size": 5},
}
# Their processes import TensorFlow, which takes seconds for each fit.
ISOLATED = [
    name
    for name, listed in BASELINES.items()
    if "aif360" in listed.packages and name not in ("lfr", "aif360-reweighing")
]
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in ISOLATED else ()) for name in BASELINES
]
every_baseline = pytest.mark.parametrize("name", NAMES)
every_method = pytest.mark.parametrize("name", [*VARIANTS, *NAMES])
# Their scores of a row depend on its position among the rows, by random numbers.
BY_POSITION = ("vfae", "aif360-equalized-odds", "aif360-calibrated-equalized-odds")
TAKES_WEIGHTS = (
    *VARIANTS,
    *("majority", "logistic", "boosting", "vfae", "alfr", "aif360-reweighing"),
    *("lightgbm", "plug-in", "mmd", "hsic", "fairret"),
    *("fairlearn-threshold", "fairlearn-threshold-lightgbm"),
)
# A row of weight 2 counts exactly as two rows.
WEIGHTS_ARE_REPETITIONS = ("majority", "logistic", "aif360-reweighing")
PROTECTED = ("age", "sex")


def synthetic(rows=192, seed=0):
    """Return rows whose label depends on two features and on both attributes."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, (rows, 2)).astype(float)
    X = rng.normal(size=(rows, 5)) + a @ [[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0]]
    y = (X[:, 2] + X[:, 3] + 0.5 * a.sum(1) + rng.normal(size=rows) > 0.5).astype(float)
    task = Task(Binary("target"), tuple(Binary(name) for name in PROTECTED))
    return Arrays(X.astype(np.float32), y, a, np.ones(rows), task)


TRAINING, VALIDATION, TEST = synthetic(), synthetic(96, 1), synthetic(64, 2)


def method_of(name):
    if name in VARIANTS:
        return GRAD()
    if BASELINES[name].missing is not None:
        pytest.skip(str(BASELINES[name].missing))
    return BASELINES[name].method(**QUICK.get(name, {}))


def trial_of(name, seed=0):
    if name in VARIANTS:
        lam, settings = 0.0 if name == "nn" else 10.0, Settings(**VARIANTS[name])
    else:
        lam, settings = BASELINES[name].default, Settings(checkpoint="balanced_delta")
    return Trial("synthetic", PROTECTED, lam=lam, seed=seed, settings=settings)


def fit(name, seeds=(0,), training=TRAINING, **options):
    trials = [trial_of(name, seed) for seed in seeds]
    return method_of(name).fit(trials, training, VALIDATION, **options)


def scores_of(name, models, rows=TEST):
    """Return scores of rows, with their attributes for methods that need them."""
    if name in BASELINES and BASELINES[name].needs_attributes:
        return models.scores_with(rows.X, rows.a)
    return models.scores(rows.X)


@cache
def pack(name):
    """Return models of the seeds 0, 1 and 0."""
    return fit(name, (0, 1, 0))


@cache
def scores(name):
    return scores_of(name, pack(name))


@every_method
def test_scores_are_probabilities(name):
    assert scores(name).shape == (3, 1, len(TEST))
    assert ((scores(name) >= -1e-9) & (scores(name) <= 1 + 1e-9)).all()


@every_method
def test_one_seed_one_result(name):
    first, other, again = scores(name)
    np.testing.assert_array_equal(first, again)
    if name in BASELINES and not BASELINES[name].seeded:
        np.testing.assert_array_equal(first, other)


@every_method
def test_packed_equals_alone(name):
    alone = scores_of(name, fit(name, (1,)))
    np.testing.assert_array_equal(scores(name)[1], alone[0])


@every_method
def test_global_generators_are_left_alone(name):
    state = random.getstate(), torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    scores_of(name, fit(name))
    assert random.getstate() == state[0]
    assert torch.equal(torch.get_rng_state(), state[1])
    np.testing.assert_array_equal(np.random.get_state()[1], state[2])  # noqa: NPY002


@every_method
def test_rows_are_not_changed(name):
    rows = replace(TRAINING, **{n: getattr(TRAINING, n).copy() for n in ("X", "y", "a", "w")})
    for array in (rows.X, rows.y, rows.a, rows.w):
        array.flags.writeable = False
    models = fit(name, training=rows)
    np.testing.assert_array_equal(scores_of(name, models)[0], scores(name)[0])


@every_method
def test_a_rows_score_does_not_depend_on_other_rows(name):
    if name in BY_POSITION:
        pytest.skip("scores depend on the position of a row")
    order = np.random.default_rng(0).permutation(len(TEST))[:50]
    part = replace(TEST, X=TEST.X[order], y=TEST.y[order], a=TEST.a[order], w=TEST.w[order])
    expected = scores(name)[:, :, order]
    np.testing.assert_allclose(scores_of(name, pack(name), part), expected, rtol=0, atol=1e-6)


@every_method
def test_weights_count_or_are_refused(name):
    weighted = replace(TRAINING, w=np.where(TRAINING.y == 1.0, 5.0, 1.0))
    if name in TAKES_WEIGHTS:
        models = fit(name, training=weighted)
        assert (scores_of(name, models)[0] != scores(name)[0]).any()
    else:
        with pytest.raises(InputError, match=r"weights.* 1 to 5"):
            fit(name, training=weighted)


@pytest.mark.parametrize("name", WEIGHTS_ARE_REPETITIONS)
def test_weights_equal_repetition(name):
    twice = np.arange(len(TRAINING)) % 3 == 0
    weighted = replace(TRAINING, w=np.where(twice, 2.0, 1.0))
    rows = np.concatenate([np.arange(len(TRAINING)), np.flatnonzero(twice)])
    repeated = Arrays(
        TRAINING.X[rows], TRAINING.y[rows], TRAINING.a[rows], np.ones(len(rows)), TRAINING.task
    )
    by_weight, by_rows = (
        scores_of(name, fit(name, training=each)) for each in (weighted, repeated)
    )
    np.testing.assert_allclose(by_weight, by_rows, rtol=0, atol=1e-3)
    assert np.abs(by_weight - scores(name)[:1]).max() > 3e-3


@every_method
def test_epochs_are_counted(name):
    counts: list[int] = []
    models = fit(name, (0, 1), on_epoch=counts.append)
    assert models.epochs.shape == (2,)
    assert (models.epochs >= 1).all()
    assert counts == sorted(counts)
    assert max(models.epochs) <= counts[-1]


@every_method
def test_attributes_are_needed_where_the_registry_says_so(name):
    models = pack(name)
    if name in BASELINES and BASELINES[name].needs_attributes:
        with pytest.raises(InputError, match="scores_with"):
            models.scores(TEST.X)
        unknown = np.where(np.arange(len(TEST))[:, None] < 4, np.nan, TEST.a)
        with pytest.raises(InputError, match="4 rows"):
            models.scores_with(TEST.X, unknown)
    elif hasattr(models, "scores_with"):
        np.testing.assert_array_equal(models.scores_with(TEST.X, TEST.a), models.scores(TEST.X))


@every_method
def test_rows_of_another_width_are_refused(name):
    narrow = replace(TEST, X=TEST.X[:, 1:])
    with pytest.raises(InputError, match=r"\(N, 5\), got \(64, 4\)"):
        scores_of(name, pack(name), narrow)


@every_method
def test_no_trial_is_refused(name):
    with pytest.raises(InputError, match="at least one trial"):
        fit(name, ())


@every_baseline
def test_baselines_refuse_targets_that_are_not_binary(name):
    task = replace(TRAINING.task, target=Categorical("target", 3))
    with pytest.raises(InputError, match="binary target, got a categorical"):
        fit(name, training=replace(TRAINING, task=task))


@every_baseline
def test_baselines_refuse_attributes_without_groups_if_they_use_them(name):
    task = replace(TRAINING.task, attributes=(Continuous("age"), Binary("sex")))
    training = replace(TRAINING, task=task)
    if BASELINES[name].several:
        with pytest.raises(InputError, match=r"'age': expected .*groups, got"):
            fit(name, training=training)
    else:
        np.testing.assert_array_equal(
            scores_of(name, fit(name, training=training))[0], scores(name)[0]
        )


@every_method
def test_rows_of_one_label_give_numbers_or_an_error(name):
    training = replace(TRAINING, y=np.ones(len(TRAINING)))
    try:
        models = fit(name, training=training)
    except (ValueError, RuntimeError) as error:
        assert str(error)  # noqa: PT017
    else:
        assert np.isfinite(scores_of(name, models)).all()
