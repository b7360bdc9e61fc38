"""Seeds derived from names.

Every random draw has a generator of its own, seeded by a hash of the user's seed and the name of
what is drawn. So adding a branch, a pack-mate or a hyper-parameter never shifts another draw, and
no global generator is touched. (The habit of DomainBed's hparams_registry.)
"""

import hashlib
import numbers
from typing import TYPE_CHECKING

import numpy as np

from grad_ext.errors import InputError

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str) -> int:
    """Return a 63-bit seed that depends on all arguments."""
    text = "\0".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str) -> np.random.Generator:
    """Return a fresh numpy generator for one named draw."""
    return np.random.default_rng(derive(seed, *names))


def torch_generator(seed: int, *names: str) -> "torch.Generator":
    """Return a fresh torch generator (on the CPU) for one named draw."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))


def seed_from(random_state: object) -> int:
    """Return the seed that a `random_state` argument of scikit-learn's kind stands for.

    Parameters
    ----------
    random_state : int, None, numpy.random.RandomState or numpy.random.Generator
        An integer is the seed itself; a generator is asked for one; None draws a fresh seed from
        the operating system, since numpy's global generator is left alone.

    Raises
    ------
    InputError
        For anything else, and for negative integers.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        seed = int(random_state)
        if seed >= 0:
            return seed
        raise InputError(f"random_state must not be negative, got {random_state}")
    raise InputError(
        "random_state must be an integer, None, a numpy Generator or a RandomState, "
        f"got {random_state!r}"
    )
