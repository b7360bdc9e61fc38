"""What a study of λ found, in words: where the curve is flat, what reversal brings, and what to distrust."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import special

from grad_ext.report.reproduction import interval
from grad_ext.report.tables import by_curve
from grad_ext.report.words import NAMED, TIE, constants, count, listed, one_division

# Two means that differ by no more than this are called equal, even if the seeds can tell them apart.
TOLERANCE = 0.01
# Of being told apart though there is no difference, for all pairs together.
LEVEL = 0.05
FIGURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "discrimination": "Discrimination",
}


def flat_range(means: Sequence[tuple[float, ...]], tolerance: float) -> tuple[int, int]:
    """Return the longest run of points within which no coordinate moves by more than a tolerance.

    Parameters
    ----------
    means : sequence of tuples
        The curves' values at each point.
    tolerance : float
        Largest difference between the highest and the lowest value of a run, for each curve.

    Returns
    -------
    first, last : int
        Positions of the run's ends, both inside; the first such run if several are as long.
    """
    values = np.asarray(means, dtype=float)
    best = (0, 0)
    for first in range(len(values)):
        for last in range(first, len(values)):
            if np.ptp(values[first : last + 1], axis=0).max() > tolerance:
                break
            if last - first > best[1] - best[0]:
                best = (first, last)
    return best


def verdict(frame: pd.DataFrame, curves: Sequence[str] = ()) -> list[str]:
    """Return what a λ study found and what to distrust in it, a sentence or two an entry.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    curves : sequence of str, optional
        Columns whose values have a curve each, with an entry each.
    """
    return [*found(frame, curves), *doubts(frame, curves)]


def found(frame: pd.DataFrame, curves: Sequence[str] = ()) -> list[str]:
    """Return what a λ study found, a sentence or two an entry; parameters as those of `verdict`."""
    if curves:
        named = [(name, found(rows)) for name, rows in by_curve(frame, curves)]
        return [f"With {name}: {' '.join(said)}" for name, said in named if said]
    frame = frame[~frame["diverged"]]
    if not len(frame):
        return []
    said = []
    if frame["lam"].nunique() > 1:
        said += [_flatness(frame), _extremes(frame), *_first(frame)]
    return [*said, constants(frame), *_at_the_papers(frame), *_against_none(frame)]


def doubts(frame: pd.DataFrame, curves: Sequence[str] = ()) -> list[str]:
    """Return what to distrust in a λ study; parameters as those of `verdict`."""
    said = []
    if diverged := int(frame["diverged"].sum()):
        said.append(f"{diverged} of {len(frame)} models diverged to numbers that are none.")
    frame = frame[~frame["diverged"]]
    if not len(frame):
        return said
    several = frame["lam"].nunique() > 1
    if frame.groupby([*curves, "lam"]).size().max() == 1:
        said.append("Each λ has a single model: how far chance alone moves it is not known.")
    if several:
        said.append(
            "The figures are those of test rows: a λ that is chosen by them is chosen partly by luck, "
            "and its own figures flatter it."
        )
    if several and (frame["lam"] > 0).all():
        said.append(
            "No model without reversal (λ = 0) is among these, so what reversal costs and what it "
            "brings cannot be read off them: 0 among the values of λ adds such models."
        )
    return said + one_division(frame)


def _resolved(frame: pd.DataFrame) -> pd.Series[float]:
    """Return how far two means over seeds have to differ, for each figure, to be told apart.

    Student's t times the standard error of a difference that is typical of the λ; at 5 % for all pairs
    of λ and all figures together (Bonferroni), since whoever looks at curves compares them all.
    """
    groups = frame.groupby("lam", sort=True)[list(FIGURES)]
    lams = frame["lam"].nunique()
    free = len(frame) - lams
    if lams < 2 or free < 1:
        return pd.Series(0.0, index=list(FIGURES))
    compared = len(FIGURES) * lams * (lams - 1) / 2
    quantile = float(special.stdtrit(free, 1.0 - LEVEL / compared / 2.0))
    errors = np.sqrt(2.0 * groups.var() / groups.count()).mean().fillna(0.0)
    resolved: pd.Series[float] = (quantile * errors).round(3)
    return resolved


def _flatness(frame: pd.DataFrame) -> str:
    groups = frame.groupby("lam", sort=True)[list(FIGURES)]
    means, lams = groups.mean(), sorted(frame["lam"].unique())
    tolerance = _resolved(frame).clip(lower=TOLERANCE)
    first, last = flat_range([tuple(row) for row in (means / tolerance).to_numpy()], 1.0)
    limits = f"{TOLERANCE:.3f}"
    if (tolerance > TOLERANCE).any():
        seeds = count(int(groups.count().min().min()), "seed")
        limits = (
            f"{_values(tolerance)} (what {seeds} can tell apart at 5 % for all pairs of λ and these figures "
            f"together, and {TOLERANCE:g} at least)"
        )
    within = f"there {_moves(means.iloc[first : last + 1])}, no more than {limits}"
    if first == last:
        text = (
            f"The curve is flat nowhere: between neighbouring λ a mean moves by more than {limits}."
        )
    elif (first, last) == (0, len(lams) - 1):
        text = (
            f"The curve is flat over the whole range, λ from {lams[0]:g} to {lams[-1]:g}: {within}."
        )
    else:
        text = (
            f"The curve is flat for λ from {lams[first]:g} to {lams[last]:g} "
            f"({last - first + 1} of {len(lams)} values): {within}."
        )
    constant = frame.loc[frame["lam"].between(lams[first], lams[last]), "constant"].mean() > 0.5
    if constant and first != last:
        text += " It is flat because most of those models are constant predictors."
    elif first != last:
        text += " That gives no reason to prefer one of these λ."
    if first != last and last - first + 1 < len(lams):
        text += f" Over all λ {_moves(means)}."
    return text


def _values(values: Iterable[float]) -> str:
    """Return a value for each of the figures, such as "0.010, 0.020 and 0.030"."""
    *first, last = (f"{value:.3f}" for value in values)
    return f"{', '.join(first)} and {last}"


def _moves(means: pd.DataFrame) -> str:
    """Return how far the means of the figures move."""
    *first, last = FIGURES.values()
    moved = _values(np.ptp(means.to_numpy(), axis=0))
    return f"the means of {', '.join(first)} and {last} move by {moved}"


def _extremes(frame: pd.DataFrame) -> str:
    """Return which λ has the highest accuracy and the least Discrimination, and how sure that is."""
    groups = frame.groupby("lam", sort=True)
    means, tolerance = groups[list(FIGURES)].mean(), _resolved(frame)
    lams = sorted(frame["lam"].unique())
    parts = []
    for name, what, best in (
        ("accuracy", "The highest mean accuracy", means["accuracy"].argmax()),
        (
            "balanced_accuracy",
            "the highest mean balanced accuracy",
            means["balanced_accuracy"].argmax(),
        ),
        ("discrimination", "the least mean Discrimination", means["discrimination"].argmin()),
    ):
        at, values = lams[best], means[name]
        chosen = groups.get_group(at)
        said = f"{what}, {values[at]:.3f}, has λ = {at:g}{_with_constants(chosen)}"
        if len(frame) > len(lams):
            apart = [
                f"{lam:g}" for lam in lams if abs(values[lam] - values[at]) > tolerance[name] + TIE
            ]
            if len(apart) == len(lams) - 1:
                told = "from every other"
            else:
                told = f"only from λ = {listed(apart, NAMED)}" if apart else "from no other"
            said += f", which the seeds can tell apart {told}"
        parts.append(said)
    return f"{'; '.join(parts)}."


def _with_constants(models: pd.DataFrame) -> str:
    """Return how many of some models are constant, in brackets; nothing if none is."""
    constant = int(models["constant"].sum())
    return f" ({constant} of its {count(len(models), 'model')} constant)" if constant else ""


def _at_the_papers(frame: pd.DataFrame) -> list[str]:
    """Return how the models of λ = 100, or of the nearest, stand to the majority class and to chance."""
    majority = float(frame["majority_accuracy"].iloc[0])
    at, chosen = _nearest(frame, 100.0)
    accuracy, balanced = chosen["accuracy"].mean(), chosen["balanced_accuracy"].mean()
    gap, floor = chosen["discrimination"].mean(), chosen["chance_level"].mean()
    relation = "below" if accuracy < majority else "above"
    said = []
    said.append(
        f"At λ = {at:g} the mean accuracy is {accuracy:.3f}, {abs(accuracy - majority):.3f} "
        f"{relation} the majority class's {majority:.3f}; balanced accuracy {balanced:.3f} (0.5 is "
        "a constant)."
    )
    error = 2.0 * float(np.nan_to_num(chosen["discrimination"].std())) / len(chosen) ** 0.5
    if gap > floor + error:
        relation = "is above"
    elif gap < floor - error:
        relation = "is below"
    else:
        relation = "cannot be told from"
    said.append(
        f"There the mean Discrimination, {gap:.3f}, {relation} the {floor:.3f} that chance alone "
        "would show on these test rows for predictions that ignore the protected attribute."
    )
    return said


def _first(frame: pd.DataFrame) -> list[str]:
    """Return which λ is first by balanced Delta, and what it has more than the paper's."""
    if frame["lam"].nunique() < 2:
        return []
    means = frame.groupby("lam")[list(FIGURES)].mean()
    best = means.index[int((means["balanced_accuracy"] - means["discrimination"]).argmax())]
    (at, chosen), models = _nearest(frame, 100.0), frame[frame["lam"] == best]
    said = f"By balanced accuracy less Discrimination λ = {best:g}{_with_constants(models)} is first here"
    if best == at:
        return [f"{said}."]
    more = _less(models, chosen)
    return [f"{said}; it has more than λ = {at:g} with the same seed{more}."] if more else []


