"""Model cards: a model's training, its metrics for each group, attribute leakage and limits.

After Mitchell et al. (2019), "Model Cards for Model Reporting". A model's file contains its columns,
groups, settings, epochs and a description of its training data, but no rows: the rows to evaluate it
on have to be given, and the card states where each statement comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from markdown_it import MarkdownIt
from numpy.typing import ArrayLike, NDArray

from grad_ext.data.columns import Categorical, Numeric
from grad_ext.data.sensitive import attributes_of
from grad_ext.errors import InputError
from grad_ext.metrics.bootstrap import LEVEL, intervals
from grad_ext.metrics.constant import nearly_constant
from grad_ext.report.tables import MAJORITY_LABEL, label, value_text
from grad_ext.report.text_tables.cells import TextTable

# The card warns of groups with fewer rows.
FEW = 50
CARD_METRICS = (
    *("accuracy", "balanced_accuracy", "discrimination", "ks_distance", "wasserstein_distance"),
    *("delta", "positive_rate"),
)
# Characters with a meaning in Markdown, as entities, which it shows as they are.
SPECIAL = str.maketrans({c: f"&#{ord(c)};" for c in "&<>*`[]|\\"} | {"\n": " ", "\r": " "})


class AuditResult(Protocol):
    """The sentences and the table of an audit, as `grad_ext.auditing.audit.Audit` has them."""

    def words(self) -> list[str]:
        """Return the findings as sentences."""
        ...

    def lines(self) -> TextTable:
        """Return the heading and the lines of the table."""
        ...


@dataclass(frozen=True)
class Predictions:
    """A model's predictions on rows, and the groups of those rows.

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
    y_score : array of shape (N,), optional
        Scores of the favorable label, whose distributions are compared between groups.
    """

    rows: str
    y_true: ArrayLike
    y_pred: ArrayLike
    sensitive_features: pd.DataFrame
    continuous: Sequence[str] = field(default=())
    sample_weight: ArrayLike | None = None
    groups: ArrayLike | None = None
    y_score: ArrayLike | None = None


def model_card(
    model: Any,
    name: str,
    predictions: Predictions | None = None,
    audit: AuditResult | None = None,
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
    predictions : Predictions, optional
        Its predictions on rows to evaluate it on; the card states if there are none.
    audit : Audit, optional
        What `grad_ext.audit` returned.
    trained_on : str, optional
        The training data, as described by the caller; the file does not contain it.
    seed : int, default 0
        The seed of the intervals.

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
        *_performance(predictions, seed),
        *_leakage(audit),
        *_limits(model, predictions, audit),
    ]
    return "\n\n".join(parts) + "\n"


def rendered(card: str) -> str:
    """Return a card as HTML, with any HTML in it escaped."""
    html: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(card)
    # The tables are the only tags, since HTML in a card is escaped.
    for tag, around in (
        ("<table>", '<div class="table" tabindex="0"><table>'),
        ("</table>", "</table></div>"),
    ):
        html = html.replace(tag, around)
    return f'<div class="card">\n{html}</div>'


def cards(folder: Path) -> list[str]:
    """Return the cards in a study's folder, or in one directly below, as HTML: ``*.card.md``."""
    paths = sorted([*folder.glob("*.card.md"), *folder.glob("*/*.card.md")])
    # Headings of a card are one level below those of the page.
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return [
        rendered(f"\n{text}".replace("\n## ", "\n### ").replace("\n# ", "\n## ")) for text in texts
    ]


def _text(value: object) -> str:
    return str(value).translate(SPECIAL)


