"""Packs that memory has no room for: halved, tried again, and remembered. And what packs take."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import json
import math
import subprocess
import sys

import pytest
import torch
from command import PATIENCE

from grad_ext.sweeps.run.memory import (
    Widths,
    fit_in_parts,
    is_out_of_memory,
    model_bytes,
    pack_width,
)
from grad_ext.sweeps.run.packs import parts
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial


def trial(seed=0, lam=1.0, **settings):
    return Trial("german", ("age",), lam, seed, settings=Settings(recipe="paper", **settings))


# The process may take only so much more memory than it has, so a pack of 512 finds none.
SCARCE = """
import json, resource, sys
from pathlib import Path

from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluation import evaluate, prepare
from grad_ext.method import GRAD
from grad_ext.sweeps.run.memory import Widths
from grad_ext.sweeps.run.fitting import train_together
from grad_ext.training.settings import Settings
from grad_ext.trial import Trial

settings = Settings(recipe="paper", epochs=1)
problem = prepare(split(load_dataset("german", ["age"])), settings)
trials = [Trial("german", ("age",), 1.0, seed, settings=settings) for seed in range(512)]
kept, said, told = [], [], []


class Noted(Widths):
    def learn(self, trial, device, width):
        told.append(width)
        super().learn(trial, device, width)


train_together(trials[:2], problem, kept.append, said.append)
(size,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmSize" in line]
most = int(size.split()[1]) * 1024 + int(sys.argv[1])
kept.clear()
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (most, hard))
train_together(trials, problem, kept.append, said.append, widths=Noted(Path()))
resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
few = evaluate(GRAD(), trials[300:303], problem)
found = {record.trial.seed: record.metrics for records in kept for record in records}
print(json.dumps({
    "sizes": [len(records) for records in kept],
    "told": told,
    "seeds": [record.trial.seed for records in kept for record in records],
    "same": all(found[record.trial.seed] == record.metrics for record in few),
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system for a limit of memory")
def test_a_pack_without_room_is_halved_and_the_width_learned(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCARCE, str(150 * 2**20)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seeds"] == list(range(512))
    assert found["same"]
    sizes, told = found["sizes"], found["told"]
    assert told[0] == 256
    assert set(told) <= {2**power for power in range(9)}
    # Every pack that had room is half of one that had none, of which the width was learned.
    assert sum(sizes) == 512
    assert set(sizes) <= set(told)
    # The narrowest that was needed: what had room once may have none the next time.
    learned = json.loads((tmp_path / "widths.json").read_text())
    assert list(learned.values()) == [min(told)] == [min(sizes)]


def test_parts_of_what_has_no_room_by_hand():
    tried = []

    def train(part):
        tried.append([one.seed for one in part])
        if len(part) > 2:
            raise MemoryError
        return list(part)

    seeds, widths = [trial(seed) for seed in range(7)], Widths(None)
    found = list(fit_in_parts(seeds, "cpu", widths, train))
    assert [[one.seed for one in part] for part in found] == [[0], [1, 2], [3, 4], [5, 6]]
    assert tried == [
        *([0, 1, 2, 3, 4, 5, 6], [0, 1, 2], [0], [1, 2]),
        *([3, 4, 5, 6], [3, 4], [5, 6]),
    ]
    assert widths.most(seeds[0], "cpu") == 2
    tried.clear()
    list(fit_in_parts(seeds[:3], "cpu", widths, train))
    assert tried == [[0], [1, 2]]


def test_one_model_without_room_and_other_errors_are_raised():
    def full(part):
        raise MemoryError

    def wrong(part):
        raise RuntimeError("shapes cannot be multiplied")

    for train, error in ((full, MemoryError), (wrong, RuntimeError)):
        with pytest.raises(error):
            list(fit_in_parts([trial(0)], "cpu", Widths(None), train))
    with pytest.raises(RuntimeError, match="shapes"):
        list(fit_in_parts([trial(0), trial(1)], "cpu", Widths(None), wrong))


def test_what_says_that_memory_ran_out():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58)
    assert is_out_of_memory(caught.value)
    later = RuntimeError("the record is broken off")
    later.__context__ = torch.OutOfMemoryError()
    assert is_out_of_memory(later)


def test_widths_are_learned_by_kind_and_device_and_only_narrow(tmp_path):
    widths = Widths(tmp_path)
    assert widths.most(trial(), "cuda") is None
    widths.learn(trial(seed=3, lam=7.0), "cuda", 64)
    widths.learn(trial(), "cuda", 100)
    # Another seed or λ is another model of the same kind; other layers are another kind.
    assert Widths(tmp_path).most(trial(), "cuda") == 64
    assert widths.most(trial(), "cpu") is None
    assert widths.most(trial(trunk=(80, 80)), "cuda") is None
    # Learned elsewhere meanwhile.
    Widths(tmp_path).learn(trial(), "cuda", 16)
    assert widths.most(trial(), "cuda") == 16
    (tmp_path / "widths.json").write_text("{ damaged")
    assert widths.most(trial(), "cuda") == 64
    unreachable = Widths(tmp_path / "not" / "there")
    unreachable.learn(trial(), "cpu", 4)
    assert unreachable.most(trial(), "cpu") == 4


@pytest.mark.parametrize(("models", "most"), [(1, 1), (7, 3), (8, 4), (5, None), (4, 9)])
def test_parts_are_even_and_in_order(models, most):
    cut = parts([trial(seed) for seed in range(models)], most)
    assert [one.seed for part in cut for one in part] == list(range(models))
    assert len(cut) == (1 if most is None else math.ceil(models / most))
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


def test_what_a_model_takes_by_hand(german_problem):
    training = german_problem.training
    rows, features = training.X.shape
    settings = trial(trunk=(16,), branch=())
    # Trunk of 16 units with gain and shift; two heads of one number each with its bias.
    parameters = 16 * features + 2 * 16 + 2 * (16 + 1)
    assert rows == 640
    batch = 64
    step = batch * (12 * (16 + 2) + 2 * features)
    scoring = 4096 * 2 * 16 + rows
    expected = 4 * (6 * parameters + step + scoring) + 8 * rows
    assert model_bytes(settings, training) == expected
    assert pack_width(10.0 * expected, settings, training) == 8
    assert pack_width(1.0, settings, training) == 1
