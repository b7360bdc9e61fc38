"""
One model's epochs
==================

An adversarial game need not settle. The record of a model holds its figures on the validation rows after every
epoch, which shows whether the epoch that was kept is one of many alike or a lucky one.
"""

import matplotlib.pyplot as plt

from grad_ext import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import evaluate, prepare
from grad_ext.method import GRAD
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

table = split(load_dataset("german", protected=["age"]))
records = {}
for recipe in ("paper", "steady"):
    settings = Settings(recipe=recipe)
    trial = Trial("german", ("age",), 100.0, seed=0, settings=settings)
    [records[recipe]] = evaluate(GRAD(), [trial], prepare(table, settings))

# %%
# Dashed: the epoch whose weights were kept, by the recipe's rule.

figure, panels = plt.subplots(2, 1, sharex=True, figsize=(7, 6), layout="constrained")
for recipe, record in records.items():
    for axes, name in zip(panels, ("balanced_accuracy", "discrimination"), strict=True):
        epochs = range(1, len(record.history[name]) + 1)
        (line,) = axes.plot(epochs, record.history[name], label=f"{recipe} recipe")
        axes.axvline(record.epoch, color=line.get_color(), linestyle="--", linewidth=1)
        axes.set_ylabel(name.replace("_", " ").capitalize() + ", validation rows")
panels[0].axhline(0.5, color="grey", linewidth=1, label="a constant prediction")
panels[0].legend()
panels[1].set_xlabel("Epoch")

# %%
# On the test rows:

for recipe, record in records.items():
    found = record.metrics
    print(
        f"{recipe}: epoch {record.epoch}, accuracy {found['accuracy']:.3f} (majority class "
        f"{found['majority_accuracy']:.3f}), balanced accuracy {found['balanced_accuracy']:.3f}, "
        f"Discrimination {found['discrimination']:.3f} (chance level {found['chance_level']:.3f})"
    )
