"""Models logged to TensorBoard or MLflow as they come, for those who watch their work there."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from grad_ext.errors import MissingToolkit, unknown
from grad_ext.trial import Record

# The package that each needs, and the extra that brings it.
NEEDS = {"tensorboard": ("tensorboardX", "tune"), "mlflow": ("mlflow", "mlflow")}


class Logger(Protocol):
    """Something to log models to; one that was logged before is not logged again."""

    def add(self, records: Sequence[Record]) -> None:
        """Log models."""

    def close(self) -> None:
        """Write what is left."""


def checked_log(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of what to log to.

    Raises
    ------
    InputError
        If there is no such thing.
    MissingToolkit
        If it is not installed.
    """
    for name in names:
        if name not in NEEDS:
            raise unknown("log", name, NEEDS)
        if find_spec(NEEDS[name][0]) is None:
            raise MissingToolkit(*NEEDS[name])
    return tuple(dict.fromkeys(names))


def loggers(names: Sequence[str], folder: Path) -> list[Logger]:
    """Return what logs the models of a study to each of the names."""
    makers: Mapping[str, Callable[[Path], Logger]] = {"tensorboard": TensorBoard, "mlflow": MLflow}
    return [makers[name](folder) for name in names]


def parameters(record: Record) -> dict[str, Any]:
    """Return what a model was made with, in one level, as both show it."""
    values = record.trial.to_json()
    flat = {**values.pop("settings"), **values.pop("options", {}), **values}
    return {n: v if isinstance(v, (int, float, str)) else str(v) for n, v in flat.items()}


def figures(record: Record) -> dict[str, float]:
    """Return a model's figures, but for those that are undefined."""
    seconds = {"seconds": record.seconds, "epoch": float(record.epoch)}
    every = {**record.metrics, **seconds}
    return {name: value for name, value in every.items() if math.isfinite(value)}


class TensorBoard:
    """A run a model below tensorboard/ in the study's folder, with its parameters and figures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tensorboard"

    def add(self, records: Sequence[Record]) -> None:
        """Log models."""
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        for record in records:
            trial = record.trial
            name = "-".join([trial.dataset, *trial.protected, trial.method, trial.key])
            if (self._folder / name).exists():
                continue
            with SummaryWriter(str(self._folder / name)) as writer:
                # SummaryWriter.add_hparams would open a second file, of a folder below this one.
                for part in hparams(parameters(record), figures(record)):
                    writer.file_writer.add_summary(part)
                for figure, value in figures(record).items():
                    writer.add_scalar(figure, value)
                writer.add_text("error", record.error or "none")

    def close(self) -> None:
        """Nothing is left: each model's file is closed."""


class MLflow:
    """A run a model, in an experiment that is named as the study's folder is.

    Where MLFLOW_TRACKING_URI says, or in mlflow.db in the study's folder.
    """

    def __init__(self, folder: Path) -> None:
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"
        self._client = MlflowClient(uri)
        there = self._client.get_experiment_by_name(folder.name)
        if there is None:
            # Nothing is put there; but where it would be is not the working directory.
            place = (folder / "mlartifacts").as_uri()
            self._experiment = self._client.create_experiment(folder.name, place)
        else:
            self._experiment = there.experiment_id
        self._logged: set[str] = set()
        token: str | None = None
        while token != "":
            found = self._client.search_runs([self._experiment], page_token=token)
            self._logged |= {run.data.tags.get("key", "") for run in found}
            token = found.token or ""

    def add(self, records: Sequence[Record]) -> None:
        """Log models."""
        from mlflow.entities import Metric, Param, RunTag

        for record in records:
            key = record.trial.key
            if key in self._logged:
                continue
            run = self._client.create_run(self._experiment, run_name=f"{record.trial.method}-{key}")
            now = run.info.start_time
            seen = {"key": key, "constant": str(record.constant), "error": record.error}
            self._client.log_batch(
                run.info.run_id,
                metrics=[Metric(n, v, now, 0) for n, v in figures(record).items()],
                params=[Param(n, str(v)) for n, v in parameters(record).items()],
                tags=[RunTag(n, v) for n, v in seen.items()],
            )
            self._client.set_terminated(run.info.run_id)
            self._logged.add(key)

    def close(self) -> None:
        """Nothing is left: each model's run is ended."""
