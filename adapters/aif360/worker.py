"""The process that runs AIF360's algorithms: see `grad_ext.adapters.aif360.process`.

Questions come on the standard input and answers leave on the standard output, each a length and that
many bytes of an npz file; what the toolkits print goes to the standard error. The first question
fits, all others are rows to score.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
import warnings
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from grad_ext.adapters.aif360.mitigators import MITIGATORS

# Bytes of a message's length.
LENGTH = 8
# Seconds between two looks at whether the parent still lives.
WATCH = 0.5


def send(stream: BinaryIO, **arrays: Any) -> None:
    """Write arrays to a stream."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    stream.write(buffer.getbuffer().nbytes.to_bytes(LENGTH, "little"))
    stream.write(buffer.getbuffer())
    stream.flush()


def receive(stream: BinaryIO) -> dict[str, NDArray[Any]]:
    """Read the arrays that `send` wrote.

    Raises
    ------
    EOFError
        If the stream ends.
    """
    head = stream.read(LENGTH)
    data = stream.read(int.from_bytes(head, "little"))
    if len(head) < LENGTH or len(data) < int.from_bytes(head, "little"):
        raise EOFError("the stream ended")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def _answer(questions: BinaryIO, answers: BinaryIO) -> None:
    asked = receive(questions)
    fit, settings = MITIGATORS[str(asked["algorithm"])], json.loads(str(asked["settings"]))
    seeds, hyperparameters = asked["seeds"].tolist(), asked["hyperparameters"].tolist()
    scores = []
    for seed, hyperparameter in zip(seeds, hyperparameters, strict=True):
        scores.append(fit(asked["X"], asked["y"], asked["a"], seed, hyperparameter, settings))
        send(answers, fitted=len(scores))
    while True:
        rows = receive(questions)
        send(answers, scores=np.stack([score(rows["X"], rows["a"]) for score in scores]))


def main() -> None:
    """Fit, then score whatever rows come, until the parent closes its end or dies."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        _answer(sys.stdin.buffer, answers)
    except EOFError:
        return
    # Whatever a toolkit raises is the parent's to report; AIF360 is known to exit.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        send(answers, error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
