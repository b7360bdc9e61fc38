"""What a model costs: GRAD in a pack of 16 beside the toolkits' adversarial methods, on Adult.

The same rows, epochs and batch size, in one run. GRAD's pack has one thread; theirs may use every
core. The process that TensorFlow runs in, and its start, are not counted: the time of one model is
that of three less that of one, halved.
"""

import time
import warnings

from grad_ext import load_dataset
from grad_ext.adapters.aif360.adversarial import adversarial_debiasing
from grad_ext.adapters.fairlearn import adversarial
from grad_ext.data.split import split
from grad_ext.evaluate import prepare
from grad_ext.method import GRAD
from grad_ext.trial import RECIPES, Settings, Trial

EPOCHS, BATCH, PACK = 3, 128, 16


def seconds(method, settings, problem, models):
    trials = [Trial("adult", ("sex",), 0.1, seed, settings=settings) for seed in range(models)]
    start = time.perf_counter()
    method.fit(trials, problem.training, problem.validation)
    return time.perf_counter() - start


def main():
    warnings.simplefilter("ignore")
    rows = split(load_dataset("adult", ["sex"]))
    packs = {r: Settings(recipe=r, epochs=EPOCHS, batch_size=BATCH) for r in RECIPES}
    rivals = {
        "AdversarialDebiasing (AIF360)": adversarial_debiasing(EPOCHS, BATCH),
        "AdversarialFairnessClassifier (Fairlearn)": adversarial(epochs=EPOCHS, batch_size=BATCH),
        "the same with two hidden layers": adversarial(
            (40, "relu", 40, "relu"), (40, "relu", 40, "relu"), EPOCHS, BATCH
        ),
    }
    for recipe, settings in packs.items():
        problem = prepare(rows, settings)
        seconds(GRAD(), settings, problem, 1)  # what is imported on first use
        ours = seconds(GRAD(), settings, problem, PACK) / PACK
        print(
            f"GRAD-Pred, {recipe} recipe, {EPOCHS} epochs of {len(problem.training.y):,} rows and "
            f"{problem.training.X.shape[1]} columns, batch {BATCH}: {ours:.2f} s a model",
            flush=True,
        )
        for name, method in rivals.items():
            one, three = (seconds(method, settings, problem, models) for models in (1, 3))
            theirs = (three - one) / 2
            print(f"  {name}: {theirs:.2f} s, {theirs / ours:.1f} times as long", flush=True)


if __name__ == "__main__":
    main()
