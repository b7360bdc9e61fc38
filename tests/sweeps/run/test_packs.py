"""Packs: which trials are trained together."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grad_ext.errors import InputError
from grad_ext.sweeps.run.packs import WIDTH, packs
from grad_ext.sweeps.run.resources import Resources
from grad_ext.sweeps.studies.values import LAMBDAS
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial


def grid(lams=(1.0, 100.0), seeds=(0, 1, 2), **changes):
    settings = Settings(**changes)
    return [Trial("german", ("age",), lam, s, settings=settings) for lam in lams for s in seeds]


@settings(max_examples=100, deadline=None)
@given(
    lams=st.lists(st.sampled_from([0.0, 1.0, 5.0, 100.0]), min_size=1, unique=True),
    seeds=st.integers(1, 30),
    workers=st.integers(1, 9),
    size=st.none() | st.integers(1, 40),
)
def test_packs_hold_every_trial_once_and_mix_no_settings(lams, seeds, workers, size):
    trials = grid(lams, range(seeds)) + grid(lams, range(seeds), epochs=3)
    plan = packs(trials, workers) if size is None else packs(trials, workers, lambda trial: size)
    held = [trial for pack in plan for trial in pack]
    assert sorted(t.key for t in held) == sorted(t.key for t in trials)
    for pack in plan:
        assert 1 <= len(pack) <= (size or WIDTH)
        assert len({trial.static for trial in pack}) == 1


def test_packs_keep_all_workers_busy():
    sizes = [len(pack) for pack in packs(grid(LAMBDAS, range(10)), workers=2)]
    assert len(sizes) == 8  # seven would do, and leave one of two workers idle at the end
    assert max(sizes) - min(sizes) <= 1
    assert [len(pack) for pack in packs(grid(), workers=16)] == [1] * 6
    # Several settings: as many packs as there are settings keep both workers busy.
    four = [t for epochs in (1, 2, 3, 4) for t in grid(epochs=epochs)]
    assert [len(pack) for pack in packs(four, workers=2)] == [6] * 4
    assert sorted(len(pack) for pack in packs(four[6:], workers=2)) == [3, 3, 6, 6]
    with pytest.raises(InputError, match="at least one model, got 0"):
        Resources(pack_size=0)
