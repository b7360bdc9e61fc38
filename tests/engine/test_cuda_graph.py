"""What only an NVIDIA GPU can show: recorded steps, packs without room, a study on it.

Skipped without one. The kernels are tested in test_kernels.py, there in Triton's interpreter too.
"""

import gc
import json
import subprocess
import sys

import pytest
import torch
from command import PATIENCE

import grad_ext.training.loop
from grad_ext.evaluation import evaluate
from grad_ext.method import GRAD
from grad_ext.sweeps.run.memory import model_bytes
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")


def trials(seeds, epochs=2, **settings):
    made = Settings(epochs=epochs, **settings)
    return [Trial("german", ("age", "sex"), 10.0, seed, settings=made) for seed in range(seeds)]


class AsUsual:
    """Takes every step as it is."""

    def __init__(self, step):
        self.step = step

    def __call__(self, rows):
        self.step(rows)


@pytest.mark.parametrize("recipe", ["paper", "steady"])
def test_recorded_steps_are_the_steps(german_problem, recipe, monkeypatch):
    # 640 rows: minibatches of two sizes, each of which is recorded after three steps.
    pack = trials(3, epochs=5, recipe=recipe, batch_size=96)
    recorded = evaluate(GRAD(device="cuda"), pack, german_problem)
    monkeypatch.setattr(grad_ext.training.loop, "Replay", AsUsual)
    usual = evaluate(GRAD(device="cuda"), pack, german_problem)
    for one, other in zip(recorded, usual, strict=True):
        assert one.metrics == other.metrics
        assert one.history == other.history


def test_a_pack_leaves_no_memory_taken(german_problem):
    def held():
        evaluate(GRAD(device="cuda"), trials(4, recipe="paper"), german_problem)
        gc.collect()
        torch.cuda.empty_cache()
        return torch.cuda.memory_allocated(), torch.cuda.memory_reserved()

    # What libraries keep for a stream comes with the first pack.
    first = held()
    assert [held() for _ in range(3)] == [first] * 3


# Of its own, since a process's share of the memory cannot be taken back. A pack of 2,048 has no room.
SCARCE = """
import json, sys
from pathlib import Path

import torch

from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import evaluate, prepare
from grad_ext.method import GRAD
from grad_ext.sweeps.run.memory import Widths, release
from grad_ext.sweeps.run.fitting import train_together
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

import grad_ext.sweeps.run.fitting
grad_ext.sweeps.run.fitting.assigned_device = lambda: "cuda"

settings = Settings(recipe="paper", epochs=3)
problem = prepare(split(load_dataset("german", ["age"])), settings)
trials = [Trial("german", ("age",), 1.0, seed, settings=settings) for seed in range(2048)]
kept, said, told = [], [], []


class Noted(Widths):
    def learn(self, trial, device, width):
        told.append(width)
        super().learn(trial, device, width)


train_together(trials[:2], problem, kept.append, said.append)
kept.clear()
release()
total = torch.cuda.mem_get_info()[1]
torch.cuda.set_per_process_memory_fraction(
    (torch.cuda.memory_reserved() + int(sys.argv[1])) / total
)
train_together(trials, problem, kept.append, said.append, widths=Noted(Path()))
torch.cuda.set_per_process_memory_fraction(1.0)
last = evaluate(GRAD(device="cuda"), [record.trial for record in kept[-1]], problem)
print(json.dumps({
    "sizes": [len(records) for records in kept],
    "told": told,
    "seeds": [record.trial.seed for records in kept for record in records],
    # As texts, since a figure that is no number is not equal to itself.
    "same": [str(record.metrics) for record in last]
    == [str(record.metrics) for record in kept[-1]],
}))
"""


def test_a_pack_without_room_is_halved_and_the_width_learned(german_problem, tmp_path):
    one = Trial("german", ("age",), 1.0, 0, settings=Settings(recipe="paper"))
    # What is counted for a model is about twice what a step takes whose layers are one kernel each.
    room = 300 * model_bytes(one, german_problem.training)
    done = subprocess.run(
        [sys.executable, "-c", SCARCE, str(room)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    print(found["sizes"], found["told"])
    assert found["seeds"] == list(range(2048))
    assert found["same"]
    assert found["told"][0] == 1024
    assert set(found["sizes"]) <= set(found["told"])
    learned = json.loads((tmp_path / "widths.json").read_text())
    assert list(learned.values()) == [min(found["told"])] == [min(found["sizes"])]


def test_a_study_on_it(tmp_path):
    pytest.importorskip("ray")
    from command import grad_ext as command

    where = tmp_path / "study"
    asked = ("sweep", "lambda", "--dataset", "german", "--values", "1,100", "--seeds", "3")
    done = command(*asked, "--gpus-per-pack", "1", "--out", where, "--epochs", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = (where / "results.csv").read_text().splitlines()
    assert len(rows) == 1 + 6
    assert (where / "report.html").exists()
    none = command(
        *asked, "--gpus-per-pack", "1", "--out", tmp_path / "none", CUDA_VISIBLE_DEVICES=""
    )
    assert none.returncode == 2
    assert "this machine has no GPU for packs" in none.stderr
    assert not (tmp_path / "none").exists()
