"""What the default recipe reaches: the figures of the README and of docs/frontier.md.

    python tests/benchmarks/measure_frontier.py
    python tests/benchmarks/measure_frontier.py adult german --lam 10 --recipe paper

Figures of rows that chose nothing, mean and standard deviation over models: Adult's own test part, ten
seeds; German's rows, each predicted by the model of the four folds that it is not in, ten repeats;
Diabetes' test rows, two seeds on each of five divisions. Diabetes is downloaded unless its files lie in
the folder that GRAD_EXT_DATA_DIR names.
"""

import argparse
import warnings

import numpy as np
from sklearn.model_selection import StratifiedKFold

from grad_ext import (
    accuracy,
    balanced_accuracy,
    chance_level,
    discrimination,
    load_dataset,
)
from grad_ext.data.encoding import Encoder, arrays
from grad_ext.data.split import split, strata
from grad_ext.errors import ConstantPredictionWarning
from grad_ext.evaluation import evaluate, prepare
from grad_ext.method import GRAD
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

FOLDS, REPEATS = 5, 10
# Name: data set, protected attributes, divisions of the rows, seeds on each.
MEASURED = {
    "adult": ("adult", ("sex",), 1, 10),
    "adult-both": ("adult", ("sex", "race"), 1, 10),
    "diabetes": ("diabetes", ("race", "gender"), 5, 2),
}


def tested(name, lam, settings):
    """Return accuracy, balanced accuracy and Discriminations on test rows, a row a model."""
    dataset, protected, divisions, seeds = MEASURED[name]
    table = load_dataset(dataset, protected).known()
    rows = []
    for at in range(divisions):
        trials = [Trial(dataset, protected, lam, seed, at, settings) for seed in range(seeds)]
        for record in evaluate(GRAD(), trials, prepare(split(table, at), settings)):
            of = record.metrics
            gaps = [of[f"discrimination_{attribute}"] for attribute in protected]
            rows.append([of["accuracy"], of["balanced_accuracy"], *gaps])
    return protected, np.array(rows)


def pooled(lam, settings):
    """Return the same of German's rows, each predicted by a model that has not seen it."""
    table = load_dataset("german", ["age"])
    y, a, rows, floors = table.y().astype(float), table.a(), [], []
    for repeat in range(REPEATS):
        favorable = np.zeros(len(y))
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=1000 + repeat)
        for fold, (rest, held) in enumerate(folds.split(np.zeros(len(y)), strata(table))):
            encoder = Encoder(settings.encoding).fit(table.take(rest).inputs())
            training, test = (arrays(table.take(part), encoder) for part in (rest, held))
            trial = Trial("german", ("age",), lam, FOLDS * repeat + fold, settings=settings)
            favorable[held] = GRAD().fit([trial], training, test).scores(test.X)[0, 0] >= 0.5
        gap = discrimination(y, favorable, sensitive_features=a)
        rows.append([accuracy(y, favorable), balanced_accuracy(y, favorable), gap])
        floors.append(float(np.mean(chance_level(favorable.mean(), a))))
    print(f"german: chance alone shows a Discrimination of {np.mean(floors):.4f}")
    return ("age",), np.array(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*MEASURED, "german"])
    parser.add_argument("--lam", type=float, default=100.0)
    parser.add_argument("--recipe", default=Settings.recipe)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConstantPredictionWarning)
    settings = Settings(recipe=given.recipe)
    for name in given.names:
        found = (
            pooled(given.lam, settings) if name == "german" else tested(name, given.lam, settings)
        )
        protected, rows = found
        # Delta takes the mean over attributes.
        rows = np.column_stack([rows, rows[:, 0] - rows[:, 2:].mean(axis=1)])
        names = [
            "accuracy",
            "balanced accuracy",
            *(f"Discrimination {p}" for p in protected),
            "Delta",
        ]
        figures = ", ".join(
            f"{n} {mean:.4f} ± {sd:.4f}"
            for n, mean, sd in zip(names, rows.mean(0), rows.std(0, ddof=1), strict=True)
        )
        print(f"{name}, λ = {given.lam:g}, {len(rows)} models: {figures}", flush=True)


if __name__ == "__main__":
    main()
