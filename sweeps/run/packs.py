"""Packs: trials of one shape that are trained as one tensor program."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

from grad_ext.trial import Trial

# On a CPU wider packs save no more time per model (docs/packs.md).
WIDTH = 16


def packs(
    trials: Sequence[Trial], workers: int, width: Callable[[Trial], int] = lambda trial: WIDTH
) -> list[list[Trial]]:
    """Gather trials into packs.

    Parameters
    ----------
    trials : sequence of Trial
        The trials to train.
    workers : int
        How many packs run side by side.
    width : callable, optional
        Gets a trial, returns the widest pack of its settings; `WIDTH` if not given. The number of
        packs is rounded up to a multiple of `workers` if there are enough trials, so that no worker
        idles at the end.

    Returns
    -------
    list of lists of Trial
        Every trial once, in order; the trials of a pack have the same static settings.
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
        gathered += divide(members, count)
    return gathered


def parts(trials: Sequence[Trial], most: int | None) -> list[list[Trial]]:
    """Divide trials into nearly equal parts of at most `most` trials; one part if `most` is None."""
    return divide(trials, 1 if most is None else math.ceil(len(trials) / most))


def divide(trials: Sequence[Trial], count: int) -> list[list[Trial]]:
    """Divide trials into a number of nearly equal parts."""
    edges = [len(trials) * i // count for i in range(count + 1)]
    return [list(trials[a:b]) for a, b in pairwise(edges)]


def _static_key(trial: Trial) -> str:
    return repr(trial.static)
