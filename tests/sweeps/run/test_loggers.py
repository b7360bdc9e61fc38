"""Models logged to TensorBoard and MLflow."""

import struct
from importlib.util import find_spec

import pytest

from grad_ext.errors import InputError, MissingToolkit
from grad_ext.sweeps.run.loggers import checked_log, loggers
from grad_ext.trial import Record, Trial

NAN = float("nan")


def record(seed=0, **changes):
    figures = {"accuracy": 0.7, "delta": NAN, "validation_balanced_delta": 0.1 * seed}
    figures |= {"validation_accuracy": 0.6, "validation_discrimination": 0.05}
    return Record(Trial("german", ("age",), 10.0, seed), figures, 3, False, False, 0.5, **changes)


def events(folder):
    """Return the scalars of a TensorBoard run, read from its file's records."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in folder.glob("events.*"):
        content = path.read_bytes()
        while content:
            (size,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + size])
            found |= {v.tag: v.simple_value for v in event.summary.value if v.simple_value}
            content = content[16 + size :]
    return found


@pytest.mark.parametrize("name", ["sex/gender", "../../up", "long" * 100, "a\0b"])
def test_names_make_no_folders_of_tensorboard(tmp_path, name):
    (logger,) = loggers(["tensorboard"], tmp_path / "study")
    one = Record(Trial(name, (name,), 10.0, 0), {"accuracy": 0.7}, 3, False, False, 0.5)
    logger.add([one])
    logger.add([one])
    logger.close()
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
    (folder,) = (tmp_path / "study" / "tensorboard").iterdir()
    assert folder.name.endswith(one.trial.key)
    assert [path.name.split(".")[0] for path in folder.iterdir()] == ["events"]


def test_models_are_logged_to_tensorboard_once(tmp_path):
    for records in ([record(1)], [record(1), record(2)]):
        (logger,) = loggers(["tensorboard"], tmp_path)
        logger.add(records)
        logger.close()
    runs = sorted((tmp_path / "tensorboard").iterdir())
    assert [run.name for run in runs] == sorted(
        f"german-age-GRAD-Pred-{record(seed).trial.key}" for seed in (1, 2)
    )
    for run in runs:
        assert len(list(run.glob("events.*"))) == 1
        scalars = events(run)
        assert scalars["accuracy"] == pytest.approx(0.7)
        # What is undefined is left out.
        assert "delta" not in scalars


@pytest.mark.skipif(find_spec("mlflow") is None, reason="mlflow is not installed")
@pytest.mark.filterwarnings("ignore")
def test_models_are_logged_to_mlflow_once(tmp_path):
    from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

    for records in ([record(1)], [record(1), record(2, error="diverged")]):
        (logger,) = loggers(["mlflow"], tmp_path)
        logger.add(records)
        logger.close()
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(tmp_path.name)
    runs = client.search_runs([experiment.experiment_id])
    assert {run.data.tags["key"] for run in runs} == {record(s).trial.key for s in (1, 2)}
    assert sorted(run.data.params["seed"] for run in runs) == ["1", "2"]
    assert all(run.data.metrics["accuracy"] == 0.7 for run in runs)


def test_logs_that_are_not_there():
    assert checked_log(["tensorboard", "tensorboard"]) == ("tensorboard",)
    with pytest.raises(InputError, match="unknown log 'tensorbord': did you mean 'tensorboard'"):
        checked_log(["tensorbord"])
    if find_spec("mlflow") is None:
        with pytest.raises(MissingToolkit, match=r"pip install 'grad-ext\[mlflow\]' brings it"):
            checked_log(["mlflow"])
