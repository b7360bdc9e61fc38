"""Seeds derived from names.

Every random draw has its own generator, seeded by a hash of the user's seed and the name of the
draw. So a new branch, member of a pack or hyperparameter does not change other draws, and no global
generator is touched. (As in DomainBed's hparams_registry.)
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from grad_ext import checks
from grad_ext.errors import InputError

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str) -> int:
    """Return a 63-bit seed that depends on all arguments."""
    text = "\0".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str) -> np.random.Generator:
    """Return a new numpy generator for one named draw."""
    return np.random.default_rng(derive(seed, *names))


def torch_generator(seed: int, *names: str) -> "torch.Generator":
    """Return a new torch generator (on the CPU) for one named draw."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))


def seed_from(random_state: object) -> int:
    """Return the seed of a `random_state` argument as in scikit-learn.

    Parameters
    ----------
    random_state : int, None, numpy.random.RandomState or numpy.random.Generator
        An integer is the seed itself; a generator draws one; None draws a new seed from the
        operating system, so that numpy's global generator is not touched.

    Returns
    -------
    int
        A seed of at least 0.

    Raises
    ------
    InputError
        If it is of another type, or a negative integer.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if checks.is_whole(random_state, 0):
        return int(random_state)  # type: ignore[call-overload, no-any-return]
    if checks.is_whole(random_state):
        raise InputError(f"random_state must not be negative, got {random_state}")
    raise InputError(
        "random_state must be an integer, None, a numpy Generator or a RandomState, "
        f"got {random_state!r}"
    )
