"""The best model within a bound on the gap between the groups: a path of λ, cross-fitted.

A pack of models, one for each λ of a path, is trained on part of the rows and judged on the others, so
that no row is judged by a model that learned from it. For each λ every threshold is a candidate. The
best candidate whose gap is within the bound, and surely so for the number of rows, is trained again on
all rows.

Cotter et al. (2019), "Training Well-Generalizing Classifiers for Fairness Metrics and Other
Data-Dependent Constraints", judge constraints on other rows than those learned from for the same
reason.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from grad_ext import checks
from grad_ext.constraints import constraint_named
from grad_ext.data.encoding import Encoder
from grad_ext.data.split import cells
from grad_ext.engine.module_trunk import Factory
from grad_ext.errors import BoundWarning, InputError
from grad_ext.method import GRAD
from grad_ext.metrics.constant import better_than_chance
from grad_ext.metrics.registry import attribute_column
from grad_ext.models.fit import THRESHOLD, Model, Samples, check_rows, fit_rows
from grad_ext.seeds import numpy_generator
from grad_ext.training.checkpoint import last, rule_named
from grad_ext.training.settings import Settings
from grad_ext.training.targets import cells_of, groups_of
from grad_ext.trial import Trial

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# The values of λ that are tried: in the recipe smooth from the plain network to below chance's gap.
PATH = (0.0, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0, 400.0)
# What stands for a λ of 0 in a pack, whose members all have attribute branches.
PLAIN = 1e-9
# Every row is judged by a model that was trained on the other two thirds; of more than LARGE rows a
# third is enough.
FOLDS, LARGE = 3, 20_000
OBJECTIVES = ("accuracy", "balanced_accuracy", "roc_auc")
# Standard errors by which the estimated gap must be below the bound.
SURE = 1.0
# By how much the gaps of two models differ that differ in their seed, about, for labels; for numbers in
# standard deviations.
MODEL_ERROR = 0.01
# A threshold must keep the bound with those next to it, since the final model's scores are not quite
# those of the models that were judged.
NEIGHBOURS = 1
# Draws of random groups for the chance level.
DRAWS = 2000
# Half the width of a 95 % interval in standard errors.
INTERVAL = 1.96
# Quantiles of the scores that are tried as thresholds, besides 0.5: finer where labels are rare.
TAIL = np.arange(0.002, 0.009, 0.002)
THRESHOLDS = np.concatenate([TAIL, np.linspace(0.01, 0.99, 99), 1.0 - TAIL[::-1]])


@dataclass(frozen=True)
class Judged:
    """Rows with the scores that models gave which had not learned from them.

    Attributes
    ----------
    rows : Samples
        N rows.
    scores : array of shape (L, R, N)
        For each λ the probability of the favorable label (R = 1), of each class, or the numbers.
    """

    rows: Samples
    scores: NDArray[np.floating]


@dataclass(frozen=True)
class Choice:
    """What was chosen within a bound.

    Attributes
    ----------
    lam : float
        λ of the chosen model.
    threshold : float
        Scores from which on its label is the favorable one; 0.5 if there are no two labels.
    met : bool
        Whether its gap is within the bound, and surely so.
    useful : bool
        Whether it predicts better than a constant.
    path : pandas.DataFrame
        The best model of each λ: see `frontier`.
    """

    lam: float
    threshold: float
    met: bool
    useful: bool
    path: pd.DataFrame


def checked_bounds(bound: object, names: Sequence[str]) -> tuple[float, ...]:
    """Return the bound of each attribute.

    Parameters
    ----------
    bound : float or mapping of str to float
        One for all attributes, or one for each.
    names : sequence of str
        The attributes.

    Raises
    ------
    InputError
        If a bound is not a number of at least 0, or the names are not those of the attributes.
    """
    if not names:
        raise InputError("bound: expected protected attributes whose gap it limits, got none")
    if not isinstance(bound, Mapping):
        return (checks.at_least_0("bound", bound),) * len(names)
    if set(bound) != set(names):
        raise InputError(f"bound: expected a number for each of {list(names)}, got {dict(bound)}")
    return tuple(checks.at_least_0(f"bound of {name!r}", bound[name]) for name in names)


def fit_within(
    rows: Samples,
    settings: Settings,
    bound: object,
    objective: str,
    seed: int,
    ensemble: int,
    trunk: Factory | None = None,
) -> tuple[Model, Choice]:
    """Fit the best model within bounds, on all rows.

    Parameters
    ----------
    rows : Samples
        Training rows.
    bound : float or mapping of str to float
        The largest gap, for all attributes or for each.
    ensemble : int
        Number of models whose scores are averaged, in the model that is returned.
    settings, objective, seed, trunk
        As for `choose`.

    Raises
    ------
    InputError
        As `choose` and `grad_ext.models.fit.fit_rows`; or if the settings select another epoch than
        the last.

    Warns
    -----
    BoundWarning
        As `choose`.
    """
    bounds = checked_bounds(bound, [branch.name for branch in rows.task.attributes])
    if rule_named(settings.checkpoint) is not last:
        raise InputError(
            f"bound: expected the checkpoint 'last', got {settings.checkpoint!r}: λ is chosen by rows "
            "that no model learned from, and not the epoch"
        )
    checks.sample_weights(rows.w, "sample_weight")
    merged, positions = rows.canonical()
    check_rows(merged, positions)
    choice = choose(merged, positions, settings, bounds, objective, seed, trunk)
    model = fit_rows(
        rows,
        settings,
        choice.lam,
        seed,
        trunk=trunk,
        ensemble=ensemble,
        threshold=choice.threshold,
    )
    return model, choice


def choose(
    rows: Samples,
    positions: Ints,
    settings: Settings,
    bounds: Sequence[float],
    objective: str,
    seed: int,
    trunk: Factory | None = None,
) -> Choice:
    """Return the best λ and threshold whose gaps are within the bounds.

    Parameters
    ----------
    rows : Samples
        Training rows.
    positions : array of int
        Which of them to train on.
    settings : Settings
        Training settings, with the checkpoint of the last epoch.
    bounds : sequence of K floats
        The largest gap for each attribute: the difference between the groups' favorable rates among
        the rows that the constraint compares; of numbers between their means. With the objective
        'roc_auc' the largest difference over all thresholds.
    objective : {'accuracy', 'balanced_accuracy', 'roc_auc'}
        What is the best. For numbers it is R².
    seed : int
        Seed of the folds and of the models.
    trunk : callable, optional
        Takes the number of features and returns a module to use as the trunk.

    Raises
    ------
    InputError
        If the objective is unknown or does not fit the target, or a fold lacks a label or a group.

    Warns
    -----
    BoundWarning
        If no model is within the bounds, or none of those predicts better than a constant.
    """
    classes = rows.task.target.classes
    checks.choice("objective", objective, OBJECTIVES)
    if objective == "roc_auc" and classes != 2:
        raise InputError("objective 'roc_auc' needs a target of two classes")
    judged = cross_fitted(rows, positions, settings, seed, trunk)
    path, candidates = frontier(judged, settings.constraint, bounds, objective)
    best = candidates[_best(candidates, objective)]
    choice = Choice(PATH[best.place], best.threshold, best.met, best.useful, path)
    path["chosen"] = path["lam"] == choice.lam
    _warn(choice, candidates, bounds)
    return choice


def cross_fitted(
    rows: Samples, positions: Ints, settings: Settings, seed: int, trunk: Factory | None = None
) -> Judged:
    """Return rows with the scores of models of each λ that were trained on other rows."""
    labels = rows.y[positions] if rows.task.target.classes else np.zeros(len(positions))
    plain = [not branch.classes for branch in rows.task.attributes]
    strata = cells(labels, rows.a[positions], plain)
    fold = folds(strata, numpy_generator(seed, "folds"))
    names = tuple(branch.name for branch in rows.task.attributes)
    judged = range(FOLDS) if len(positions) <= LARGE else range(1)
    scores = None
    for k in judged:
        rest, out = positions[fold != k], fold == k
        check_rows(rows, rest)
        encoder = Encoder(settings.encoding).fit(rows.frame, rest)
        training = rows.arrays(encoder, rest)
        X = rows.arrays(encoder, positions[out]).X
        trials = [
            Trial("data", names, lam=lam or PLAIN, seed=seed, settings=settings) for lam in PATH
        ]
        some = GRAD(trunk=trunk).fit(trials, training, training).scores(X)
        if scores is None:
            scores = np.full((*some.shape[:2], len(positions)), np.nan)
        scores[:, :, out] = some
    assert scores is not None
    known = np.isin(fold, list(judged))
    if not np.isfinite(scores[:, :, known]).all():
        raise InputError(
            "training diverged: the scores are not numbers; try a smaller learning_rate"
        )
    return Judged(rows.take(positions[known]), scores[:, :, known])


def folds(strata: Ints, generator: np.random.Generator) -> Ints:
    """Return the fold of each row, stratified and at random."""
    order = np.lexsort((generator.permutation(len(strata)), strata))
    fold = np.empty(len(strata), np.intp)
    fold[order] = np.arange(len(strata)) % FOLDS
    return fold


# --- candidates ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A λ and a threshold, with their metrics on rows that the model did not learn from.

    Attributes
    ----------
    place : int
        Which λ of the path.
    threshold : float
    accuracy, balanced_accuracy, roc_auc : float
        On all judged rows. Numbers have R² as their accuracy; what does not apply is nan.
    gaps, errors : array of shape (K,)
        The gap for each attribute, and its standard error.
    excess : float
        How far the surest estimate of the worst gap is above its bound; at most 0 within it.
    useful : bool
        Whether it predicts better than a constant.
    """

    place: int
    threshold: float
    accuracy: float
    balanced_accuracy: float
    roc_auc: float
    gaps: Floats
    errors: Floats
    excess: float
    useful: bool

    @property
    def met(self) -> bool:
        """Whether the gaps are surely within the bounds."""
        return self.excess <= 0.0


