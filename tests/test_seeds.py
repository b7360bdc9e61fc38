import numpy as np
import pytest
import torch

from grad_ext.errors import InputError
from grad_ext.seeds import derive, numpy_generator, seed_from, torch_generator


def test_seeds_depend_on_every_name_and_on_nothing_else():
    assert derive(0, "weights", "trunk.0") == derive(0, "weights", "trunk.0")
    different = {derive(0), derive(1), derive(0, "a"), derive(0, "b"), derive(0, "a", "b")}
    assert len({*different, derive(0, "ab")}) == 6
    assert 0 <= derive(0) < 2**63
    assert numpy_generator(3, "x").random() == numpy_generator(3, "x").random()
    drawn = [torch.rand(1, generator=torch_generator(3, "x")) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_random_state_in_all_its_kinds():
    assert seed_from(7) == seed_from(np.int64(7)) == 7
    assert seed_from(np.random.default_rng(0)) == seed_from(np.random.default_rng(0))
    assert seed_from(np.random.RandomState(0)) == seed_from(np.random.RandomState(0))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert seed_from(None) != seed_from(None)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    for bad in (-1, 1.5, "0", True):
        with pytest.raises(InputError, match="random_state must"):
            seed_from(bad)
