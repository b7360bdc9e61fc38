"""Fit models, evaluate them on the test set and return records."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from grad_ext.data.encoding import Arrays, Encoder, arrays, metric_space
from grad_ext.data.split import Split
from grad_ext.errors import InputError, unknown
from grad_ext.files import cache_folder
from grad_ext.method import Method
from grad_ext.metrics.constant import nearly_constant
from grad_ext.metrics.graph_cache import cached_graph
from grad_ext.metrics.inputs import PREDICTIONS
from grad_ext.metrics.neighbors import NEIGHBORS, TIES, NeighborGraph
from grad_ext.metrics.registry import evaluate_means
from grad_ext.training.checkpoint import History
from grad_ext.training.settings import Settings
from grad_ext.training.targets import check_cells
from grad_ext.training.validation import predictions_for, score_metrics
from grad_ext.trial import Record, Trial


@dataclass(frozen=True)
class EvaluationConfig:
    """Choices about the metrics that the paper leaves open.

    Attributes
    ----------
    prediction : {'label', 'score'}
        What ŷ is. The label, since "only the predicted label ŷ is used" (section 3.1); Zemel et al.
        (2013) use scores.
    k : int
        Number of neighbours. AIF360's default, since the paper gives none.
    use_protected : bool
        Include the protected columns in the distance. By default they are excluded, since
        Consistency compares people who are alike except for those.
    include_self : bool
        Count each row among its own neighbours, as AIF360 does, which raises every model's value.
    ties : {'share', 'first'}
        How rows tied at the k-th distance count: they share the remaining weight, so that the order
        of the rows does not matter, or the first ones are taken.
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


@dataclass(frozen=True)
class EncodedSplit:
    """A split data set as arrays, with the neighbour graph of its test rows.

    All models of a study share it, so it is computed once.

    Attributes
    ----------
    training, validation, test : Arrays
        Encoded rows, with every attribute that models are evaluated by.
    evaluation : EvaluationConfig
        How models are evaluated.
    graph : NeighborGraph
        Of the test rows.
    others : dict of str to (EvaluationConfig, NeighborGraph)
        Further configurations, by name: their metrics are recorded as ``metric@name``.
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
    """Encode a split, with encoders fitted on its training rows alone.

    Consistency has an encoding of its own, the same for every method: see
    `grad_ext.data.encoding.metric_space`.

    Parameters
    ----------
    split : Split
        The rows.
    settings : Settings
        How they are encoded for the network.
    evaluation : EvaluationConfig, optional
        How models are evaluated.
    others : mapping of str to EvaluationConfig, optional
        Further configurations to evaluate them by.

    Returns
    -------
    EncodedSplit

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
    """Fit the trials as one pack and evaluate each model on the test rows.

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
        Also record the metrics `VALIDATED` of the validation rows, by which a method's
        hyperparameter can be chosen.

    Returns
    -------
    list of Record
        One for each trial, in order. The metrics of a model that diverged are nan, and its error
        gives the number of rows without a finite score.
    """
    protected = trials[0].protected
    training, held_out = encoded.training.only(protected), encoded.validation.only(protected)
    start = time.perf_counter()
    fitted = method.fit(trials, training, held_out, on_epoch)
    seconds = (time.perf_counter() - start) / len(trials)
    # Some methods need the protected attributes to predict.
    scores_of = getattr(fitted, "scores_with", lambda X, a: fitted.scores(X))
    start = time.perf_counter()
    scores = scores_of(encoded.test.X, encoded.test.only(protected).a)[:, 0]
    predict_seconds = (time.perf_counter() - start) / len(trials)
    test = encoded.test.only([*protected, *trials[0].also_evaluated])
    by_name = evaluate_predictions(scores, test, encoded.graph, encoded.evaluation)
    for name, (evaluation, graph) in encoded.others.items():
        other = evaluate_predictions(scores, test, graph, evaluation)
        by_name |= {f"{metric}@{name}": other[metric] for metric in ZEMEL}
    if validation:
        by_name |= _validated(scores_of(held_out.X, held_out.a), held_out)
    unknown_rows = (~np.isfinite(scores)).sum(axis=1)
    diverged = unknown_rows > 0
    constant = nearly_constant(np.asarray(scores >= 0.5), test.y, test.w)
    histories = recorded_history(getattr(fitted, "history", None), len(trials))
    records = []
    for p, trial in enumerate(trials):
        metrics = {
            name: float("nan")
            # A ratio to the rate of a group that gets no favorable prediction is not defined.
            if (diverged[p] and not name.startswith("majority")) or np.isinf(values[p])
            else float(values[p])
            for name, values in by_name.items()
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
                error=f"returned NaN or infinity for {unknown_rows[p]} of {len(test)} rows"
                if diverged[p]
                else "",
                device=getattr(method, "device", "cpu"),
                history=histories[p],
            )
        )
    return records


