"""Studies of λ and seeds: packs against one Ray Tune trial a model, in one run.

The λ study on German credit, 110 models, and 32 models on Adult in minibatches of 128.

The second side is what a user of Ray Tune would write: a plain torch model (the tests' oracle), an
ordinary loop, a trial for each λ and seed, no reuse of actors. Same rows, same settings, same
number of epochs and minibatches; each side starts and ends processes of its own.
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

from grad_ext import StudyPlan
from grad_ext.engine.batches import minibatches
from grad_ext.sweeps.run.cluster import OBJECT_STORE_BYTES
from grad_ext.sweeps.run.resources import available_cpus


def opened(study, folder):
    return StudyPlan("lambda", out=folder, **study).open()


def packs(study, encoded, trials):
    with tempfile.TemporaryDirectory() as folder:
        there = opened(study, folder)
        assert list(there.trials) == trials
        there.run()
        assert not there.missing()


def plain(study, encoded, trials):
    import ray
    from ray import tune

    settings = trials[0].settings

    def train_one(config, encoded):
        torch.manual_seed(config["seed"])
        training, validation = encoded.training, encoded.validation
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
                tune.with_resources(tune.with_parameters(train_one, encoded=encoded), {"cpu": 1}),
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


STUDIES = (
    {"settings": {"recipe": "paper"}},
    {
        "dataset": "adult",
        "protected": ["sex"],
        "set": {"lam": [1.0, 10.0, 100.0, 1000.0]},
        "seeds": 8,
        "settings": {"recipe": "paper", "batch_size": 128},
    },
)


def main():
    for study in STUDIES:
        with tempfile.TemporaryDirectory() as folder:
            there = opened(study, folder)
        trials = list(there.trials)
        encoded = there.encode(trials[0])
        seconds = {}
        for name, side in (("packs", packs), ("one trial a model", plain)):
            start = time.perf_counter()
            side(study, encoded, trials)
            seconds[name] = time.perf_counter() - start
            print(
                f"{len(trials)} models on {trials[0].dataset}, {name}: {seconds[name]:.1f} s",
                flush=True,
            )
        print(f"ratio: {seconds['one trial a model'] / seconds['packs']:.1f}", flush=True)


if __name__ == "__main__":
    main()
