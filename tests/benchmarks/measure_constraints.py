"""The constraints and the toolkits' methods on the same rows and inputs: the tables of docs/constraint.md.

    python tests/benchmarks/measure_constraints.py adult --seeds 10 grad
    python tests/benchmarks/measure_constraints.py adult --seeds 3 baselines
    python tests/benchmarks/measure_constraints.py german --seeds 5 --splits 5 grad baselines

Figures of test rows, mean and standard deviation over all models. Each line is printed as soon as it
is known; names of single methods select those alone.
"""

import argparse
import warnings

import numpy as np

from grad_ext import load_dataset
from grad_ext.adapters.registry import BASELINES
from grad_ext.constraints import CONSTRAINTS, DEFAULT_CONSTRAINT
from grad_ext.data.split import split
from grad_ext.errors import ConstantPredictionWarning
from grad_ext.evaluation import evaluate, prepare
from grad_ext.method import GRAD
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

ATTRIBUTE = {"adult": "sex", "german": "age"}
FIGURES = ("accuracy", "balanced_accuracy", "discrimination")
DIFFERENCES = (
    "equalized_odds_difference",
    "equal_opportunity_difference",
    "average_odds_difference",
)
ODDS = {"constraint": "equalized_odds"}
# Name, and what it is made with.
TOOLKITS = {
    "majority": ("majority", {}),
    "logistic": ("logistic", {}),
    "reduction, parity": ("fairlearn-exponentiated-gradient", {}),
    "reduction, odds": ("fairlearn-exponentiated-gradient", ODDS),
    "aif360": ("aif360-adversarial", {}),
    "fairlearn, parity": ("fairlearn-adversarial", {}),
    "fairlearn, odds": ("fairlearn-adversarial", ODDS),
}
PLAIN = "plain"


def methods(asked):
    """Return the names to measure, those of a group for its name."""
    groups = {"grad": [PLAIN, *CONSTRAINTS], "baselines": list(TOOLKITS)}
    return [name for one in asked for name in groups.get(one, [one])]


def records(name, dataset, encoded_splits, seeds, lam):
    """Return the records of a method, a model for every split and seed."""
    protected = (ATTRIBUTE[dataset],)
    done = []
    for at, encoded in enumerate(encoded_splits):
        if name in TOOLKITS:
            key, options = TOOLKITS[name]
            baseline = BASELINES[key]
            method, hyperparameter, count = (
                baseline.method(**options),
                baseline.default,
                seeds if baseline.seeded else 1,
            )
            chosen = Settings(recipe="steady")
        else:
            method, hyperparameter, count = GRAD(), 0.0 if name == PLAIN else lam, seeds
            constraint = DEFAULT_CONSTRAINT if name == PLAIN else name
            chosen = Settings(recipe="steady", constraint=constraint)
        trials = [
            Trial(dataset, protected, hyperparameter, seed, at, chosen) for seed in range(count)
        ]
        done += evaluate(method, trials, encoded)
    return done


def line(name, done, attribute):
    """Return a row of a Markdown table."""
    columns = [*FIGURES, *(f"{difference}_{attribute}" for difference in DIFFERENCES)]
    cells = []
    for column in columns:
        values = np.array([record.metrics[column] for record in done])
        spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
        cells.append(f"{values.mean():.3f}{spread}")
    return f"| {name} | {len(done)} | {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=ATTRIBUTE)
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--lam", type=float, default=100.0)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConstantPredictionWarning)
    table = load_dataset(given.dataset, protected=[ATTRIBUTE[given.dataset]])
    steady = Settings(recipe="steady")
    encoded_splits = [prepare(split(table, at), steady) for at in range(given.splits)]
    for name in methods(given.methods):
        done = records(name, given.dataset, encoded_splits, given.seeds, given.lam)
        print(line(name, done, ATTRIBUTE[given.dataset]), flush=True)


if __name__ == "__main__":
    main()
