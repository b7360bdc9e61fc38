"""A model card: what a model is and was trained on, what it does to whom, and what it is not for.

After Mitchell et al. (2019), "Model Cards for Model Reporting". A model's file knows its columns,
groups, settings and epochs, but no row: what it is judged on has to be given, and the card says who
vouches for what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markdown_it import MarkdownIt
from numpy.typing import ArrayLike, NDArray

from grad_ext.data.columns import Numeric
from grad_ext.data.sensitive import attributes_of
from grad_ext.errors import InputError
from grad_ext.metrics.bootstrap import intervals
from grad_ext.report.tables import called, words_of

if TYPE_CHECKING:
    from grad_ext.auditing.audit import Audit

LEVEL = 0.95
# Fewer rows of a group than this say little about it.
FEW = 50
SHOWN = ("accuracy", "balanced_accuracy", "discrimination", "delta", "positive_rate")
# What Markdown would read as more than text; as entities, which it shows as they are.
SPECIAL = str.maketrans({c: f"&#{ord(c)};" for c in "&<>*`[]|\\"} | {"\n": " ", "\r": " "})


@dataclass(frozen=True)
class Judged:
    """A model's predictions on rows, and who those are.

    Attributes
    ----------
    rows : str
        Which rows these are, as a sentence.
    y_true, y_pred : array of shape (N,)
        Whether each label is, and is predicted to be, the favorable one: 0 or 1.
    sensitive_features : pandas.DataFrame
        The groups of N rows, a column an attribute.
    continuous : sequence of str
        Those that are numbers.
    sample_weight, groups : array of shape (N,), optional
        As for `grad_ext.metrics.bootstrap.intervals`.
    """

    rows: str
    y_true: ArrayLike
    y_pred: ArrayLike
    sensitive_features: pd.DataFrame
    continuous: Sequence[str] = field(default=())
    sample_weight: ArrayLike | None = None
    groups: ArrayLike | None = None


def model_card(
    model: Any,
    name: str,
    judged: Judged | None = None,
    found: Audit | None = None,
    trained_on: str = "",
    seed: int = 0,
) -> str:
    """Return a model's card in Markdown.

    Parameters
    ----------
    model : GRADClassifier, GRADRegressor, GRADEncoder or GRADInProcessing
        A fitted model, as `grad_ext.models.persistence.load` returns it.
    name : str
        What to call it.
    judged : Judged, optional
        What it predicts on rows; without it the card says that nobody has judged it.
    found : Audit, optional
        What `grad_ext.audit` found.
    trained_on : str, optional
        Which rows it was trained on, in the words of who trained it. The file does not know.
    seed : int, default 0
        Of the intervals.

    Raises
    ------
    InputError
        If the model is not fitted, or lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> from grad_ext import GRADClassifier
    >>> from grad_ext.report.card import model_card
    >>> X, older = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    >>> model = GRADClassifier(lam=1, random_state=0)
    >>> card = model_card(model.fit(X, X[:, 0] > 19, sensitive_features={"older": older}), "mine")
    >>> card.splitlines()[0]
    '# Model card: mine'
    """
    if "model_" not in vars(model):
        raise InputError(f"expected a fitted model, got {type(model).__qualname__}; call fit first")
    parts = [
        f"# Model card: {_text(name)}",
        *_training(model, trained_on),
        *_performance(judged, seed),
        *_leakage(found),
        *_limits(model, judged, found),
    ]
    return "\n\n".join(parts) + "\n"


def rendered(card: str) -> str:
    """Return a card as HTML, in which nothing of it can be a tag."""
    html: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(card)
    # Only our own tables are tags here.
    for tag, around in (
        ("<table>", '<div class="table" tabindex="0"><table>'),
        ("</table>", "</table></div>"),
    ):
        html = html.replace(tag, around)
    return f'<div class="card">\n{html}</div>'


def cards(folder: Path) -> list[str]:
    """Return the cards in a study's folder, or in one directly below, as HTML: ``*.card.md``."""
    paths = sorted([*folder.glob("*.card.md"), *folder.glob("*/*.card.md")])
    # A card's headings stand below those of the page.
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return [
        rendered(f"\n{text}".replace("\n## ", "\n### ").replace("\n# ", "\n## ")) for text in texts
    ]


def _text(value: object) -> str:
    return str(value).translate(SPECIAL)


