"""What varies in a study, as an ordered list of trials."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from grad_ext.errors import InputError
from grad_ext.trial import Settings, Trial, checked_lambda

# The range of the paper's Figure 2, in the 1-2-5 series of a log axis.
LAMBDAS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
SEEDS = 10


def parse_lambdas(text: str) -> tuple[float, ...]:
    """Return the λ in a comma-separated list.

    Raises
    ------
    InputError
        If the list is empty, or one of them is not a number of at least 0.
    """
    values = tuple(checked_lambda(part.strip()) for part in text.split(",") if part.strip())
    if not values:
        raise InputError(f"expected numbers separated by commas, such as 1,10,100, got {text!r}")
    return values


def lambda_grid(
    dataset: str,
    protected: Sequence[str],
    lams: Sequence[float] = LAMBDAS,
    seeds: Sequence[int] = tuple(range(SEEDS)),
    settings: Settings | None = None,
    split_seed: int = 0,
) -> list[Trial]:
    """Return a trial for every λ and seed, λ by λ in ascending order.

    Raises
    ------
    InputError
        If there is no λ or no seed.
    """
    if not lams:
        raise InputError("expected at least one lambda, got none")
    if not seeds:
        raise InputError("expected at least one seed, got none")
    return [
        Trial(dataset, tuple(protected), lam, seed, split_seed, settings or Settings())
        for lam, seed in product(sorted(set(lams)), sorted(set(seeds)))
    ]
