"""Loggers of finished models: TensorBoard and MLflow."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from grad_ext.errors import MissingToolkit, unknown
from grad_ext.files import plain_name
from grad_ext.trial import Record

# The package that each needs, and the extra that installs it.
NEEDS = {"tensorboard": ("tensorboardX", "tune"), "mlflow": ("mlflow", "mlflow")}


class Logger(Protocol):
    """Logs models, each of them once."""

    def add(self, records: Sequence[Record]) -> None:
        """Log models."""

    def close(self) -> None:
        """Write what is buffered."""


def checked_log(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of loggers, each of them once.

    Raises
    ------
    InputError
        If a name is unknown.
    MissingToolkit
        If the package of a logger is not installed.
    """
    for name in names:
        if name not in NEEDS:
            raise unknown("log", name, NEEDS)
        if find_spec(NEEDS[name][0]) is None:
            raise MissingToolkit(*NEEDS[name])
    return tuple(dict.fromkeys(names))


def loggers(names: Sequence[str], folder: Path) -> list[Logger]:
    """Return the loggers of a study by their names."""
    makers: Mapping[str, Callable[[Path], Logger]] = {"tensorboard": TensorBoard, "mlflow": MLflow}
    return [makers[name](folder) for name in names]


def parameters(record: Record) -> dict[str, Any]:
    """Return the settings of a model as one flat dict, which is what both loggers show."""
    values = record.trial.to_json()
    flat = {**values.pop("settings"), **values.pop("options", {}), **values}
    return {n: v if isinstance(v, (int, float, str)) else str(v) for n, v in flat.items()}


def metrics(record: Record) -> dict[str, float]:
    """Return a model's metrics, without those that are undefined."""
    seconds = {"seconds": record.seconds, "epoch": float(record.epoch)}
    every = {**record.metrics, **seconds}
    return {name: value for name, value in every.items() if math.isfinite(value)}


class TensorBoard:
    """Logs each model as a run below tensorboard/ in the study's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tensorboard"

    def add(self, records: Sequence[Record]) -> None:
        """Log models."""
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        for record in records:
            trial = record.trial
            name = plain_name(trial.dataset, *trial.protected, trial.method, trial.key)
            if (self._folder / name).exists():
                continue
            with SummaryWriter(str(self._folder / name)) as writer:
                # SummaryWriter.add_hparams would write a second file, to a folder below this one.
                for part in hparams(parameters(record), metrics(record)):
                    writer.file_writer.add_summary(part)
                for metric, value in metrics(record).items():
                    writer.add_scalar(metric, value)
                writer.add_text("error", record.error or "none")

    def close(self) -> None:
        """Do nothing: the file of each model is closed already."""


class MLflow:
    """Logs each model as a run of an experiment named after the study's folder.

    The experiment is stored at MLFLOW_TRACKING_URI, or in mlflow.db in the study's folder.
    """

    def __init__(self, folder: Path) -> None:
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"
        self._client = MlflowClient(uri)
        experiment = self._client.get_experiment_by_name(folder.name)
        if experiment is None:
            # There are no artifacts, but MLflow's default folder for them is the working directory.
            artifacts = (folder / "mlartifacts").as_uri()
            self._experiment = self._client.create_experiment(folder.name, artifacts)
        else:
            self._experiment = experiment.experiment_id
        self._logged: set[str] = set()
        token: str | None = None
        while token != "":
            runs = self._client.search_runs([self._experiment], page_token=token)
            self._logged |= {run.data.tags.get("key", "") for run in runs}
            token = runs.token or ""

    def add(self, records: Sequence[Record]) -> None:
        """Log models."""
        from mlflow.entities import Metric, Param, RunTag  # pyright: ignore[reportMissingImports]

        for record in records:
            key = record.trial.key
            if key in self._logged:
                continue
            run = self._client.create_run(self._experiment, run_name=f"{record.trial.method}-{key}")
            now = run.info.start_time
            tags = {"key": key, "constant": str(record.constant), "error": record.error}
            self._client.log_batch(
                run.info.run_id,
                metrics=[Metric(n, v, now, 0) for n, v in metrics(record).items()],
                params=[Param(n, str(v)) for n, v in parameters(record).items()],
                tags=[RunTag(n, v) for n, v in tags.items()],
            )
            self._client.set_terminated(run.info.run_id)
            self._logged.add(key)

    def close(self) -> None:
        """Do nothing: the run of each model is ended already."""
