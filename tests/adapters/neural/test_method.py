"""What holds for every neural method that trains in packs: VFAE and ALFR go through each test."""

import math

import numpy as np
import pytest
from neural_toys import toy_flags, trials

from grad_ext.adapters.neural.alfr import ALFR
from grad_ext.adapters.neural.method import by_trial
from grad_ext.adapters.neural.vfae import VFAE
from grad_ext.errors import InputError
from grad_ext.evaluation import evaluate
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

SMALL = {
    VFAE: {"hidden": 16, "hidden_top": 12, "latent": 6, "batch_size": 64},
    ALFR: {"hidden": 16, "code": 4},
}
METHODS = pytest.mark.parametrize("method", SMALL)


def fitted_scores(method, betas, seeds, **settings):
    data = toy_flags(224)
    fitted = method(epochs=6, **SMALL[method], **settings).fit(
        trials(*betas, seeds=seeds), data, toy_flags(64, seed=1)
    )
    return fitted.scores(data.X), fitted.representations(data.X)


@METHODS
def test_a_member_does_not_depend_on_the_other_members(method):
    (alone, code), others = (
        fitted_scores(method, [3.0], [5]),
        [(0.0, 1), (30.0, 2), (4.0, 5), (1.0, 8)],
    )
    assert alone.shape == (1, 1, 224)
    assert code.shape == (1, {VFAE: 6, ALFR: 4}[method], 224)
    for size in (3, 8):
        company = (others * 2)[: size - 1]
        for slot in (0, size - 1):
            members = [*company[:slot], (3.0, 5), *company[slot:]]
            scores, codes = fitted_scores(method, *zip(*members, strict=True))
            np.testing.assert_array_equal(scores[slot], alone[0])
            np.testing.assert_array_equal(codes[slot], code[0])


@pytest.mark.parametrize(
    ("method", "varied"),
    [(VFAE, {"alpha": [1.0, 30.0]}), (ALFR, {"alpha": [0.1, 1.0], "gamma": [1.0, 5.0]})],
)
def test_hyperparameters_of_each_trial(method, varied):
    together, _ = fitted_scores(method, [3.0, 3.0], [5, 5], **varied)
    for number, scores in enumerate(together):
        own = {name: values[number] for name, values in varied.items()}
        np.testing.assert_array_equal(scores, fitted_scores(method, [3.0], [5], **own)[0][0])
    assert (together[0] != together[1]).any()


@METHODS
def test_german_is_evaluated_as_with_any_method(method, german_problem):
    settings = Settings(checkpoint="balanced_delta")
    given = trials(0.0, (1.0, 2.0), protected=("age", "sex"), settings=settings)
    done = []
    records = evaluate(method(epochs=3), given, german_problem, done.append)
    assert done == [1, 2, 3]
    fitted = method(epochs=3).fit(given, german_problem.training, german_problem.validation)
    history = fitted.history
    assert history.attribute_loss.shape == (3, 2, 2)
    best = (history.balanced_accuracy - history.discrimination).argmax(0) + 1
    for trial, record, epoch in zip(given, records, best, strict=True):
        assert record.trial is trial
        assert record.epoch == epoch
        assert not record.diverged
        assert 0.4 < record.metrics["accuracy"] < 0.9


@METHODS
def test_the_weights_are_those_of_the_kept_epoch(method):
    data, valid = toy_flags(224), toy_flags(96, seed=1)
    given = trials(0.0, 1.0, 5.0, 0.0, settings=Settings(checkpoint="paper"))
    fitted = method(epochs=8, **SMALL[method]).fit(given, data, valid)
    assert len(set(fitted.epochs)) > 1
    labels = fitted.scores(valid.X)[:, 0] >= 0.5
    kept = fitted.history.accuracy[fitted.epochs - 1, range(4)]
    np.testing.assert_allclose((labels == valid.y).mean(1), kept)


@METHODS
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha must be a number of at least 0, got -1.0"),
        ({"alpha": [1.0, math.nan]}, "alpha must be a number of at least 0, got nan"),
        ({"epochs": 2.5}, "epochs must be a whole number of at least 1, got 2.5"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be a number above 0, got 0.0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number above 0, got 'fast'"),
    ],
)
def test_bad_parameters(method, options, message):
    with pytest.raises(InputError, match=message):
        method(**options)


@METHODS
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "expected at least one trial"),
        (trials(1.0, protected=("s", "t")), "expected 2 protected attributes, got 1"),
        ([*trials(1.0), Trial("toy", ("t",))], "trials of one pack must share"),
        (trials(1.0, 2.0), r"alpha: expected a number for each of 2 trials, got \[1.0\]"),
    ],
)
def test_trials_that_make_no_pack(method, given, message):
    with pytest.raises(InputError, match=message):
        method(alpha=[1.0]).fit(given, toy_flags(64), toy_flags(64))


@METHODS
def test_representations_of_rows_of_another_width_are_refused(method):
    fitted = method(epochs=1, **SMALL[method]).fit(trials(1.0), toy_flags(64), toy_flags(64))
    for compute in (fitted.scores, fitted.representations):
        with pytest.raises(InputError, match=r"expected shape \(N, 8\), got \(64, 7\)"):
            compute(toy_flags(64).X[:, 1:])


def test_a_number_for_all_trials_or_one_for_each():
    assert by_trial("alpha", 2.0, 3).tolist() == [2.0, 2.0, 2.0]
    assert by_trial("alpha", [1.0, 2.0], 2).tolist() == [1.0, 2.0]
