"""How the learning rate and the strength of the reversal change from step to step.

A schedule gets the number of steps that are done, how many there will be, and one parameter, and
returns the factor of the next step. `Settings` names the schedules and has their parameters. To add a
schedule, write a function and give it a name in `LR_SCHEDULES` or `WARMUP_SCHEDULES`: see
docs/contributors/schedule.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int, float], float]


def cosine(done: int, steps: int, final: float) -> float:
    """Return the share of the learning rate, which falls from 1 to `final` along half a cosine.

    Loshchilov and Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm Restarts".
    """
    return final + (1.0 - final) * ((1.0 + math.cos(math.pi * done / steps)) / 2.0)


def logistic(done: int, steps: int, rate: float) -> float:
    """Return the share of the reversal's strength, which grows from 0 along a logistic function.

    Ganin et al. (2016), "Domain-Adversarial Training of Neural Networks", section 5.2.2.
    """
    return 2.0 / (1.0 + math.exp(-rate * done / steps)) - 1.0


# `Settings.lr_schedule`, with `Settings.final_lr_fraction` as the parameter.
LR_SCHEDULES: dict[str, Schedule] = {"cosine": cosine}
# `Settings.warmup_schedule`, with `Settings.warmup` as the parameter.
WARMUP_SCHEDULES: dict[str, Schedule] = {"logistic": logistic}
