"""What a model costs: GRAD in a pack of 16 beside the toolkits' adversarial methods, on Adult.

The same rows, epochs and batch size, medians of rounds taken in turn. GRAD's pack has one thread;
AIF360's TensorFlow may use every core. The process that it runs in, and its start, are not counted:
the time of one model is that of three less that of one, halved.
"""

import statistics
import time
import warnings

from grad_ext import load_dataset
from grad_ext.adapters.aif360.adversarial import adversarial_debiasing
from grad_ext.adapters.fairlearn import adversarial
from grad_ext.data.split import split
from grad_ext.evaluation import prepare
from grad_ext.method import GRAD
from grad_ext.training.settings import RECIPES, Settings
from grad_ext.trial import Trial

ROUNDS, EPOCHS, BATCH, PACK = 3, 5, 128, 16


def seconds(method, settings, encoded, models):
    trials = [Trial("adult", ("sex",), 0.1, seed, settings=settings) for seed in range(models)]
    start = time.perf_counter()
    method.fit(trials, encoded.training, encoded.validation)
    return time.perf_counter() - start


def main():
    warnings.simplefilter("ignore")
    rows = split(load_dataset("adult", ["sex"]))
    hidden = (40, "relu", 40, "relu")
    fairlearn = {
        "AdversarialFairnessClassifier (Fairlearn), linear": adversarial((), (), EPOCHS, BATCH),
        "the same, two hidden layers each": adversarial(hidden, hidden, EPOCHS, BATCH),
    }
    aif360 = adversarial_debiasing(EPOCHS, BATCH)
    for recipe in RECIPES:
        settings = Settings(recipe=recipe, epochs=EPOCHS, batch_size=BATCH)
        encoded = prepare(rows, settings)
        for method in (GRAD(), *fairlearn.values()):
            seconds(method, settings, encoded, 1)  # what is imported on first use
        ours, theirs = [], {name: [] for name in ("AdversarialDebiasing (AIF360)", *fairlearn)}
        for _ in range(ROUNDS):
            ours.append(seconds(GRAD(), settings, encoded, PACK) / PACK)
            one, three = (seconds(aif360, settings, encoded, models) for models in (1, 3))
            theirs["AdversarialDebiasing (AIF360)"].append((three - one) / 2)
            for name, method in fairlearn.items():
                theirs[name].append(seconds(method, settings, encoded, 1))
        print(
            f"GRAD-Pred, {recipe} recipe, {EPOCHS} epochs of {len(encoded.training.y):,} rows and "
            f"{encoded.training.X.shape[1]} columns, batch {BATCH}: "
            f"{statistics.median(ours):.2f} s a model",
            flush=True,
        )
        for name, times in theirs.items():
            ratio = statistics.median(t / o for t, o in zip(times, ours, strict=True))
            print(
                f"  {name}: {statistics.median(times):.2f} s, {ratio:.1f} times as long", flush=True
            )


if __name__ == "__main__":
    main()
