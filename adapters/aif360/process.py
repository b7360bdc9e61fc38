"""AIF360's algorithms as methods, in a process of their own.

Importing any of them imports TensorFlow, and several seed numpy's global generator, so none is ever
imported here: sessions, global state and memory belong to a child, which ends with the fitted models,
with its parent, or when its time is up.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from grad_ext.adapters.aif360 import worker
from grad_ext.adapters.sklearn import (
    checked,
    hyperparameter,
    privileged,
    refuse_weights,
    seed_32,
    with_groups,
)
from grad_ext.data.encoding import Arrays
from grad_ext.errors import InputError, MissingToolkit
from grad_ext.trial import Trial

Floats = NDArray[np.float64]
# How much of what a child printed before it died is shown.
TAIL = 300
# One thread for all numerical libraries, as GRAD is trained; no devices; no chatter.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


class Child:
    """A process that fits one algorithm and scores rows.

    Parameters
    ----------
    timeout : float or None
        Seconds that each answer may take; None waits for ever.
    """

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", worker.__name__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **ENVIRONMENT},
        )
        self._finalizer = weakref.finalize(self, _end, self._process, self._said)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ask(self, **arrays: Any) -> dict[str, NDArray[Any]]:
        """Send a question and return the answer to it.

        Raises
        ------
        TimeoutError
            If the answer takes longer than `timeout`; the process is ended.
        RuntimeError
            If the algorithm fails, with its error, or the process dies.
        """
        return self._answer(arrays)

    def answer(self) -> dict[str, NDArray[Any]]:
        """Return the next answer to a question that gets several; raises as `ask` does."""
        return self._answer({})

    def _answer(self, question: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        late = threading.Event()
        # It holds the process and not this object, which could not be collected while it runs.
        timer = threading.Timer(self.timeout or 0.0, _expire, (self._process, late))
        if self.timeout is not None:
            timer.start()
        try:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            if question:
                worker.send(self._process.stdin, **question)  # type: ignore[arg-type]
            answer = worker.receive(self._process.stdout)  # type: ignore[arg-type]
        except (EOFError, OSError):
            if late.is_set():
                self.close()
                raise TimeoutError(f"no answer within {self.timeout:g} seconds") from None
            code = self._process.wait()
            self._said.seek(0)
            printed = self._said.read().decode(errors="replace").strip()[-TAIL:]
            self.close()
            raise RuntimeError(f"the process ended with code {code}: {printed}") from None
        finally:
            timer.cancel()
        if "error" in answer:
            self.close()
            raise RuntimeError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End the process."""
        self._finalizer()


