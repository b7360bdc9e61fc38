"""Packs: trials of one shape that are trained as one tensor program, and how they are gathered and run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from grad_ext.evaluation import EncodedSplit
from grad_ext.trial import Record, Trial

# On a CPU wider packs save no more time per model (docs/packs.md).
WIDTH = 16

# Gets the records of a pack as they come.
OnRecords = Callable[[Sequence[Record]], None]
# Gets the share of a pack's work that is done.
OnProgress = Callable[[float], None]
# Fits a pack: gets its trials, their rows, and two callbacks for records and progress.
FitPack = Callable[[Sequence[Trial], EncodedSplit, OnRecords, OnProgress], None]
# Makes packs of trials for a number of workers.
Gather = Callable[[Sequence[Trial], int], list[list[Trial]]]


class PackFailure(NamedTuple):
    """Why a pack failed.

    Attributes
    ----------
    message : str
        The error in one line.
    again : bool
        Whether the pack may succeed if it is run once more.
    """

    message: str
    again: bool = False


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
