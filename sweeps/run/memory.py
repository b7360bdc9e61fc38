"""The memory that packs take, and training in smaller parts when it runs out."""

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
# Bytes of a number.
FLOAT, WHOLE = 4, 8
# Copies of the parameters: the parameters, gradients, Adam's two means and its step, the best epoch's.
COPIES = 6
# Tensors that a step allocates for every unit and row of a minibatch: product, normalised, rectified,
# mask and masked, their gradients, and the random numbers of the masks.
STEP_TENSORS = 12
# Share of the free memory that packs are planned for; the rest is for what `model_bytes` omits.
PLANNED = 0.8


def model_bytes(trial: Trial, training: Arrays) -> int:
    """Estimate the memory (bytes) that training takes for each model of a pack.

    Parameters
    ----------
    trial : Trial
        Any trial of the pack.
    training : Arrays
        The training rows.
    """
    shape = shape_of(trial.settings, training.only(trial.protected), trial.reversing)
    parameters = sum(math.prod(size) for size in shape.parameters().values())
    rows, features = training.X.shape
    batch = max(p.stop - p.start for p in minibatches(rows, trial.settings.batch_size))
    units = sum(shape.trunk) + len(shape.stacked) * sum(shape.branch) + sum(shape.head_sizes)
    step = batch * (STEP_TENSORS * units + 2 * features)
    # Scores of a block of rows (a layer's input and output) and of all validation rows, of which
    # there are at most as many as training rows.
    scoring = SCORE_ROWS * 2 * max(shape.trunk + shape.branch) + rows * shape.target.outputs
    return int(FLOAT * (COPIES * parameters + step + scoring) + WHOLE * rows)


def pack_width(free: float, trial: Trial, training: Arrays) -> int:
    """Return the number of models with a trial's settings for which a pack has memory (bytes)."""
    return max(1, int(PLANNED * free / model_bytes(trial, training)))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, of a GPU or of the machine.

    The error may also be one raised while that was handled, such as an interrupted CUDA graph
    capture.
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # For the machine's own memory torch has no error class.
    if isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error):
        return True
    return error.__context__ is not None and is_out_of_memory(error.__context__)


def release() -> None:
    """Release the memory of a failed pack."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class Widths:
    """The widest packs that fit in memory, learned from packs that did not.

    They are stored in the study's folder, for other workers and later runs.

    Parameters
    ----------
    folder : pathlib.Path or None
        The study's folder. If None or not writable, widths are known to this process only.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / WIDTHS
        self._own: dict[str, int] = {}

    def most(self, trial: Trial, device: str) -> int | None:
        """Return the widest pack with a trial's settings on a device; None if none has failed."""
        return self._known().get(_kind(trial, device))

    def learn(self, trial: Trial, device: str, width: int) -> None:
        """Store the widest pack that may be tried, if it is narrower than the known one."""
        kind = _kind(trial, device)
        self._own[kind] = min(width, self._known().get(kind, width))
        if self._path is not None:
            # A node may not reach the folder; then only this process knows the width.
            with suppress(OSError):
                write_atomically(self._path, json.dumps(self._known(), indent=1) + "\n")

    def _known(self) -> dict[str, int]:
        stored: Mapping[str, Any] = {}
        if self._path is not None:
            with suppress(OSError, ValueError):
                stored = dict(json.loads(self._path.read_text()))
        known = {name: int(width) for name, width in stored.items() if isinstance(width, int)}
        return known | {n: min(w, known.get(n, w)) for n, w in self._own.items()}


def fit_in_parts(
    trials: Sequence[Trial],
    device: str,
    widths: Widths,
    train: Callable[[Sequence[Trial]], list[Record]],
) -> Iterator[list[Record]]:
    """Train a pack, in parts if memory does not allow the whole, and yield each part's records.

    Where memory runs out a part is halved and tried again, and the width is stored.

    Parameters
    ----------
    trials : sequence of Trial
        The pack.
    device : str
        The device to train on, by torch's name.
    widths : Widths
        Known widths, to which new ones are added.
    train : callable
        Trains some of the trials together.
    """
    waiting = parts(trials, widths.most(trials[0], device))
    while waiting:
        part = waiting.pop(0)
        records = _tried(train, part)
        if records is None:
            # No reference to the tensors of the failed part is left at this point.
            release()
            half = -(-len(part) // 2)
            widths.learn(part[0], device, half)
            waiting = [*parts(part, half), *waiting]
        else:
            yield records


def _tried(
    train: Callable[[Sequence[Trial]], list[Record]], trials: Sequence[Trial]
) -> list[Record] | None:
    """Return the records of a pack, or None if memory ran out and the pack can be halved."""
    try:
        return train(trials)
    except (MemoryError, RuntimeError) as error:
        if len(trials) == 1 or not is_out_of_memory(error):
            raise
        return None


def _kind(trial: Trial, device: str) -> str:
    return fingerprint([device, repr(trial.static)])