def _against_none(frame: pd.DataFrame) -> list[str]:
    """Return what reversal costs and brings against the plain network, if there is one."""
    reversing, plain = frame[frame["lam"] > 0], frame[frame["lam"] == 0]
    if not len(reversing) or not len(plain):
        return []
    at, chosen = _nearest(reversing, 100.0)
    less = _less(chosen, plain)
    about = f"What reversal costs and brings, λ = {at:g} less the plain network of the same seed"
    return [f"{about}{less}."] if less else []


def _less(models: pd.DataFrame, others: pd.DataFrame) -> str:
    """Return by how much models differ from others of the same seed and division; empty if by none.

    With the 95 % interval by Student's t: over divisions of the rows where there are several, else
    over seeds.
    """
    pairs = ["split_seed", "seed"]
    one, other = (each.set_index(pairs)[list(FIGURES)] for each in (models, others))
    moved = (one - other).dropna()
    if not len(moved):
        return ""
    by_division = moved.groupby(level="split_seed").mean()
    over, units = "seeds", moved
    if len(by_division) > 1:
        over, units = "divisions of the rows", by_division
    parts = []
    for name, what in FIGURES.items():
        mean, low, high = interval(units[name])
        ends = f" ({low:+.3f} to {high:+.3f})" if len(units) > 1 else ""
        parts.append(f"{what} {mean:+.3f}{ends}")
    known = f", with 95 % intervals over {over} of this one pair" if len(units) > 1 else ""
    return f"{known}: {', '.join(parts)}"


def _nearest(frame: pd.DataFrame, lam: float) -> tuple[float, pd.DataFrame]:
    lams = frame["lam"].unique()
    nearest = float(lams[np.argmin(np.abs(np.log1p(lams) - np.log1p(lam)))])
    return nearest, frame[frame["lam"] == nearest]
