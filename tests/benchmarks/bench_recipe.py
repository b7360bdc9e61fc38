"""Milliseconds a step and model of both recipes, alone and in a pack: the least of many rounds."""

import time

import torch

from grad_ext.engine.batches import one_thread
from grad_ext.engine.network import Network
from grad_ext.engine.shape import Shape
from grad_ext.outputs import Binary
from grad_ext.training.settings import RECIPES, Settings
from grad_ext.training.targets import Targets
from grad_ext.training.trainer import Trainer

FEATURES, STEPS = 101, 8
ROUNDS = {1: 100, 16: 20}
RATES = "steady without dropout"


def trainer(settings, members):
    """Return a call that takes a pack of the paper's network through a few minibatches."""
    rows = STEPS * settings.batch_size
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(rows, FEATURES, generator=generator)
    labels = [torch.randint(0, 2, (rows,), generator=generator).float() for _ in range(2)]
    targets = Targets(labels, torch.ones(2, rows))
    attributes = (Binary("a"),)
    network = Network(Shape(FEATURES, (40, 40), (40, 40), attributes=attributes), range(members))
    training = Trainer(network, [(100.0,)] * members, range(members), settings, steps=10**6)
    return lambda: training.epoch(X, targets)


def main():
    for batch_size in (128, 256):
        compared = {name: Settings(recipe=name, batch_size=batch_size) for name in RECIPES}
        compared[RATES] = Settings(recipe="steady", batch_size=batch_size, dropout=0.0)
        for members, rounds in ROUNDS.items():
            calls = {name: trainer(chosen, members) for name, chosen in compared.items()}
            least = dict.fromkeys(calls, float("inf"))
            with one_thread():
                for _ in range(rounds):
                    for name, call in calls.items():
                        start = time.perf_counter()
                        call()
                        seconds = (time.perf_counter() - start) / STEPS / members
                        least[name] = min(least[name], seconds)
            said = ", ".join(f"{name} {1000 * s:.2f} ms" for name, s in least.items())
            print(f"{batch_size} rows, {members} members: {said}", flush=True)


if __name__ == "__main__":
    main()
