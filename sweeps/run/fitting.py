"""Training of packs of GRAD models, in whatever process they run in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from grad_ext.evaluation import EncodedSplit, evaluate
from grad_ext.method import GRAD
from grad_ext.sweeps.run.cluster import assigned_device
from grad_ext.sweeps.run.memory import Widths, fit_in_parts
from grad_ext.sweeps.run.packs import OnProgress, OnRecords
from grad_ext.trial import Record, Trial

# How often a pack reports its progress.
REPORTS = 10


def train_together(
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    on_records: OnRecords,
    on_progress: OnProgress,
    validation: bool = False,
    widths: Widths | None = None,
) -> None:
    """Train a pack of GRAD models as one and evaluate it, optionally on the validation rows too.

    Where memory runs out the pack is halved and tried again, and the width that fits is stored.
    """
    device, done = assigned_device(), 0

    def train(part: Sequence[Trial]) -> list[Record]:
        share = len(part) / len(trials)
        epochs = trials[0].settings.epochs
        on_epoch = partial(_report, on_progress, epochs, done / len(trials), share)
        return evaluate(GRAD(device=device), part, encoded, on_epoch, validation)

    for records in fit_in_parts(trials, device, widths or Widths(None), train):
        on_records(records)
        done += len(records)


def _report(on_progress: OnProgress, epochs: int, before: float, share: float, epoch: int) -> None:
    """Report the share of a pack's work that is done after an epoch of a part of it."""
    if epoch % max(1, epochs // REPORTS) == 0 and epoch < epochs:
        on_progress(before + share * epoch / epochs)
