"""What a λ study found, in words: where the curve is flat, and what to distrust."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

# Two means that differ by no more than this are called equal, if the seeds can resolve it.
TOLERANCE = 0.01


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


def verdict(frame: pd.DataFrame) -> list[str]:
    """Return what a λ study found, a sentence or two an entry.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows of results.csv.
    """
    diverged = int(frame["diverged"].sum())
    lost = f"{diverged} of {len(frame)} models diverged to numbers that are none."
    frame = frame[~frame["diverged"]]
    said = []
    if frame["lam"].nunique() > 1:
        said.append(_flatness(frame))
    if len(frame):
        said += _distrust(frame)
    return [*said, lost] if diverged else said


def _flatness(frame: pd.DataFrame) -> str:
    groups = frame.groupby("lam", sort=True)[["accuracy", "discrimination"]]
    means, lams = groups.mean(), sorted(frame["lam"].unique())
    # Twice the standard error of the difference of two means over seeds, typical of the λ.
    resolved = (2.0 * np.sqrt(2.0 * groups.var() / groups.count())).mean().fillna(0.0)
    tolerance = resolved.clip(lower=TOLERANCE).round(3)
    first, last = flat_range([tuple(row) for row in (means / tolerance).to_numpy()], 1.0)
    limits = (
        f"accuracy stays within {tolerance['accuracy']:.3f} and that of Discrimination within "
        f"{tolerance['discrimination']:.3f}"
    )
    if (tolerance > TOLERANCE).any():
        limits += f", the least that {int(groups.count().min().min())} seeds can tell apart here"
    if first == last:
        text = f"The curve is flat nowhere: between no two neighbouring λ the mean {limits}."
    elif (first, last) == (0, len(lams) - 1):
        text = (
            f"The curve is flat over the whole range: for λ from {lams[0]:g} to {lams[-1]:g} the "
            f"mean {limits}."
        )
    else:
        text = (
            f"The curve is flat for λ from {lams[first]:g} to {lams[last]:g} "
            f"({last - first + 1} of {len(lams)} values): there the mean {limits}."
        )
    inside = frame[frame["lam"].between(lams[first], lams[last])]
    if inside["constant"].mean() > 0.5 and first != last:
        text += " It is flat because most of those models are constant predictors."
    moves = means.max() - means.min()
    return text + (
        f" Over all λ the mean accuracy moves by {moves['accuracy']:.3f} and the mean "
        f"Discrimination by {moves['discrimination']:.3f}."
    )


def _distrust(frame: pd.DataFrame) -> list[str]:
    said = []
    constant = int(frame["constant"].sum())
    said.append(
        f"{constant} of {len(frame)} models give everybody the same label; their Discrimination "
        "of 0 and Consistency of 1 mean nothing."
        if constant
        else f"None of the {len(frame)} models gives everybody the same label."
    )
    majority = float(frame["majority_accuracy"].iloc[0])
    at, chosen = _nearest(frame, 100.0)
    accuracy, balanced = chosen["accuracy"].mean(), chosen["balanced_accuracy"].mean()
    gap, floor = chosen["discrimination"].mean(), chosen["discrimination_floor"].mean()
    relation = "below" if accuracy < majority else "above"
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


def _nearest(frame: pd.DataFrame, lam: float) -> tuple[float, pd.DataFrame]:
    lams = frame["lam"].unique()
    nearest = float(lams[np.argmin(np.abs(np.log1p(lams) - np.log1p(lam)))])
    return nearest, frame[frame["lam"] == nearest]
