"""The one training loop.

The loss is the paper's (GRAD, section 2): the target's logistic loss plus λ times the sum of the
attributes', whose gradient is reversed on its way into the trunk; Adam. Members never couple: the
losses are summed over the pack, nothing is clipped or stopped across it, and every member has its
own order of rows. A member that diverges to nan harms nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from grad_ext.encode import Arrays
from grad_ext.metrics import (
    accuracy,
    balanced_accuracy,
    discrimination_by_attribute,
    positive_rate,
)
from grad_ext.network import ROW_STEP, Network, Shape, sigmoid
from grad_ext.seeds import torch_generator
from grad_ext.select import History, Rule, best_epoch
from grad_ext.trial import Settings

Floats = NDArray[np.float64]


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch's operators on one thread inside the block.

    The network's operators are too small to share out, and a loop that is cut in two rounds
    elsewhere: studies use further cores by training packs side by side.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Adam:
    """torch's fused Adam over one flat buffer.

    Through its functional form: constructing torch.optim.Adam loads torch's compiler, which takes
    longer than a small study's fit.
    """

    def __init__(self, flat: Tensor, rate: float) -> None:
        self._flat, self._rate = flat, rate
        self._mean, self._square = torch.zeros_like(flat), torch.zeros_like(flat)
        self._steps = torch.tensor(0.0)

    def step(self) -> None:
        assert self._flat.grad is not None
        adam(
            [self._flat],
            [self._flat.grad],
            [self._mean],
            [self._square],
            [],
            [self._steps],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self._rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


def minibatches(rows: int, batch_size: int) -> list[slice]:
    """Deal an epoch's rows into minibatches of nearly equal size.

    Every minibatch is a multiple of `ROW_STEP` rows, as `Network.logits` wants it; the at most
    ROW_STEP - 1 rows that are left over sit out one epoch, others the next. Fewer rows than that
    make a single minibatch.
    """
    if rows < ROW_STEP:
        return [slice(0, rows)]
    units = rows // ROW_STEP
    count = min(units, max(1, round(units * ROW_STEP / batch_size)))
    edges = [units * i // count * ROW_STEP for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def train(
    network: Network,
    lams: Sequence[float],
    seeds: Sequence[int],
    training: Arrays,
    validation: Arrays,
    settings: Settings,
    rule: Rule,
    on_epoch: Callable[[int], None] | None = None,
) -> tuple[Network, History, NDArray[np.intp]]:
    """Train every member of a pack and keep each one's best epoch.

    Parameters
    ----------
    network : Network
        P members with their initial weights; left with the last epoch's.
    lams, seeds : sequences of length P
        λ of each member, and the seed of its row order.
    training, validation : Arrays
        Rows to learn from, and rows by which the epoch is chosen.
    settings : Settings
        Epochs, minibatches and rates, shared by the pack.
    rule : callable
        Which epoch to keep, see `grad_ext.select`.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.

    Returns
    -------
    best : Network
        The weights of each member's best epoch.
    history : History
        Every epoch's figures.
    epochs : array of shape (P,)
        The epochs kept, counted from 0.
    """
    dtype = network.flat.dtype
    X = torch.tensor(training.X, dtype=dtype)
    valid_X = torch.tensor(validation.X, dtype=dtype)
    # Branch targets, the label's first: (M, N).
    columns = training.a.T if network.shape.attributes else training.a.T[:0]
    goals = torch.tensor(np.vstack([training.y[None], columns]), dtype=dtype)
    weights = torch.tensor(training.w / training.w.mean(), dtype=dtype)
    # λ multiplies the attribute branches' losses, so their own updates too: (P, M, 1).
    strength = torch.ones(network.members, len(goals), 1, dtype=dtype)
    strength[:, 1:] = torch.tensor(list(lams), dtype=dtype)[:, None, None]
    orders = [torch_generator(seed, "rows") for seed in seeds]
    optimiser = _Adam(network.flat, settings.learning_rate)
    slices = minibatches(len(X), settings.batch_size)

    best = Network(network.shape, seeds, dtype)
    losses: list[Floats] = []
    figures: list[dict[str, Floats]] = []
    with one_thread():
        for epoch in range(settings.epochs):
            order = torch.stack([torch.randperm(len(X), generator=g) for g in orders])
            losses.append(_epoch(network, optimiser, X, goals, weights, strength, order, slices))
            figures.append(validate(network, valid_X, validation))
            history = _history(losses, figures)
            kept = best_epoch(history, rule)
            best.copy_members(torch.from_numpy(kept == epoch), network)
            if on_epoch is not None:
                on_epoch(epoch + 1)
    return best, history, kept


def _epoch(
    network: Network,
    optimiser: _Adam,
    X: Tensor,
    goals: Tensor,
    weights: Tensor,
    strength: Tensor,
    order: Tensor,
    slices: list[slice],
) -> Floats:
    """Take every member through its rows once; return the mean losses, shape (P, M)."""
    assert network.flat.grad is not None
    total = torch.zeros(network.members, len(goals), dtype=X.dtype)
    for rows in slices:
        index = order[:, rows].flatten()
        batch = (network.members, rows.stop - rows.start)
        logits = network.logits(X.index_select(0, index).view(*batch, -1))
        goal = goals.index_select(1, index).view(len(goals), *batch).transpose(0, 1)
        weight = weights.index_select(0, index).view(batch[0], 1, batch[1])
        with torch.no_grad():
            # The derivative of the weighted mean logistic loss by the logit.
            gradient = (sigmoid(logits) - goal) * (weight * (strength / batch[1]))
            loss = -F.logsigmoid(torch.where(goal > 0, logits, -logits)) * weight
            total += loss.sum(2)
        network.flat.grad.zero_()
        logits.backward(gradient)  # type: ignore[no-untyped-call]
        optimiser.step()
    return np.asarray((total / slices[-1].stop).numpy(), dtype=np.float64)


def validate(network: Network, X: Tensor, arrays: Arrays) -> dict[str, Floats]:
    """Return each member's figures on validation rows, by predicted labels; nan if it diverged."""
    scores = network.scores(X)
    labels = (scores >= 0.5).numpy()
    figures = {
        "accuracy": accuracy(arrays.y, labels, sample_weight=arrays.w),
        "balanced_accuracy": balanced_accuracy(arrays.y, labels, sample_weight=arrays.w),
        "positive_rate": positive_rate(labels, sample_weight=arrays.w),
        "discrimination_by_attribute": discrimination_by_attribute(
            labels, sensitive_features=arrays.a, sample_weight=arrays.w
        ),
    }
    diverged = ~torch.isfinite(scores).all(1).numpy()
    for values in figures.values():
        values[..., diverged] = np.nan
    return figures


def _history(losses: list[Floats], figures: list[dict[str, Floats]]) -> History:
    loss = np.stack(losses)
    stacked = {name: np.stack([f[name] for f in figures]) for name in figures[0]}
    return History(
        loss=loss[:, :, 0],
        attribute_loss=loss[:, :, 1:].transpose(0, 2, 1),
        discrimination=stacked["discrimination_by_attribute"].mean(axis=1),
        **stacked,
    )


def shape_of(
    settings: Settings, features: int, attributes: Sequence[str], reversing: bool
) -> Shape:
    """Return the network's sizes; without `reversing` there are no attribute branches (NN)."""
    return Shape(
        features=features,
        trunk=settings.trunk,
        branch=settings.branch,
        attributes=tuple(attributes) if reversing else (),
    )