def _table(heading: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _threshold(model: Any) -> list[list[str]]:
    """Return the row of the threshold, if another than 0.5 was chosen."""
    threshold = model.model_.threshold
    return [] if threshold == 0.5 else [["threshold of the score", f"{threshold:.3f}"]]


def _training(model: Any, trained_on: str) -> list[str]:
    fitted, parts = model.model_.fitted, model.model_.encoder.parts_
    shape, history = fitted.network.shape, fitted.history
    numeric = [_text(part.column) for part in parts if isinstance(part, Numeric)]
    categories = [
        f"{_text(part.column)} ({len(part.levels)} levels)"
        for part in parts
        if isinstance(part, Categorical)
    ]
    unused = [
        f"{_text(column)} ({_text(why)})" for column, why in model.model_.encoder.unused.items()
    ]
    attributes = [f"{_text(b.name)} ({_groups(b)})" for b in shape.attributes]
    given = model.get_params(deep=False) if hasattr(model, "get_params") else model._params
    if getattr(model, "bound_met_", None) is not None:
        given = {**given, "lam": model.lam_}
    settings = {n: v for n, v in sorted(given.items()) if v is not None and not callable(v)}
    rows = [
        ["class", type(model).__name__],
        ["predicts", _text(shape.target.kind)],
        ["protected attributes", ", ".join(attributes) or "none: the plain network"],
        ["numeric columns", ", ".join(numeric) or "none"],
        ["categorical columns", ", ".join(categories) or "none"],
        *([["columns left out", ", ".join(unused)]] if unused else []),
        [
            "settings",
            ", ".join(f"{label(n)} {_text(value_text(v))}" for n, v in settings.items()),
        ],
        ["epochs", f"{len(history.loss)}, of which {int(fitted.epochs[0])} was kept"],
        *_threshold(model),
        ["seed", str(getattr(model, "seed_", "not recorded"))],
    ]
    data = getattr(model, "training_data_", None)
    trained = []
    if trained_on:
        trained.append(f"Training data, as stated by the author of this card: {_text(trained_on)}")
    if data is not None:
        facts = [f"- {_text(sentence)}" for sentence in data.sentences()]
        trained.append("Training data, as recorded in the model:\n\n" + "\n".join(facts))
    return [
        "## Model and training",
        _table(["", "from the model file"], rows),
        *(trained or ["Training data: not recorded."]),
    ]


def _groups(branch: Any) -> str:
    if not branch.classes:
        return "a number"
    return f"{branch.classes} groups"


def _performance(predictions: Predictions | None, seed: int) -> list[str]:
    title = "## Evaluation"
    if predictions is None:
        return [title, "Not evaluated."]
    y, labels = (np.asarray(v).astype(float) for v in (predictions.y_true, predictions.y_pred))
    if y.shape != labels.shape or y.ndim != 1:
        raise InputError(
            f"expected labels and predictions of one length, got {y.shape}, {labels.shape}"
        )
    table = intervals(
        y,
        labels,
        sensitive_features=predictions.sensitive_features,
        y_score=predictions.y_score,
        sample_weight=predictions.sample_weight,
        continuous=predictions.continuous,
        groups=predictions.groups,
        level=LEVEL,
        seed=seed,
    )
    w = (
        np.ones(len(y))
        if predictions.sample_weight is None
        else np.asarray(predictions.sample_weight, float)
    )
    share = float(np.average(y, weights=w))
    right = max(share, 1.0 - share)
    constant = {"accuracy": right, "balanced_accuracy": 0.5, "discrimination": 0.0, "delta": right}
    constant |= {"ks_distance": 0.0, "wasserstein_distance": 0.0}
    constant["positive_rate"] = float(share >= 0.5)
    body = [
        [label(n), _interval(*table.loc[n]), f"{constant[n]:.3f}"]
        for n in CARD_METRICS
        if n in table.index
    ]
    parts = [
        title,
        f"{_text(predictions.rows)} {len(y):,} rows; 95 % bootstrap intervals over rows.",
        _table(["metric", "this model", MAJORITY_LABEL], body),
        "By group; the favorable label is the positive one. Wilson intervals"
        + (
            " of rows, too narrow since rows of one unit are not independent"
            if predictions.groups is not None
            else ""
        )
        + (", without the instance weights" if predictions.sample_weight is not None else "")
        + ".",
    ]
    for attribute in attributes_of(predictions.sensitive_features, predictions.continuous):
        if attribute.levels is None:
            continue
        column = predictions.sensitive_features[attribute.name]
        lines = []
        for level in attribute.levels:
            inside = (column == level).to_numpy()
            lines.append([_text(level), *_group(y[inside] > 0.5, labels[inside] > 0.5)])
        heading = [_text(attribute.name), "rows", "accuracy", "positive rate"]
        parts.append(_table([*heading, "true positive rate", "false positive rate"], lines))
    return parts


def _group(y: NDArray[np.bool_], labels: NDArray[np.bool_]) -> list[str]:
    """Return the cells of one group's line."""
    shares = (y == labels, labels, labels[y], labels[~y])
    return [f"{len(y):,}", *map(_share, shares)]


def _share(hits: NDArray[np.bool_]) -> str:
    if not len(hits):
        return "–"
    # Imported late, since it is slow and studies import this module.
    from scipy import stats

    test = stats.binomtest(int(hits.sum()), len(hits))
    ends = test.proportion_ci(LEVEL, method="wilson")
    return _interval(float(hits.mean()), ends.low, ends.high)


def _interval(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _leakage(audit: AuditResult | None) -> list[str]:
    title = "## Attribute leakage"
    if audit is None:
        return [title, "Not audited."]
    heading, body = audit.lines()
    cells = [[_text(cell) for cell in line] for line in body]
    return [title, *map(_text, audit.words()), _table([_text(h) for h in heading], cells)]


def _limits(model: Any, predictions: Predictions | None, audit: AuditResult | None) -> list[str]:
    sentences = []
    if model.model_.constant:
        sentences.append(
            "Constant on its training rows, or as good as constant: a low Discrimination and a "
            "Consistency near 1 are meaningless. Do not use it."
        )
    if not model.model_.fitted.network.shape.attributes:
        sentences.append("No attribute branch: no attribute is protected.")
    if predictions is None:
        sentences.append("Not evaluated on held-out rows: do not use it before.")
    else:
        y, labels = (np.asarray(v).astype(float) for v in (predictions.y_true, predictions.y_pred))
        weight = predictions.sample_weight
        w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
        if nearly_constant(labels, y, w):
            sentences.append(
                "Constant on the rows of the evaluation, or as good as constant: its low "
                "Discrimination is meaningless."
            )
        share = max(y.mean(), 1.0 - y.mean())
        right = (y == labels).mean()
        if right <= share:
            sentences.append(
                f"Its accuracy, {right:.3f}, is not above that of the majority class, {share:.3f}."
            )
        recorded = getattr(model, "training_data_", None) is not None
        sentences.append(
            "The metrics hold for similar rows, and only if the model was not trained on these"
            + (
                ": the training data are described above."
                if recorded
                else ": its file does not record its training rows."
            )
        )
        for name, column in predictions.sensitive_features.items():
            if name not in predictions.continuous:
                counts = column.value_counts()
                small = [f"{level} ({n})" for level, n in counts.items() if n < FEW]
                if small:
                    sentences.append(
                        f"Groups with few rows: {_text(name)} {_text(', '.join(small))}."
                    )
    if audit is None:
        sentences.append("Attribute leakage was not measured.")
    sentences += [
        (
            "Discrimination compares positive rates. A low value does not imply equal error rates, nor "
            "fairness for other attributes or for intersections of groups that are not listed above."
        ),
        "A card is not sufficient to decide about people with a model.",
    ]
    return ["## Limits", "\n".join(f"- {sentence}" for sentence in sentences)]
