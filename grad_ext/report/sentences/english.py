"""The sentence of a finding by its class, and the parts of sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import singledispatch
from math import isnan

from grad_ext.metrics.registry import METRICS
from grad_ext.report.findings.base import Finding
from grad_ext.report.statistics.intervals import Interval

ONE_SPLIT = (
    "use the same train/test split, so the error bars do not include split-to-split variance."
)
# Names or values that a sentence lists at most.
MOST_LISTED = 5
METRIC_NAMES = {name: metric.label for name, metric in METRICS.items()}


@singledispatch
def sentence(finding: Finding) -> str:
    """Return a finding as a sentence or two.

    Raises
    ------
    TypeError
        If no sentence is registered for the finding's class.
    """
    raise TypeError(f"no sentence is registered for {type(finding).__name__}")


def register_text(finding: type[Finding], text: str) -> None:
    """Register the sentence of a finding without values."""
    sentence.register(finding, lambda _: text)


def are_constant(constant: int, models: int) -> str:
    """Return how many of some models are constant, such as "1 of 10 models is constant"."""
    return f"{constant} of {models} models {'is' if constant == 1 else 'are'} constant"


def count(n: int, noun: str) -> str:
    """Return a number of things, such as "1 model" or "2 models"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listed(names: Iterable[str], most: int | None = None) -> str:
    """Return names as a list within a sentence; those beyond `most` are counted."""
    names = list(names)
    if most is not None and len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def signed(interval: Interval) -> str:
    """Return a difference with its interval in brackets, if it has one."""
    estimate, low, high = interval
    ends = "" if isnan(low) else f" ({low:+.3f} to {high:+.3f})"
    return f"{estimate:+.3f}{ends}"


def differences(metrics: Mapping[str, Interval]) -> str:
    """Return the difference of each metric, with its interval."""
    return ", ".join(f"{METRIC_NAMES[name]} {signed(moved)}" for name, moved in metrics.items())


def marked(name: str, needs_attributes: bool) -> str:
    """Return a method's name, marked if it needs the protected attributes for prediction."""
    return f"{name} †" if needs_attributes else name
