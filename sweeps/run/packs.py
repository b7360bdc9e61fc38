"""Trials gathered into packs: models of one shape that are trained as one tensor program."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

from grad_ext.trial import Trial

# Beyond this a wider pack saves nothing more per model on a CPU (docs/packs.md).
WIDTH = 16


def packs(
    trials: Sequence[Trial], workers: int, width: Callable[[Trial], int] = lambda trial: WIDTH
) -> list[list[Trial]]:
    """Gather trials into packs.

    Parameters
    ----------
    trials : sequence of Trial
        What is to be trained.
    workers : int
        How many packs run side by side.
    width : callable, optional
        Gets a trial, returns how wide packs of its kind are at most; `WIDTH` if not given. The number
        of packs is rounded up to a multiple of `workers` where there are trials enough, so that no
        worker idles at the end.

    Returns
    -------
    list of lists of Trial
        Every trial once, in order; each pack of one static setting.
    """
    groups = [list(same) for _, same in groupby(sorted(trials, key=_static_key), key=_static_key)]
    counts = [math.ceil(len(members) / width(members[0])) for members in groups]
    while sum(counts) % workers:
        # Divide where the packs are widest.
        wide = max(range(len(groups)), key=lambda i: len(groups[i]) / counts[i])
        if counts[wide] == len(groups[wide]):
            break
        counts[wide] += 1
    gathered = []
    for members, count in zip(groups, counts, strict=True):
        gathered += _cut(members, count)
    return gathered


def parts(trials: Sequence[Trial], most: int | None) -> list[list[Trial]]:
    """Return trials in nearly equal parts that are no wider than told; whole where nothing is told."""
    return _cut(trials, 1 if most is None else math.ceil(len(trials) / most))


def _cut(trials: Sequence[Trial], count: int) -> list[list[Trial]]:
    edges = [len(trials) * i // count for i in range(count + 1)]
    return [list(trials[a:b]) for a, b in pairwise(edges)]


def _static_key(trial: Trial) -> str:
    return repr(trial.static)
