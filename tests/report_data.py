"""Records, comparisons and reproductions with known metrics, for the tests of reports."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

DEFAULTS = Settings()


def record(
    lam, seed, accuracy=0.75, discrimination=0.1, constant=False, diverged=False, name="age",
    settings=DEFAULTS,
):  # fmt: skip
    metrics = {
        "accuracy": accuracy,
        "balanced_accuracy": 0.5 if constant else 0.65,
        "discrimination": discrimination,
        "delta": accuracy - discrimination,
        "consistency": 1.0 if constant else 0.8,
        "positive_rate": 0.8,
        "majority_accuracy": 0.7,
        "majority_favorable": 1.0,
        "chance_level": 0.05,
    }
    if diverged:
        metrics |= {n: np.nan for n in metrics if not n.startswith("majority")}
    return Record(
        Trial("german", (name,), lam, seed, settings=settings), metrics, 7, constant, diverged, 0.1
    )


def study(curve, seeds=4, noise=0.0):
    """Return records whose accuracy over λ follows a curve, with alternating noise over seeds."""
    return [
        record(lam, seed, accuracy=value + noise * (-1) ** seed)
        for lam, value in curve.items()
        for seed in range(seeds)
    ]


def model(method, seed=0, accuracy=0.8, discrimination=0.1, **other):
    """Return a row of a comparison, with a hyperparameter at 0 unless given otherwise."""
    constant = other.get("constant", False)
    row = {
        "dataset": "german",
        "method": method,
        "title": method.upper(),
        "hyperparameter": "beta",
        "lam": 0.0,
        "seed": seed,
        "split_seed": 0,
        "variant": "pred",
        "recipe": "paper",
        "protected": "age",
        "accuracy": accuracy,
        "balanced_accuracy": 0.5 if constant else accuracy - 0.1,
        "discrimination": discrimination,
        "discrimination_age": discrimination,
        "delta": accuracy - discrimination,
        "balanced_delta": (0.5 if constant else accuracy - 0.1) - discrimination,
        "consistency": 1.0 if constant else 0.8,
        "positive_rate": 1.0 if constant else 0.7,
        "majority_accuracy": 0.7,
        "majority_favorable": 1.0,
        "chance_level": 0.0 if constant else 0.05,
        "statistical_parity_difference_age": -discrimination,
        "disparate_impact_age": 1.0 - discrimination,
        "constant": False,
        "diverged": False,
        "seconds": 2.0,
        "predict_seconds": 0.01,
        "peak_bytes": 3e8,
        "error": "",
        "needs_attributes": False,
        "seeded": True,
        "chosen": True,
        "default": False,
    }
    return row | other


def failed(method, seed=0, error="fairlearn is not installed", **other):
    """Return a row of a comparison whose fit failed."""
    metrics = [n for n, v in model(method).items() if isinstance(v, float) and n != "lam"]
    return model(method, seed) | dict.fromkeys(metrics, np.nan) | {"error": error} | other


def frame(*rows):
    return pd.DataFrame(rows)


def pair(method, accuracy, discrimination, spread=0.0, **other):
    """Return two models around a mean; their interval is 12.706 · spread to each side."""
    return [
        model(method, 0, accuracy - spread, discrimination - spread, **other),
        model(method, 1, accuracy + spread, discrimination + spread, **other),
    ]


def reproduced(**changes):
    """Return two seeds of NN-Pred and GRAD-Pred with metrics that are easy to follow."""
    rows = []
    for name, shift in (("NN-Pred", 0.0), ("GRAD-Pred", 0.1)):
        for seed in (0, 1):
            metrics = {
                "accuracy": 0.8 - shift,
                "delta": 0.6 + shift + 0.01 * seed * shift,
                "discrimination": 0.2 - shift,
                "consistency": 0.9,
            }
            rows.append(
                {
                    "dataset": "adult",
                    "attributes": "sex",
                    "recipe": "paper",
                    "variant": "pred",
                    "algorithm": name,
                    "seed": seed,
                    "split_seed": 0,
                    "lam": shift * 1000,
                    "balanced_accuracy": 0.7,
                    "majority_accuracy": 0.75431,
                    "majority_favorable": 0.0,
                    "positive_rate": 0.2,
                    "chance_level": 0.005,
                    "constant": name == "GRAD-Pred" and seed == 0,
                    "diverged": False,
                    **metrics,
                    **{f"{m}@score": v + 0.01 for m, v in metrics.items()},
                    **changes,
                }
            )
    return pd.DataFrame(rows)


class Html(HTMLParser):
    """The tags, links and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [v for n, v in attributes if n in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.texts.append(data)
