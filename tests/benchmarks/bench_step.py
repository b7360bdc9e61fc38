"""A pack's step against its matrix products alone, on one thread: what all else costs.

The network of the paper on 103 features, two attribute-sized branches, minibatches of 128 rows; the
step is forward, backward and Adam.
"""

import statistics
import time

import torch

from grad_ext.engine.batches import one_thread
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.outputs import Binary
from grad_ext.training.settings import Settings
from grad_ext.training.targets import Targets
from grad_ext.training.trainer import Trainer

FEATURES, UNITS, BATCH = 103, 40, 128
STEPS = 40
ROUNDS = 15


def step_of(members):
    """Return a call that takes a pack through some minibatches."""
    rows = STEPS * BATCH
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(rows, FEATURES, generator=draw)
    labels = [torch.randint(0, 2, (rows,), generator=draw).float() for _ in range(2)]
    targets = Targets(labels, torch.ones(2, rows))
    shape = Shape(FEATURES, (UNITS, UNITS), (UNITS, UNITS), attributes=(Binary("a"),))
    settings = Settings(recipe="paper", batch_size=BATCH)
    network = Network(shape, range(members))
    training = Trainer(network, [(100.0,)] * members, range(members), settings, steps=10**6)
    order = torch.stack([torch.randperm(rows, generator=draw) for _ in range(members)])
    total = torch.zeros(members, 2)

    def call():
        for i in range(STEPS):
            training.step(X, targets, order[:, i * BATCH : (i + 1) * BATCH], total)

    return call


def products_of(members):
    """Return a call that does the matrix products of as many steps, and nothing else."""
    layers = [
        (members, UNITS, FEATURES),
        (members, UNITS, UNITS),
        (members, 2 * UNITS, UNITS),
        (2 * members, UNITS, UNITS),
        (2 * members, 1, UNITS),
    ]
    draw = torch.Generator().manual_seed(0)
    made = []
    for i, (pack, outputs, inputs) in enumerate(layers):
        weight = torch.randn(pack, outputs, inputs, generator=draw)
        h = torch.randn(pack, inputs, BATCH, generator=draw)
        # Features lie row by row.
        h = h.transpose(1, 2).contiguous().transpose(1, 2) if i == 0 else h
        made.append((weight, h, torch.randn(pack, outputs, BATCH, generator=draw)))

    def call():
        for _ in range(STEPS):
            for i, (weight, h, above) in enumerate(made):
                torch.bmm(weight, h)
                torch.bmm(above, h.transpose(1, 2))
                if i:
                    torch.bmm(weight.transpose(1, 2), above)

    return call


def main():
    with one_thread():
        for members in (1, 16, 64):
            calls = {"step": step_of(members), "products": products_of(members)}
            ratios, least = [], dict.fromkeys(calls, float("inf"))
            for _ in range(ROUNDS):
                taken = {}
                for name, call in calls.items():
                    start = time.perf_counter()
                    call()
                    taken[name] = time.perf_counter() - start
                    least[name] = min(least[name], taken[name])
                ratios.append(taken["step"] / taken["products"])
            each = {name: 1000 * seconds / STEPS / members for name, seconds in least.items()}
            print(
                f"{members} members: {each['step']:.3f} ms a step and model, products alone "
                f"{each['products']:.3f}; {statistics.median(ratios):.2f} times "
                f"({min(ratios):.2f} to {max(ratios):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
