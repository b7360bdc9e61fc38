"""Toy rows and trials for the tests of VFAE and ALFR."""

import numpy as np
import torch

from grad_ext.data.encoding import Arrays
from grad_ext.outputs import Binary, Branch, Task
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

LAST = Settings(checkpoint="last")


def toy_flags(rows=640, seed=0, groups=2):
    """Return rows of 0 and 1: four columns tell the group, four the label, which both have a say in."""
    rng = np.random.default_rng(seed)
    s = rng.integers(0, groups, rows)
    merit = rng.integers(0, 2, rows)
    y = np.where(rng.random(rows) < 0.5, merit, s > 0)
    told = [np.where(rng.random(rows) < 0.85, s > 0, rng.integers(0, 2, rows)) for _ in range(4)]
    earned = [np.where(rng.random(rows) < 0.8, merit, rng.integers(0, 2, rows)) for _ in range(4)]
    task = Task(Binary("target"), (Branch.of_groups("s", groups),))
    X = np.stack(told + earned, axis=1).astype(np.float32)
    return Arrays(X, y.astype(float), s[:, None].astype(float), np.ones(rows), task)


def toy_numbers(rows=640, seed=0, groups=2):
    """Return rows of numbers: four columns tell the group, four the label, in which both have a say."""
    rng = np.random.default_rng(seed)
    s, merit = rng.integers(0, groups, rows), rng.integers(0, 2, rows)
    y = np.where(rng.random(rows) < 0.5, merit, s > 0)
    X = rng.normal(size=(rows, 8)) + 1.5 * np.stack([s > 0] * 4 + [merit] * 4, axis=1)
    task = Task(Binary("target"), (Branch.of_groups("s", groups),))
    return Arrays(
        X.astype(np.float32), y.astype(float), s[:, None].astype(float), np.ones(rows), task
    )


def trials(*betas, seeds=None, protected=("s",), settings=LAST):
    seeds = seeds or range(len(betas))
    return [
        Trial("toy", protected, lam=b, seed=s, settings=settings)
        for b, s in zip(betas, seeds, strict=True)
    ]


def normal(*shape, seed=0):
    """Return standard normal numbers of double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