def frontier(
    judged: Judged, constraint: str, bounds: Sequence[float], objective: str
) -> tuple[pd.DataFrame, list[Candidate]]:
    """Return the best candidate of each λ as a frame, and all candidates.

    Parameters
    ----------
    judged : Judged
        Rows and scores.
    constraint, bounds, objective
        As for `choose`.

    Returns
    -------
    path : pandas.DataFrame
        A row for each λ with the columns ``lam``, ``threshold``, ``accuracy``,
        ``balanced_accuracy``, ``roc_auc``, ``gap`` (of the attribute nearest to its bound or
        furthest above it), ``gap_low`` and ``gap_high`` (a 95 % interval), the gap of each attribute
        as ``gap_NAME``, and ``within``, whether the bounds are kept.
    candidates : list of Candidate
    """
    rows = judged.rows
    compared = _compared(rows, constraint)
    limits = np.asarray(bounds)
    candidates: list[Candidate] = []
    lines = []
    names = [branch.name for branch in rows.task.attributes]
    for place, scores in enumerate(judged.scores):
        own = list(_candidates(place, scores, rows, compared, limits, objective))
        candidates += own
        best = own[_best(own, objective)]
        worst = int(np.argmax(best.gaps - limits))
        gap, error = best.gaps[worst], INTERVAL * best.errors[worst]
        lines.append(
            {
                "lam": PATH[place],
                "threshold": best.threshold,
                "accuracy": best.accuracy,
                "balanced_accuracy": best.balanced_accuracy,
                "roc_auc": best.roc_auc,
                "gap": gap,
                "gap_low": max(0.0, gap - error),
                "gap_high": gap + error,
                **{
                    attribute_column("gap", name): value
                    for name, value in zip(names, best.gaps, strict=True)
                },
                "within": best.met,
            }
        )
    return pd.DataFrame(lines), candidates


