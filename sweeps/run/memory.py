"""How much memory packs take, and what is done when it runs out."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from grad_ext.data.encoding import Arrays
from grad_ext.engine.batches import minibatches
from grad_ext.engine.network import SCORE_ROWS
from grad_ext.files import write_atomically
from grad_ext.sweeps.run.packs import parts
from grad_ext.training.loop import shape_of
from grad_ext.trial import Record, Trial, fingerprint

WIDTHS = "widths.json"
# What a number takes in bytes.
FLOAT, WHOLE = 4, 8
# Copies of the parameters: themselves, gradients, Adam's two means and its step, the best epoch's.
COPIES = 6
# Tensors that a step holds for every unit and row of a minibatch: product, normalised, rectified,
# mask and masked, their gradients, and what the masks are drawn from.
HELD = 12
# Share of the free memory that packs are planned for; the rest is for what is not counted here.
PLANNED = 0.8


def model_bytes(trial: Trial, training: Arrays) -> int:
    """Return about how much memory (bytes) training takes for each model of a pack.

    Parameters
    ----------
    trial : Trial
        Of the pack.
    training : Arrays
        The rows it learns from.
    """
    shape = shape_of(trial.settings, training.only(trial.protected), trial.reversing)
    parameters = sum(math.prod(size) for size in shape.parameters().values())
    rows, features = training.X.shape
    batch = max(p.stop - p.start for p in minibatches(rows, trial.settings.batch_size))
    units = sum(shape.trunk) + len(shape.stacked) * sum(shape.branch) + sum(shape.head_sizes)
    step = batch * (HELD * units + 2 * features)
    # Scores of a block of rows, a layer's input and output, and of all rows of the validation part,
    # of which there are fewer than of these.
    scoring = SCORE_ROWS * 2 * max(shape.trunk + shape.branch) + rows * shape.target.outputs
    return int(FLOAT * (COPIES * parameters + step + scoring) + WHOLE * rows)


def roomy(free: float, trial: Trial, training: Arrays) -> int:
    """Return how many models of a trial's kind a pack can have in a free memory (bytes)."""
    return max(1, int(PLANNED * free / model_bytes(trial, training)))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, of a GPU or of the machine.

    Or one that came up while that was dealt with, as where a GPU's record is broken off.
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # torch raises nothing more telling where the machine's own memory runs out.
    if isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error):
        return True
    return error.__context__ is not None and is_out_of_memory(error.__context__)


def release() -> None:
    """Give back what a failed pack held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class Widths:
    """The widest packs that memory allowed in a study, learned from those that it did not.

    Kept in the study's folder, so that other workers and later runs do not find out again.

    Parameters
    ----------
    folder : pathlib.Path or None
        The study's; nothing is kept beyond this process where it is None or cannot be written to.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / WIDTHS
        self._own: dict[str, int] = {}

    def most(self, trial: Trial, device: str) -> int | None:
        """Return how wide packs of a trial's kind may be on a device; None if nothing is known."""
        return self._known().get(_kind(trial, device))

    def learn(self, trial: Trial, device: str, width: int) -> None:
        """Keep how wide they may be, if that is less than was known."""
        kind = _kind(trial, device)
        self._own[kind] = min(width, self._known().get(kind, width))
        if self._path is not None:
            # On a node that does not reach the folder, it is known to this process alone.
            with suppress(OSError):
                write_atomically(self._path, json.dumps(self._known(), indent=1) + "\n")

    def _known(self) -> dict[str, int]:
        stored: Mapping[str, Any] = {}
        if self._path is not None:
            with suppress(OSError, ValueError):
                stored = dict(json.loads(self._path.read_text()))
        known = {name: int(width) for name, width in stored.items() if isinstance(width, int)}
        return known | {n: min(w, known.get(n, w)) for n, w in self._own.items()}


def fitting(
    trials: Sequence[Trial],
    device: str,
    widths: Widths,
    train: Callable[[Sequence[Trial]], list[Record]],
) -> Iterator[list[Record]]:
    """Train a pack, in parts where memory does not allow the whole, and yield each part's records.

    Where memory runs out a part is halved and tried again, and the width learned.

    Parameters
    ----------
    trials : sequence of Trial
        The pack.
    device : str
        Where it is trained.
    widths : Widths
        What is known, and what is learned.
    train : callable
        Trains some of the trials together.
    """
    waiting = parts(trials, widths.most(trials[0], device))
    while waiting:
        part = waiting.pop(0)
        records = _tried(train, part)
        if records is None:
            # Here nothing refers to what the failed part held any more.
            release()
            half = -(-len(part) // 2)
            widths.learn(part[0], device, half)
            waiting = [*parts(part, half), *waiting]
        else:
            yield records


def _tried(
    train: Callable[[Sequence[Trial]], list[Record]], trials: Sequence[Trial]
) -> list[Record] | None:
    """Return the records of a pack, or None where memory ran out and it can be halved."""
    try:
        return train(trials)
    except (MemoryError, RuntimeError) as error:
        if len(trials) == 1 or not is_out_of_memory(error):
            raise
        return None


def _kind(trial: Trial, device: str) -> str:
    return fingerprint([device, repr(trial.static)])