def _table(heading: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _training(model: Any, trained_on: str) -> list[str]:
    fitted, parts = model.model_.fitted, model.model_.encoder.parts_
    shape, history = fitted.network.shape, fitted.history
    numeric = [_text(part.column) for part in parts if isinstance(part, Numeric)]
    words = [
        f"{_text(part.column)} ({len(part.levels)} levels)"
        for part in parts
        if not isinstance(part, Numeric)
    ]
    attributes = [f"{_text(b.name)} ({_groups(b)})" for b in shape.attributes]
    given = model.get_params(deep=False) if hasattr(model, "get_params") else model._params
    settings = {n: v for n, v in sorted(given.items()) if v is not None and not callable(v)}
    rows = [
        ["class", type(model).__name__],
        ["predicts", _text(shape.target.kind)],
        ["protects", ", ".join(attributes) or "nothing: the plain network"],
        ["columns of numbers", ", ".join(numeric) or "none"],
        ["columns of categories", ", ".join(words) or "none"],
        [
            "settings given",
            ", ".join(f"{called(n)} {_text(words_of(v))}" for n, v in settings.items()),
        ],
        ["epochs", f"{len(history.loss)}, of which {int(fitted.epochs[0])} was kept"],
        ["seed", str(getattr(model, "seed_", "not known"))],
    ]
    said = (
        f"Rows, by the word of who made this card: {_text(trained_on)}"
        if trained_on
        else "Which rows it was trained on is not in the model's file, and nobody said."
    )
    return ["## What it is and was trained on", _table(["", "as its file says"], rows), said]


def _groups(branch: Any) -> str:
    if not branch.classes:
        return "a number"
    return f"{branch.classes} groups"


def _performance(judged: Judged | None, seed: int) -> list[str]:
    title = "## What it does, and to whom"
    if judged is None:
        return [title, "It was not judged for this card."]
    y, said = (np.asarray(v).astype(float) for v in (judged.y_true, judged.y_pred))
    if y.shape != said.shape or y.ndim != 1:
        raise InputError(
            f"expected labels and predictions of one length, got {y.shape}, {said.shape}"
        )
    table = intervals(
        y,
        said,
        sensitive_features=judged.sensitive_features,
        sample_weight=judged.sample_weight,
        continuous=judged.continuous,
        groups=judged.groups,
        level=LEVEL,
        seed=seed,
    )
    w = np.ones(len(y)) if judged.sample_weight is None else np.asarray(judged.sample_weight, float)
    share = float(np.average(y, weights=w))
    right = max(share, 1.0 - share)
    constant = {"accuracy": right, "balanced_accuracy": 0.5, "discrimination": 0.0, "delta": right}
    constant["positive_rate"] = float(share >= 0.5)
    body = [
        [called(n), _interval(*table.loc[n]), f"{constant[n]:.3f}"]
        for n in SHOWN
        if n in table.index
    ]
    parts = [
        title,
        f"{_text(judged.rows)} {len(y):,} rows; 95 % intervals for the choice of the rows.",
        _table(["figure", "this model", "majority class"], body),
        "Each group by itself; the favorable label is the positive one. Wilson's intervals"
        + (
            ", of rows, though rows of one unit are alike: too narrow"
            if judged.groups is not None
            else ""
        )
        + (", without the instance weights" if judged.sample_weight is not None else "")
        + ".",
    ]
    for attribute in attributes_of(judged.sensitive_features, judged.continuous):
        if attribute.levels is None:
            continue
        column = judged.sensitive_features[attribute.name]
        lines = []
        for level in attribute.levels:
            inside = (column == level).to_numpy()
            lines.append([_text(level), *_group(y[inside] > 0.5, said[inside] > 0.5)])
        heading = [_text(attribute.name), "rows", "accuracy", "positive rate"]
        parts.append(_table([*heading, "true positive rate", "false positive rate"], lines))
    return parts


def _group(y: NDArray[np.bool_], said: NDArray[np.bool_]) -> list[str]:
    """Return the cells of one group's line."""
    shares = (y == said, said, said[y], said[~y])
    return [f"{len(y):,}", *map(_share, shares)]


def _share(hits: NDArray[np.bool_]) -> str:
    if not len(hits):
        return "–"
    # Late, since it takes long to import, and studies import this module.
    from scipy import stats

    test = stats.binomtest(int(hits.sum()), len(hits))
    ends = test.proportion_ci(LEVEL, method="wilson")
    return _interval(float(hits.mean()), ends.low, ends.high)


def _interval(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _leakage(found: Audit | None) -> list[str]:
    title = "## What can still be read off it"
    if found is None:
        return [title, "It was not audited for this card."]
    heading, body = found.lines()
    cells = [[_text(cell) for cell in line] for line in body]
    return [title, *map(_text, found.words()), _table([_text(h) for h in heading], cells)]


def _limits(model: Any, judged: Judged | None, found: Audit | None) -> list[str]:
    said = []
    if model.model_.constant:
        said.append(
            "It gave every row that it was fitted on the same label. Its Discrimination of 0 and "
            "Consistency of 1 mean nothing, and it is of no use."
        )
    if not model.model_.fitted.network.shape.attributes:
        said.append("It has no attribute branch, and protects nobody.")
    if judged is None:
        said.append("Without figures on rows that it was not trained on, do not use it.")
    else:
        y, labels = (np.asarray(v).astype(float) for v in (judged.y_true, judged.y_pred))
        share = max(y.mean(), 1.0 - y.mean())
        right = (y == labels).mean()
        if right <= share:
            said.append(
                f"It is right for {right:.3f} of these rows, the majority class for {share:.3f}."
            )
        said.append(
            "The figures hold for rows like these, if it was not trained on them: its file cannot tell."
        )
        for name, column in judged.sensitive_features.items():
            if name not in judged.continuous:
                counts = column.value_counts()
                small = [f"{level} ({n})" for level, n in counts.items() if n < FEW]
                if small:
                    said.append(
                        f"Few rows, so little is known: {_text(name)} {_text(', '.join(small))}."
                    )
    if found is None:
        said.append("Whether the attributes can be read off its scores was not looked at.")
    said += [
        (
            "Discrimination compares rates of labels. That it is low says nothing of error rates, of "
            "other attributes, or of groups within groups, unless they are listed above."
        ),
        "Decisions about people need more than a card.",
    ]
    return ["## Limits", "\n".join(f"- {sentence}" for sentence in said)]