def _expire(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _end(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, said):
        assert stream is not None
        # What was written and not read is of no use to anybody.
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def intersection(rows: Arrays) -> Floats:
    """Return one attribute, shape (N, 1): `privileged`."""
    return privileged(rows)[:, None].astype(np.float64)


def apart(rows: Arrays) -> Floats:
    """Return the attributes as they are, shape (N, K)."""
    return rows.a


@dataclass(frozen=True)
class FittedApart:
    """Models that live in a process of their own, which ends when this is collected or closed.

    Attributes
    ----------
    child : Child
        The process.
    method : Apart
        What fitted them.
    epochs : array of shape (P,)
        Passes over the rows.
    rows : Arrays
        No rows, but as those that they were fitted to.
    """

    child: Child
    method: Apart
    epochs: NDArray[np.intp]
    rows: Arrays

    def scores(self, X: NDArray[np.float32]) -> Floats:
        """Return the probability of the favorable label, shape (P, 1, N), for X of shape (N, D).

        Raises
        ------
        InputError
            If X has another number of features, or the protected attributes are needed too.
        """
        if self.method.needs_attributes:
            raise InputError(
                f"{self.method.algorithm} needs the protected attributes at prediction: "
                "call scores_with(X, a)"
            )
        return self._scores(X, np.zeros((len(X), 1)))

    def scores_with(self, X: NDArray[np.float32], a: Floats) -> Floats:
        """Return the same for rows whose protected attributes, shape (N, K), are known.

        Raises
        ------
        InputError
            If X or a has another number of columns, or an attribute that is needed is missing.
        """
        if not self.method.needs_attributes:
            return self.scores(X)
        if a.shape != (len(X), self.rows.a.shape[1]):
            raise InputError(f"a: expected shape {(len(X), self.rows.a.shape[1])}, got {a.shape}")
        if np.isnan(a).any():
            n = int(np.isnan(a).any(axis=1).sum())
            raise InputError(f"expected every row's protected attributes, {n} rows miss one")
        return self._scores(X, self.method.groups(replace(self.rows, a=a)))

    def _scores(self, X: NDArray[np.float32], groups: Floats) -> Floats:
        width = self.rows.X.shape[1]
        if X.ndim != 2 or X.shape[1] != width:
            raise InputError(f"X: expected shape (N, {width}), got {X.shape}")
        return self.child.ask(X=X.astype(np.float64), a=groups)["scores"][:, None]

    def close(self) -> None:
        """End the process."""
        self.child.close()


@dataclass(frozen=True)
class Apart:
    """An algorithm of AIF360's that is fitted in a process of its own, a model a trial.

    Attributes
    ----------
    algorithm : str
        Its name in `grad_ext.adapters.aif360.mitigators`.
    settings : mapping of str to object
        What it gets beside seed and hyperparameter.
    hyperparameter : str
        What a trial's λ is called there.
    highest : float
        The hyperparameter's largest value.
    groups : callable
        Makes of rows the protected attributes as it gets them, shape (N, L).
    needs_attributes : bool
        Whether it needs them at prediction.
    epochs : int
        Passes over the rows, for the record.
    least_rows : int
        How many training rows it needs.
    packages : mapping of str to str
        What it needs, and the extra of grad-ext that brings it.
    timeout : float or None
        Seconds that each fit may take, and each scoring.
    """

    algorithm: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    hyperparameter: str = "lambda"
    highest: float = np.inf
    groups: Callable[[Arrays], Floats] = intersection
    needs_attributes: bool = False
    epochs: int = 1
    least_rows: int = 1
    packages: Mapping[str, str] = field(default_factory=lambda: {"aif360": "aif360"})
    timeout: float | None = None

    def fit(
        self,
        trials: Sequence[Trial],
        training: Arrays,
        validation: Arrays,
        on_epoch: Callable[[int], None] | None = None,
    ) -> FittedApart:
        """Fit a model a trial, one after the other; validation rows are not looked at.

        Raises
        ------
        InputError
            If there is no trial, the target is not binary, weights differ, rows are too few, or the
            algorithm does not take such attributes.
        MissingToolkit
            If a package is missing.
        TimeoutError
            If a fit takes too long.
        RuntimeError
            If the algorithm fails, with its error.
        """
        checked(trials, training)
        for package, extra in self.packages.items():
            if find_spec(package) is None:
                raise MissingToolkit(package, extra)
        refuse_weights(training, self.algorithm)
        rows = with_groups(training)
        if len(rows) < self.least_rows:
            raise InputError(
                f"{self.algorithm} needs at least {self.least_rows} training rows, got {len(rows)}"
            )
        question = {
            "algorithm": self.algorithm,
            "settings": json.dumps(dict(self.settings)),
            "seeds": [seed_32(trial, self.algorithm) for trial in trials],
            "hyperparameters": [
                hyperparameter(trial, self.hyperparameter, high=self.highest) for trial in trials
            ],
            "X": rows.X.astype(np.float64),
            "y": rows.y,
            "a": self.groups(rows),
        }
        child = Child(self.timeout)
        child.ask(**question)
        for _ in trials[1:]:
            child.answer()
        if on_epoch is not None:
            on_epoch(self.epochs)
        epochs = np.full(len(trials), self.epochs, dtype=np.intp)
        empty = replace(rows, X=rows.X[:0], y=rows.y[:0], a=rows.a[:0], w=rows.w[:0])
        return FittedApart(child, self, epochs, empty)