# Columns and digits of the history in a record: about a kilobyte for each model.
HISTORY_COLUMNS = ("loss", "accuracy", "balanced_accuracy", "discrimination")
HISTORY_DIGITS = 4


def recorded_history(history: History | None, members: int) -> list[dict[str, tuple[float, ...]]]:
    """Return each member's history for its record: `HISTORY_COLUMNS`, rounded, nan if infinite.

    The loss is that of the training rows, the others are of the validation rows.
    """
    if history is None:
        return [{} for _ in range(members)]
    recorded: list[dict[str, tuple[float, ...]]] = [{} for _ in range(members)]
    for name in HISTORY_COLUMNS:
        values = getattr(history, name).round(HISTORY_DIGITS)
        values = np.where(np.isfinite(values), values, np.nan)
        for p, column in enumerate(values.T.tolist()):
            recorded[p][name] = tuple(column)
    return recorded


# What a method's hyperparameter can be chosen by.
VALIDATED = tuple(
    f"validation_{name}"
    for name in ("accuracy", "balanced_accuracy", "discrimination", "delta", "balanced_delta")
)


def _validated(scores: NDArray[np.floating], rows: Arrays) -> dict[str, NDArray[np.float64]]:
    """Return the metrics `VALIDATED` of labels, as the choice of the epoch uses them."""
    metrics = score_metrics(scores, rows)
    accuracy, balanced = metrics["accuracy"], metrics["balanced_accuracy"]
    mean = metrics["discrimination_by_attribute"].mean(axis=0)
    values = (accuracy, balanced, mean, accuracy - mean, balanced - mean)
    return dict(zip(VALIDATED, values, strict=True))


# The paper's metrics, which depend on what it leaves open.
ZEMEL = ("accuracy", "discrimination", "delta", "consistency")


def evaluate_predictions(
    scores: NDArray[np.floating],
    test: Arrays,
    graph: NeighborGraph,
    evaluation: EvaluationConfig | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return every metric of P models' scores, each of shape (P,), by the names of results.csv.

    All are weighted by the rows' instance weights except Consistency, whose definition has none.
    Balanced accuracy, the positive rate, the chance level and the toolkits' metrics are those of the
    labels even if ŷ is the score.

    Parameters
    ----------
    scores : array of shape (P, N)
        Scores in [0, 1]; the label is 1 from 0.5 on.
    test : Arrays
        The rows.
    graph : NeighborGraph
        Of the rows.
    evaluation : EvaluationConfig, optional
        Whether ŷ is the label or the score.
    """
    labels = replace(predictions_for(scores >= 0.5, test), target_weight=None, graph=graph)
    numbers = scores.astype(np.float64)
    means = replace(labels, scores=numbers)
    if (evaluation or EvaluationConfig()).prediction == "score":
        means = replace(means, predicted=numbers, label_predictions=labels)
    shape = scores.shape[:1]
    return {name: np.broadcast_to(v, shape) for name, v in evaluate_means(means).items()}
