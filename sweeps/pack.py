"""Trials gathered into packs: models of one shape that are trained as one tensor program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from grad_ext.errors import InputError
from grad_ext.trial import Trial

# Beyond this a wider pack saves nothing more per model on a CPU (docs/packs.md).
WIDTH = 16


def checked_size(size: int | None) -> int:
    """Return the width of the widest pack, `WIDTH` if not given.

    Raises
    ------
    InputError
        If it is less than 1.
    """
    if size is not None and size < 1:
        raise InputError(f"a pack needs at least one model, got {size}")
    return size or WIDTH


def packs(trials: Sequence[Trial], workers: int, size: int | None = None) -> list[list[Trial]]:
    """Gather trials into packs.

    Parameters
    ----------
    trials : sequence of Trial
        What is to be trained.
    workers : int
        How many packs run side by side.
    size : int, optional
        Widest pack; `WIDTH` if not given. The number of packs is rounded up to a multiple of
        `workers` where there are trials enough, so that no worker idles at the end.

    Returns
    -------
    list of lists of Trial
        Every trial once, in order; each pack of one static setting.

    Raises
    ------
    InputError
        If `size` is less than 1.
    """
    width = checked_size(size)
    groups = [list(same) for _, same in groupby(sorted(trials, key=_static_key), key=_static_key)]
    counts = [math.ceil(len(members) / width) for members in groups]
    while sum(counts) % workers:
        # Divide where the packs are widest.
        wide = max(range(len(groups)), key=lambda i: len(groups[i]) / counts[i])
        if counts[wide] == len(groups[wide]):
            break
        counts[wide] += 1
    gathered = []
    for members, count in zip(groups, counts, strict=True):
        edges = [len(members) * i // count for i in range(count + 1)]
        gathered += [members[a:b] for a, b in pairwise(edges)]
    return gathered


def _static_key(trial: Trial) -> str:
    return repr(trial.static)