def _best(candidates: Sequence[Candidate], objective: str) -> int:
    """Return the number of the best candidate within the bounds, or of the one nearest to them.

    One that predicts better than a constant goes before one that does not.
    """

    def order(candidate: Candidate) -> tuple[float, ...]:
        if not candidate.met:
            return (0.0, float(candidate.useful), -candidate.excess)
        value = float(getattr(candidate, objective))
        # Of equally good ones the most accurate, then that with the smaller gap.
        return (1.0, float(candidate.useful), value, candidate.accuracy, -candidate.excess)

    return max(range(len(candidates)), key=lambda i: order(candidates[i]))


def _compared(rows: Samples, constraint: str) -> list[tuple[Ints, int, int]]:
    """Return for each attribute every row's cell, -1 for none, and the numbers of strata and groups."""
    rule = constraint_named(constraint)
    strata = rule.strata_of(rows.y, rows.task.target)
    heads = rule.heads(rows.task.target.classes)
    return [
        (cells_of(branch, column, strata, rows.w), heads, groups_of(branch))
        for branch, column in zip(rows.task.attributes, rows.a.T, strict=True)
    ]


def _candidates(
    place: int,
    scores: NDArray[np.floating],
    rows: Samples,
    compared: Sequence[tuple[Ints, int, int]],
    bounds: Floats,
    objective: str,
) -> Iterator[Candidate]:
    y, w, classes = rows.y, rows.w, rows.task.target.classes
    auc = float("nan")
    if classes == 2:
        thresholds = np.unique(np.append(np.quantile(scores[0], THRESHOLDS), THRESHOLD))
        predicted = scores[0] >= thresholds[:, None]
        values = predicted[:, None].astype(np.float64)
        auc = float(roc_auc_score(y, scores[0], sample_weight=w))
    elif classes:
        thresholds = np.array([THRESHOLD])
        predicted = scores.argmax(axis=0)[None]
        values = (predicted[:, None] == np.arange(classes)[:, None]).astype(np.float64)
    else:
        thresholds, predicted = np.array([THRESHOLD]), scores
        values = scores[None]
    gaps, errors, chances = (
        np.stack(parts, axis=1)
        for parts in zip(*(gaps_of(values, w, *one) for one in compared), strict=True)
    )
    if objective == "roc_auc":
        # Fair at every threshold.
        worst = (gaps + SURE * errors).argmax(axis=0)
        every = np.arange(gaps.shape[1])
        for part in (gaps, errors, chances):
            part[:] = part[worst, every]
    quality, balanced = _qualities(predicted, y, w, classes)
    useful = quality > 0.0
    if classes:
        useful = better_than_chance(predicted, y, w)
        if objective == "accuracy":
            useful &= quality > max(w[y == label].sum() for label in np.unique(y)) / w.sum()
    model_error = MODEL_ERROR * (1.0 if classes else float(np.std(y)))
    highest = surely_below(gaps, errors, chances, model_error)
    excess = np.max(
        [np.max(highest[near], axis=0) - bounds for near in _near(len(highest))], axis=1
    )
    for i, threshold in enumerate(thresholds):
        yield Candidate(
            place, float(threshold), float(quality[i]), float(balanced[i]), auc,
            gaps[i], errors[i], float(excess[i]), bool(useful[i]),
        )  # fmt: skip


