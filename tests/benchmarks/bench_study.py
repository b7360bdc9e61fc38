"""The λ study on German credit: packs against one Ray Tune trial a model, in one run.

The second side is what a user of Ray Tune would write: a plain torch model (the tests' oracle), an
ordinary loop, a trial for each λ and seed, no reuse of actors. Same rows, same settings, same
number of epochs and minibatches; each side starts and stops Ray of its own.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path

import torch

TESTS = str(Path(__file__).parents[1])
sys.path.insert(0, TESTS)

from oracle import PlainGRAD, train_steps

from grad_ext import Study
from grad_ext.sweeps.cluster import OBJECT_STORE_BYTES
from grad_ext.sweeps.resources import available_cpus
from grad_ext.train import minibatches
from grad_ext.trial import Settings


def packs(problem, trials):
    with tempfile.TemporaryDirectory() as folder:
        opened = Study("lambda", out=folder, settings={"recipe": "paper"}).open()
        assert list(opened.asked) == trials
        opened.run()
        assert not opened.study.missing()


def plain(problem, trials):
    import ray
    from ray import tune

    settings = Settings(recipe="paper")

    def train_one(config, problem):
        torch.manual_seed(config["seed"])
        training, validation = problem.training, problem.validation
        X, y, a, w = (
            torch.tensor(v, dtype=torch.float32)
            for v in (training.X, training.y, training.a, training.w)
        )
        held = torch.tensor(validation.X)
        model = PlainGRAD(X.shape[1], attributes=a.shape[1])
        optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
        slices = minibatches(len(X), settings.batch_size)
        for _ in range(settings.epochs):
            order = torch.randperm(len(X))
            train_steps(model, config["lam"], X, y, a, w, [order[s] for s in slices], optimiser)
            model.eval()
            with torch.no_grad():
                labels = model(held)[0] > 0
        tune.report({"accuracy": float((labels.numpy() == validation.y).mean())})

    ray.init(
        address="local", num_cpus=available_cpus(), include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR, object_store_memory=OBJECT_STORE_BYTES,
        runtime_env={"env_vars": {"PYTHONPATH": TESTS}},
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory() as storage:
            tuner = tune.Tuner(
                tune.with_resources(tune.with_parameters(train_one, problem=problem), {"cpu": 1}),
                param_space={
                    "lam": tune.grid_search(sorted({t.lam for t in trials})),
                    "seed": tune.grid_search(sorted({t.seed for t in trials})),
                },
                run_config=tune.RunConfig(storage_path=storage, verbose=0),
            )
            results = tuner.fit()
            assert len(results) == len(trials)
            assert not results.errors, results.errors[0]
    finally:
        ray.shutdown()


def main():
    with tempfile.TemporaryDirectory() as folder:
        opened = Study("lambda", out=folder, settings={"recipe": "paper"}).open()
    trials = list(opened.asked)
    problem = opened.problem(trials[0])
    seconds = {}
    for name, side in (("packs", packs), ("one trial a model", plain)):
        start = time.perf_counter()
        side(problem, trials)
        seconds[name] = time.perf_counter() - start
        print(f"{len(trials)} models, {name}: {seconds[name]:.1f} s", flush=True)
    print(f"ratio: {seconds['one trial a model'] / seconds['packs']:.1f}")


if __name__ == "__main__":
    main()
