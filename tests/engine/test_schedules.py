"""The schedules by hand, and what holds for each of them."""

import math

import pytest

from grad_ext.engine.schedules import LR_SCHEDULES, WARMUP_SCHEDULES, cosine, logistic
from grad_ext.errors import InputError
from grad_ext.training.settings import Settings


def test_cosine_by_hand():
    # (1 + cos(pi t / 4)) / 2 of 0.9, and 0.1.
    expected = [1.0, 0.1 + 0.9 * (2 + math.sqrt(2)) / 4, 0.55, 0.1 + 0.9 * (2 - math.sqrt(2)) / 4]
    assert [cosine(done, 4, 0.1) for done in range(4)] == pytest.approx(expected)
    assert cosine(4, 4, 0.1) == pytest.approx(0.1)


def test_logistic_by_hand():
    # 2 / (1 + exp(-x)) - 1 = tanh(x / 2).
    expected = [0.0, math.tanh(0.5), math.tanh(2.5), math.tanh(5.0)]
    assert [logistic(done, 100, 10.0) for done in (0, 10, 50, 100)] == pytest.approx(expected)


@pytest.mark.parametrize("name", LR_SCHEDULES)
def test_learning_rates_fall_to_their_final_fraction(name):
    shares = [LR_SCHEDULES[name](done, 50, 0.02) for done in range(51)]
    assert shares[0] == 1.0
    assert shares[-1] == pytest.approx(0.02)
    assert shares == sorted(shares, reverse=True)
    assert {LR_SCHEDULES[name](done, 50, 1.0) for done in range(51)} == {1.0}


@pytest.mark.parametrize("name", WARMUP_SCHEDULES)
def test_the_reversal_grows_to_its_strength(name):
    shares = [WARMUP_SCHEDULES[name](done, 50, 10.0) for done in range(51)]
    assert shares[0] == 0.0
    assert shares[-1] == pytest.approx(1.0, abs=1e-3)
    assert shares == sorted(shares)


def test_unknown_schedules_are_refused():
    with pytest.raises(InputError, match="unknown lr_schedule 'cosin': did you mean 'cosine'"):
        Settings(lr_schedule="cosin")
    with pytest.raises(InputError, match=r"unknown warmup_schedule 'linear'.*'logistic'"):
        Settings(warmup_schedule="linear")