def _qualities(
    predicted: NDArray[np.generic], y: Floats, w: Floats, classes: int
) -> tuple[Floats, Floats]:
    """Return accuracy and balanced accuracy of labels (T, N); of numbers R² and nan."""
    if not classes:
        mean = np.average(y, weights=w)
        error = ((predicted.astype(np.float64) - y) ** 2) @ w
        return 1.0 - error / ((y - mean) ** 2 @ w), np.full(len(predicted), np.nan)
    hit = predicted == y
    present = np.unique(y)
    recalls = [hit[:, y == label] @ w[y == label] / w[y == label].sum() for label in present]
    return hit @ w / w.sum(), np.mean(recalls, axis=0)


def surely_below(gaps: Floats, errors: Floats, chances: Floats, model_error: float) -> Floats:
    """Return what gaps are surely below, for their number of rows.

    Chance alone shows a gap where there is none, the larger the more groups there are and the smaller
    they are; it is taken out of the estimate in quadrature.
    """
    real = np.sqrt(np.maximum(gaps**2 - chances**2, 0.0))
    return np.asarray(real + SURE * np.sqrt(errors**2 + model_error**2))


def _near(count: int) -> Iterator[slice]:
    """Yield for each threshold those next to it."""
    for i in range(count):
        yield slice(max(0, i - NEIGHBOURS), i + NEIGHBOURS + 1)


