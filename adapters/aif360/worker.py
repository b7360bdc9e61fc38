"""The child process that runs AIF360's algorithms: see `grad_ext.adapters.aif360.isolated`.

Messages are arrays as npz files, which are read without pickle. The first one fits; the others are
rows to score.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grad_ext.adapters.aif360.mitigators import MITIGATORS
from grad_ext.adapters.isolation import serve


def to_bytes(**arrays: Any) -> bytes:
    """Return arrays as the bytes of an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def from_bytes(message: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file."""
    with np.load(io.BytesIO(message), allow_pickle=False) as arrays:
        return dict(arrays)


def _answer(receive: Callable[[], bytes], send: Callable[[bytes], None]) -> None:
    task = from_bytes(receive())
    fit, settings = MITIGATORS[str(task["algorithm"])], json.loads(str(task["settings"]))
    seeds, hyperparameters = task["seeds"].tolist(), task["hyperparameters"].tolist()
    models = []
    for seed, hyperparameter in zip(seeds, hyperparameters, strict=True):
        models.append(fit(task["X"], task["y"], task["a"], seed, hyperparameter, settings))
        send(to_bytes(fitted=len(models)))
    while True:
        rows = from_bytes(receive())
        send(to_bytes(scores=np.stack([score(rows["X"], rows["a"]) for score in models])))


def _work(receive: Callable[[], bytes], send: Callable[[bytes], None]) -> None:
    try:
        _answer(receive, send)
    except EOFError:
        raise
    # The parent reports whatever a toolkit raises; AIF360 is known to exit.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        send(to_bytes(error=f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    serve(_work)
