"""What a comparison found, in words: who beats whom, and what to distrust."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from grad_ext.report.comparison import (
    DIGITS,
    MAJORITY,
    at_chosen,
    called,
    differences,
    dominance,
    majority,
    summary,
)
from grad_ext.report.reproduction import LEVEL
from grad_ext.report.tables import and_joined
from grad_ext.report.words import NAMED, count, listed, one_division

# Models of a method below which a page warns of it.
FEW = 5
VARIED = "No model gives everybody the same label."
CLEARLY = (
    "Clearly: better in one of the two by so much that the 95 % intervals do not overlap, and at least as "
    "good in the other."
)
BESIDE = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}


def findings(frame: pd.DataFrame) -> list[str]:
    """Return what a comparison is about, found, and what to distrust in it, in this order.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.comparison.summary`.
    """
    return [*studied(frame), *found(frame), *doubts(frame)]


def studied(frame: pd.DataFrame) -> list[str]:
    """Return what a comparison is about; parameters as those of `findings`."""
    _, chosen, judged = _lines_of(frame)
    return [_extent(frame, chosen, judged)]


def found(frame: pd.DataFrame) -> list[str]:
    """Return where GRAD stands among the methods, and who is on the frontier.

    Parameters as those of `findings`.
    """
    lines, _, judged = _lines_of(frame)
    if not len(judged):
        return []
    said = []
    for i in np.flatnonzero(judged["method"].str.startswith("GRAD")):
        parts = [_stands(judged, int(i))]
        if len(judged) > 1:
            parts += [_tally(judged, int(i), *figure) for figure in reversed(BESIDE.items())]
        said.append(" ".join([*parts, *_against_plain(frame, judged, int(i))]))
    if any("clearly" in sentence for sentence in said):
        said.append(CLEARLY)
    said += [_frontier(judged, *figure) for figure in reversed(BESIDE.items())]
    return [*said, _chance(judged), *([] if _constant(lines) else [VARIED])]


def doubts(frame: pd.DataFrame) -> list[str]:
    """Return what to distrust in a comparison; parameters as those of `findings`."""
    lines, chosen, judged = _lines_of(frame)
    said = [*_useless(judged), *_constant(lines), *_needs(chosen), *_failed(lines)]
    return [*said, *_alike(judged), *_few(judged), *one_division(frame)]


def duels(frame: pd.DataFrame, name: str) -> list[str]:
    """Return whom a method beats, to whom it loses, and where it is a trade, by how much.

    Parameters
    ----------
    frame : pandas.DataFrame
        As for `grad_ext.report.comparison.summary`.
    name : str
        The method, by its name there; one with figures, as at least one other has.
    """
    _, _, judged = _lines_of(frame)
    (i,) = np.flatnonzero(judged["name"] == name)
    return [_duel(judged, int(i), *figure) for figure in BESIDE.items()]


def over_hyperparameters(frame: pd.DataFrame) -> str:
    """Return which values of the hyperparameters are on the frontier; parameters as those of `findings`."""
    lines, _, _ = _lines_of(frame)
    return _over_hyperparameters(lines)


def _lines_of(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return all lines, the chosen ones but the majority class, and those of them with figures."""
    chosen = at_chosen(frame)
    chosen = chosen[chosen["method"] != MAJORITY].reset_index(drop=True)
    judged = chosen[np.isfinite(chosen["discrimination"])].reset_index(drop=True)
    return summary(frame), chosen, judged


def _extent(frame: pd.DataFrame, chosen: pd.DataFrame, judged: pd.DataFrame) -> str:
    first = frame.iloc[0]
    protected = and_joined(first["protected"])
    figures = ""
    if len(judged) < len(chosen):
        figures = f"; {len(judged)} of the methods have figures"
    return (
        f"{count(len(frame), 'model')} of {count(len(chosen), 'method')} on {first['dataset']}, "
        f"protecting {protected}{figures}. Unless said otherwise each stands at the value of its "
        "hyperparameter that was chosen on validation rows; all figures are means on test rows."
    )


def _free(judged: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Return the lines that no other dominates; those with constant models are named elsewhere."""
    beaten = dominance(judged, figure)["loser"]
    return judged[~judged.index.isin(beaten) & (judged["constant"] == 0)]


def _frontier(judged: pd.DataFrame, figure: str, words: str) -> str:
    """Say which lines no other dominates."""
    free = _free(judged, figure)
    if not len(free):
        return (
            f"No method is on the frontier of {words} and Discrimination without constant models."
        )
    rows = free.sort_values(figure, ascending=False, kind="stable")
    named = [
        f"{_marked(r)} ({r[figure]:.3f}, {r['discrimination']:.3f})" for _, r in rows.iterrows()
    ]
    return (
        f"On the frontier of {words} and Discrimination, where no other method is better in one and "
        f"at least as good in the other: {listed(named)}."
    )


def _over_hyperparameters(lines: pd.DataFrame) -> str:
    free = lines[
        ~lines["dominated"]
        & (lines["constant"] == 0)
        & (lines["method"] != MAJORITY)
        & np.isfinite(lines["discrimination"])
    ]
    named = []
    for name, group in free.groupby("name", sort=False):
        values = listed(f"{lam:g}" for lam in group["lam"])
        hyperparameter = group["hyperparameter"].iloc[0]
        named.append(f"{name} ({hyperparameter} = {values})" if hyperparameter else str(name))
    return (
        "Over all values of the hyperparameters, which picks on the test rows and so flatters, the frontier of "
        f"accuracy and Discrimination is: {listed(named) or 'empty'}."
    )


def _stands(judged: pd.DataFrame, i: int) -> str:
    mine, place = judged.iloc[i], ""
    if len(judged) > 1:
        on = [words for figure, words in BESIDE.items() if i in _free(judged, figure).index]
        place = (
            f", number {i + 1} of {len(judged)} methods by balanced accuracy less Discrimination and on "
            f"{'neither frontier' if not on else f'the frontier of {listed(on)}'}"
        )
    return (
        f"{called(mine)}{place}: accuracy {mine['accuracy']:.3f}, balanced accuracy "
        f"{mine['balanced_accuracy']:.3f}, Discrimination {mine['discrimination']:.3f} (chance "
        f"level {mine['chance_level']:.3f}), Delta {mine['delta']:.3f}."
    )


def _against_plain(frame: pd.DataFrame, judged: pd.DataFrame, i: int) -> list[str]:
    """Say what reversal costs and brings, if the plain network is among the methods."""
    name = str(judged["name"][i])
    plain = name.replace("GRAD-", "NN-", 1)
    if plain not in set(judged["name"]):
        return []
    row, parts = differences(frame, name).loc[plain], []
    for figure, words in {**BESIDE, "discrimination": "Discrimination"}.items():
        low, high = row[f"{figure}_low"], row[f"{figure}_high"]
        ends = "" if np.isnan(low) else f" ({low:+.3f} to {high:+.3f})"
        parts.append(f"{words} {row[figure]:+.3f}{ends}")
    return [f"It has more than {plain}, the same network without reversal: {', '.join(parts)}."]


def _tally(judged: pd.DataFrame, i: int, figure: str, words: str) -> str:
    """Say whom of the others a method beats, to whom it loses, and how clearly."""
    pairs = dominance(judged, figure)
    said, left = [], len(judged) - 1
    for mine, other, verb in (("winner", "loser", "beats"), ("loser", "winner", "loses to")):
        rows = pairs[pairs[mine] == i]
        left -= len(rows)
        for clearly in (True, False):
            names = [_marked(judged.iloc[j]) for j in rows.loc[rows["clearly"] == clearly, other]]
            if names:
                which = listed(names) if len(names) <= NAMED else f"{len(names)} methods"
                said.append(
                    f"clearly {verb} {which}" if clearly else f"{verb} {which}, not clearly"
                )
    if left:
        how = "worse in one and better in the other, equal, or with constant models"
        said.append(f"{count(left, 'other')} {'is' if left == 1 else 'are'} {how}")
    return f"In {words} and Discrimination together it {'; '.join(said)}."


def _marked(line: pd.Series) -> str:
    return f"{line['name']} †" if line["needs_attributes"] else str(line["name"])


def _duel(judged: pd.DataFrame, i: int, figure: str, words: str) -> str:
    found, mine = dominance(judged, figure), judged.iloc[i]
    wins = found[found["winner"] == i].set_index("loser")["clearly"]
    losses = found[found["loser"] == i].set_index("winner")["clearly"]
    moves = judged[[figure, "discrimination"]] - mine[[figure, "discrimination"]].astype(float)
    moves = moves.round(DIGITS)
    rest = moves.drop(index=[i, *wins.index, *losses.index])
    dearer = int((rest > 0).all(axis=1).sum())
    cheaper = int((rest < 0).all(axis=1).sum())
    counts = {
        f"of higher {words} and more Discrimination": dearer,
        f"of lower {words} and less Discrimination": cheaper,
        "equal, or with constant models": len(rest) - dearer - cheaper,
    }
    others = listed(f"{n} {kind}" for kind, n in counts.items() if n)

    def named(rows: pd.Series) -> str:
        return listed(
            f"{judged['name'][j]} ({moves[figure][j]:+.3f}, {moves['discrimination'][j]:+.3f}"
            f"{'; clearly' if rows[j] else ''})"
            for j in list(rows.index)
        )

    return (
        f"{mine['name']} in {words} and Discrimination (in brackets what the other has more): it "
        f"beats {named(wins) or 'none'}; it loses to {named(losses) or 'none'}"
        + (f". The others: {others}." if others else ".")
    )


def _useless(judged: pd.DataFrame) -> list[str]:
    """Name what the majority class, which takes no method, is before."""
    top, said = majority(judged), []
    for figure, words in (
        ("accuracy", "Less accurate than the majority class"),
        ("balanced_delta", "Behind the majority class by balanced accuracy less Discrimination"),
    ):
        below = judged[(judged[figure] - top[figure]).round(DIGITS) < 0]
        if len(below):
            said.append(f"{words} ({top[figure]:.3f}): {_names(below)}.")
    return said


def _chance(judged: pd.DataFrame) -> str:
    varied = judged[judged["constant"] < 1]
    if not len(varied):
        return "All are constant."
    within = varied[varied["discrimination"] <= varied["chance_level"]]
    shown = "every method shows more than its chance level"
    if len(within):
        shown = (
            "no more than their chance level show "
            f"{listed(_marked(line) for _, line in within.iterrows())}"
        )
    return (
        "Predictions that ignore the protected attribute would show a Discrimination of about "
        f"{varied['chance_level'].mean():.3f} on these test rows by chance; {shown}."
    )


def _names(lines: pd.DataFrame) -> str:
    return listed(called(line) for _, line in lines.iterrows())


def _constant(lines: pd.DataFrame) -> list[str]:
    rows = lines[(lines["constant"] > 0) & (lines["method"] != MAJORITY)]
    decided = set(lines.loc[lines["chosen"], "name"])
    named = []
    for _, row in rows.iterrows():
        counted = f"{row['constant'] * row['models']:.0f} of {row['models']}"
        if row["name"] in decided and not row["chosen"]:
            counted += ", not at the chosen value"
        named.append(f"{called(row)} ({counted})")
    said = (
        "Models that give everybody the same label, whose Discrimination of 0 and Consistency of 1 "
        f"mean nothing: {listed(named)}."
    )
    return [said] if named else []


def _needs(chosen: pd.DataFrame) -> list[str]:
    names = list(chosen.loc[chosen["needs_attributes"], "name"])
    if not names:
        return []
    need = "needs" if len(names) == 1 else "need"
    return [
        (
            f"{listed(names)} (†) {need} the protected attributes at prediction, where they may be "
            "unknown or must not be looked at: two people who differ in nothing else are treated "
            "differently."
        )
    ]


def _failed(lines: pd.DataFrame) -> list[str]:
    ended = lines[lines["failed"] > 0]
    said = [
        f"Failed: {_counted(ended[ended['error'] == error], 'failed')}. {error}"
        for error in ended["error"].unique()
    ]
    diverged = lines[lines["diverged"] > 0]
    if len(diverged):
        said.append(f"Models that diverged, without figures: {_counted(diverged, 'diverged')}.")
    return said


def _alike(judged: pd.DataFrame) -> list[str]:
    """Name methods that have the same figures, which count as several and are one."""
    same = judged[["accuracy", "balanced_accuracy", "discrimination", "consistency"]].round(DIGITS)
    groups = judged.groupby([same[c] for c in same], sort=False)["name"].agg(list)
    named = [listed(names) for names in groups if len(names) > 1]
    if not named:
        return []
    return [f"Alike in these figures, and so most likely in every prediction: {'; '.join(named)}."]


def _few(judged: pd.DataFrame) -> list[str]:
    """Warn of intervals over few models, and of many comparisons."""
    said = []
    seeded = judged.loc[judged["seeded"], "models"]
    if len(seeded) and (least := int(seeded.min())) < FEW:
        if least == 1:
            said.append(
                "Some methods have a single model, and so no interval: how far chance alone moves "
                "them is not known."
            )
        else:
            reach = float(special.stdtrit(least - 1, (1.0 + LEVEL) / 2.0))
            said.append(
                f"Some methods have {least} models only: their 95 % intervals reach {reach:.1f} "
                "standard errors to either side, so little is clear that more seeds would tell apart."
            )
    if (judged["models"] == 1).any() and not judged["seeded"].all():
        said.append(
            "Methods that draw nothing at random have a single model and no interval: how far other rows "
            "would move them is not known."
        )
    if len(judged) > 2:
        said.append(
            "No interval is corrected for there being many methods: among many, some differences are "
            "clear by chance."
        )
    return said


def _counted(group: pd.DataFrame, what: str) -> str:
    names = dict.fromkeys(str(name) for name in group["name"])
    totals = {name: int(group.loc[group["name"] == name, what].sum()) for name in names}
    return listed(f"{name} ({count(n, 'model')})" for name, n in totals.items())