@lru_cache(maxsize=64)
def _chance_range(rows: tuple[float, ...]) -> float:
    """Return the mean range of the means of groups of so many rows of standard deviation 1."""
    draws = numpy_generator(0, "chance").normal(size=(DRAWS, len(rows))) / np.sqrt(rows)
    return float(np.ptp(draws, axis=1).mean())


def gaps_of(
    values: Floats, w: Floats, cell: Ints, strata: int, groups: int
) -> tuple[Floats, Floats, Floats]:
    """Return the largest difference between the groups' means, its standard error and chance level.

    Parameters
    ----------
    values : array of shape (T, V, N)
        Numbers, or 0 and 1, of which the largest difference counts for each T.
    w : array of shape (N,)
        Weights.
    cell : int array of shape (N,)
        ``stratum * groups + group`` of each row, -1 for none.
    strata, groups : int
        How many there are.

    Returns
    -------
    gaps, errors, chances : arrays of shape (T,)
        The chance level is the mean gap if the values do not depend on the groups. All are 0 where no
        stratum has rows of two groups.
    """
    member = (cell == np.arange(strata * groups)[:, None]) * w
    sums, squares = member.sum(axis=1), (member**2).sum(axis=1)
    share = member / np.where(sums > 0.0, sums, 1.0)[:, None]
    mean = values @ share.T
    spread = np.maximum((values**2) @ share.T - mean**2, 0.0)
    rows = sums**2 / np.where(squares > 0.0, squares, 1.0)
    variance = spread / np.maximum(rows, 1.0)
    chance = np.zeros((*values.shape[:2], strata))
    for stratum in range(strata):
        own = slice(stratum * groups, (stratum + 1) * groups)
        counts = rows[own][sums[own] > 0.0]
        if len(counts) > 1:
            pooled = member[own].sum(axis=0) / sums[own].sum()
            center = values @ pooled
            deviation = np.sqrt(np.maximum((values**2) @ pooled - center**2, 0.0))
            chance[..., stratum] = deviation * _chance_range(tuple(counts.tolist()))
    shape = (*values.shape[:2], strata, groups)
    mean, variance = mean.reshape(shape), variance.reshape(shape)
    present = (sums > 0.0).reshape(strata, groups)
    high = np.where(present, mean, -np.inf).argmax(axis=-1)[..., None]
    low = np.where(present, mean, np.inf).argmin(axis=-1)[..., None]

    def at(array: Floats, place: Ints) -> Floats:
        return np.take_along_axis(array, place, axis=-1)[..., 0].reshape(len(values), -1)

    gap = at(mean, high) - at(mean, low)
    error = np.sqrt(at(variance, high) + at(variance, low))
    worst = (gap + SURE * error).argmax(axis=1)
    every = np.arange(len(values))
    chance = chance.reshape(len(values), -1)
    return gap[every, worst], error[every, worst], chance[every, worst]


def _warn(choice: Choice, candidates: Sequence[Candidate], bounds: Sequence[float]) -> None:
    """Warn if the bounds are not met, or by no model that predicts better than a constant."""
    wanted = ", ".join(f"{bound:g}" for bound in dict.fromkeys(bounds))
    if choice.met and choice.useful:
        return
    useful = [candidate for candidate in candidates if candidate.useful]
    if not useful:
        instead = "no model of any λ does"
    else:
        nearest = min(useful, key=lambda candidate: candidate.excess)
        instead = (
            f"of those that do, the nearest has a gap of {max(nearest.gaps):.3f} ± "
            f"{INTERVAL * max(nearest.errors):.3f} (accuracy {nearest.accuracy:.3f}, λ "
            f"{PATH[nearest.place]:g})"
        )
    if choice.met:
        problem = (
            f"no model within the bound of {wanted} predicts better than a constant; {instead}"
        )
    else:
        problem = (
            f"no model that predicts better than a constant is surely within the bound of {wanted}, "
            f"by the {len(candidates[0].gaps)} gaps and their standard errors on rows that it did "
            f"not learn from; {instead}"
        )
    warnings.warn(problem, BoundWarning, stacklevel=5)
