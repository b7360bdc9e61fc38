"""Fit, judge on the test rows, record: only here do scores meet metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grad_ext.data.encoding import Arrays, Encoder, arrays, metric_space
from grad_ext.data.split import Split
from grad_ext.errors import InputError, unknown
from grad_ext.files import cache_folder
from grad_ext.method import Method
from grad_ext.metrics.group import (
    accuracy,
    balanced_accuracy,
    chance_level,
    consistency,
    equalized_odds_by_attribute,
    positive_rate,
    toolkit_metrics,
)
from grad_ext.metrics.neighbors import NEIGHBORS, TIES, NeighborGraph, cached_graph
from grad_ext.training.checkpoint import History
from grad_ext.training.settings import Settings
from grad_ext.training.targets import check_cells
from grad_ext.training.validation import continuous, gaps
from grad_ext.training.validation import judge as judge_labels
from grad_ext.trial import Record, Trial


@dataclass(frozen=True)
class EvaluationConfig:
    """What the paper leaves open about its metrics; each default has its reason.

    Attributes
    ----------
    prediction : {'label', 'score'}
        What ŷ is. The label, since "only the predicted label ŷ is used" (section 3.1); Zemel et al.
        (2013) use scores.
    k : int
        Number of neighbours. AIF360's default, since the paper does not say.
    use_protected : bool
        Count the protected columns in the distance. They do not count, since Consistency asks
        whether people who are alike but for those are treated alike.
    include_self : bool
        Count each row among its own neighbours, as AIF360 does. That flatters every model.
    ties : {'share', 'first'}
        What becomes of rows tied at the k-th distance. They share what is left, so that the order
        of the rows does not matter.
    """

    prediction: str = "label"
    k: int = NEIGHBORS
    use_protected: bool = False
    include_self: bool = False
    ties: str = "share"

    def __post_init__(self) -> None:
        if self.prediction not in PREDICTIONS:
            raise unknown("prediction", self.prediction, PREDICTIONS)
        if self.ties not in TIES:
            raise unknown("ties", self.ties, TIES)
        if self.k < 1:
            raise InputError(f"k: expected at least 1 neighbour, got {self.k}")


PREDICTIONS = ("label", "score")


@dataclass(frozen=True)
class EncodedSplit:
    """A split data set as arrays, with the neighbour graph of its test rows.

    Everything that the models of a study share: found once, sent once.

    Attributes
    ----------
    training, validation, test : Arrays
        Encoded rows, with every attribute that models are judged by.
    evaluation : EvaluationConfig
        How models are judged.
    graph : NeighborGraph
        Of the test rows.
    others : dict of str to (EvaluationConfig, NeighborGraph)
        Further ways to judge them, by the name that their figures bear after an @.
    """

    training: Arrays
    validation: Arrays
    test: Arrays
    evaluation: EvaluationConfig
    graph: NeighborGraph
    others: dict[str, tuple[EvaluationConfig, NeighborGraph]] = field(default_factory=dict)


def prepare(
    split: Split,
    settings: Settings,
    evaluation: EvaluationConfig | None = None,
    others: Mapping[str, EvaluationConfig] | None = None,
) -> EncodedSplit:
    """Encode a split, everything fitted on its training rows alone.

    Consistency has an encoding of its own, the same for every method: see
    `grad_ext.data.encoding.metric_space`.

    Parameters
    ----------
    split : Split
        The rows.
    settings : Settings
        How they are encoded for the network.
    evaluation : EvaluationConfig, optional
        How models are judged.
    others : mapping of str to EvaluationConfig, optional
        Further ways to judge them.

    Raises
    ------
    InputError
        If there are fewer test rows than neighbours, a feature cannot be encoded, or the training
        rows do not allow the constraint.
    """
    evaluation, use = evaluation or EvaluationConfig(), settings.use_protected
    encoder = Encoder(settings.encoding).fit(split.train.inputs(use))
    training = arrays(split.train, encoder, use)
    check_cells(settings.constraint, training)
    return EncodedSplit(
        training=training,
        validation=arrays(split.valid, encoder, use),
        test=arrays(split.test, encoder, use),
        evaluation=evaluation,
        graph=_graph(split, evaluation),
        others={name: (other, _graph(split, other)) for name, other in (others or {}).items()},
    )


def _graph(split: Split, evaluation: EvaluationConfig) -> NeighborGraph:
    return cached_graph(
        metric_space(split.test, evaluation.use_protected, like=split.train),
        k=evaluation.k,
        include_self=evaluation.include_self,
        ties=evaluation.ties,
        folder=cache_folder("neighbors"),
    )


def evaluate(
    method: Method,
    trials: Sequence[Trial],
    encoded: EncodedSplit,
    on_epoch: Callable[[int], None] | None = None,
    validation: bool = False,
) -> list[Record]:
    """Fit the trials as one pack and judge each model on the test rows.

    Parameters
    ----------
    method : Method
        What to fit.
    trials : sequence of Trial
        P trials with equal static settings.
    encoded : EncodedSplit
        The rows.
    on_epoch : callable, optional
        Called with the number of epochs done after each of them.
    validation : bool, default False
        Judge the models on the validation rows too: figures `VALIDATED`, by which a method's hyperparameter
        can be chosen.

    Returns
    -------
    list of Record
        One a trial, in order. The error of a model that diverged says of how many rows it does not
        know.
    """
    protected = trials[0].protected
    training, held_out = encoded.training.only(protected), encoded.validation.only(protected)
    start = time.perf_counter()
    fitted = method.fit(trials, training, held_out, on_epoch)
    seconds = (time.perf_counter() - start) / len(trials)
    # Some methods need the protected attributes to predict.
    known = getattr(fitted, "scores_with", lambda X, a: fitted.scores(X))
    start = time.perf_counter()
    scores = known(encoded.test.X, encoded.test.only(protected).a)[:, 0]
    predict_seconds = (time.perf_counter() - start) / len(trials)
    judged = encoded.test.only([*protected, *trials[0].watched])
    figures = judge(scores, judged, encoded.graph, encoded.evaluation)
    for name, (evaluation, graph) in encoded.others.items():
        other = judge(scores, judged, graph, evaluation)
        figures |= {f"{figure}@{name}": other[figure] for figure in ZEMEL}
    if validation:
        figures |= _validated(known(held_out.X, held_out.a), held_out)
    unknown_rows = (~np.isfinite(scores)).sum(axis=1)
    diverged = unknown_rows > 0
    share = np.asarray(scores >= 0.5).mean(axis=1)
    constant = (share == 0.0) | (share == 1.0)
    histories = told(getattr(fitted, "history", None), len(trials))
    records = []
    for p, trial in enumerate(trials):
        metrics = {
            name: float("nan")
            if diverged[p] and not name.startswith("majority")
            else float(values[p])
            for name, values in figures.items()
        }
        records.append(
            Record(
                trial=trial,
                metrics=metrics,
                epoch=int(fitted.epochs[p]),
                constant=bool(constant[p]) and not bool(diverged[p]),
                diverged=bool(diverged[p]),
                seconds=seconds,
                predict_seconds=predict_seconds,
                error=f"returned NaN or infinity for {unknown_rows[p]} of {len(judged)} rows"
                if diverged[p]
                else "",
                device=getattr(method, "device", "cpu"),
                history=histories[p],
            )
        )
    return records


# What a record keeps of the epochs: enough to see how training went, in about a kilobyte a model.
TOLD = ("loss", "accuracy", "balanced_accuracy", "discrimination")
TOLD_DIGITS = 4


def told(history: History | None, members: int) -> list[dict[str, tuple[float, ...]]]:
    """Return what each member's record keeps of its epochs: `TOLD`, rounded, nan where infinite.

    The loss is that of the training rows, the others are of the validation rows.
    """
    if history is None:
        return [{} for _ in range(members)]
    kept: list[dict[str, tuple[float, ...]]] = [{} for _ in range(members)]
    for name in TOLD:
        values = getattr(history, name).round(TOLD_DIGITS)
        values = np.where(np.isfinite(values), values, np.nan)
        for p, column in enumerate(values.T.tolist()):
            kept[p][name] = tuple(column)
    return kept


# What a method's hyperparameter can be chosen by.
VALIDATED = tuple(
    f"validation_{name}"
    for name in ("accuracy", "balanced_accuracy", "discrimination", "delta", "balanced_delta")
)


def _validated(said: NDArray[np.floating], rows: Arrays) -> dict[str, NDArray[np.float64]]:
    """Return the figures on the validation rows, by labels as the choice of the epoch sees them."""
    judged = judge_labels(said, rows)
    acc, balanced = judged["accuracy"], judged["balanced_accuracy"]
    apart = judged["discrimination_by_attribute"].mean(axis=0)
    values = np.stack([acc, balanced, apart, acc - apart, balanced - apart])
    values[:, ~np.isfinite(said).all(axis=(1, 2))] = np.nan
    return dict(zip(VALIDATED, values, strict=True))


# The paper's figures, which depend on what it leaves open.
ZEMEL = ("accuracy", "discrimination", "delta", "consistency")


def judge(
    scores: NDArray[np.floating],
    test: Arrays,
    graph: NeighborGraph,
    evaluation: EvaluationConfig | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return every figure of P models' predictions, each of shape (P,), by name.

    The names are those of results.csv. All are taken with the rows' instance weights but
    Consistency, which has none in its definition. Balanced accuracy, the positive rate, the chance
    level and the toolkits' metrics are those of the labels whatever ŷ is.
    """
    labels = scores >= 0.5
    predicted = scores if (evaluation or EvaluationConfig()).prediction == "score" else labels
    y, a, w = test.y, test.a, test.w
    acc = accuracy(y, predicted, sample_weight=w)
    apart = gaps(predicted, test)
    rate = positive_rate(y, labels, sample_weight=w)
    share = positive_rate(y, y, sample_weight=w)
    names = [branch.name for branch in test.task.attributes]
    balanced = balanced_accuracy(y, labels, sample_weight=w)
    figures = {
        "accuracy": acc,
        "balanced_accuracy": balanced,
        "discrimination": apart.mean(axis=0),
        **{f"discrimination_{name}": gap for name, gap in zip(names, apart, strict=True)},
        "delta": acc - apart.mean(axis=0),
        "balanced_delta": balanced - apart.mean(axis=0),
        "consistency": consistency(y, predicted, graph=graph),
        "positive_rate": rate,
        "majority_accuracy": np.full(len(scores), max(share, 1.0 - share)),
        "majority_favorable": np.full(len(scores), float(share >= 0.5)),
        "chance_level": chance_level(rate, a, continuous=continuous(test.task)).mean(axis=0),
    }
    for k, branch in enumerate(test.task.attributes):
        if branch.kind == "binary":
            known = ~np.isnan(a[:, k])
            judged = toolkit_metrics(
                y[known], labels[:, known], sensitive_features=a[known, k], sample_weight=w[known]
            )
            figures |= {f"{name}_{branch.name}": values[0] for name, values in judged.items()}
        if branch.kind in ("binary", "categorical"):
            odds = equalized_odds_by_attribute(
                y, labels, sensitive_features=a[:, k], sample_weight=w
            )
            figures[f"equalized_odds_difference_{branch.name}"] = odds[0]
    return figures
