"""The kernels for GPUs, tested in processes of their own: Triton cannot be loaded after TensorFlow.

Where torch has not brought it, `make install` has put it apart from all else.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import PATIENCE

HERE, APART = Path(__file__).parent, Path(sys.prefix, "kernels")
# Where else Python looks for modules stays: a copy of grad-ext that is tested in place of the installed one.
PATHS = [*filter(None, [os.environ.get("PYTHONPATH")]), str(APART)]
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None and not (APART / "triton").exists(),
    reason="Triton is not installed, or has no build for this machine",
)


def run(*command):
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        timeout=PATIENCE,
        check=False,
    )


def test_against_torchs_own_operators():
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "kernels_alone.py"))
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\b7 passed", done.stdout), done.stdout[-500:]


TOGETHER = """
import sys
import tensorflow
import torch
from grad_ext.engine.dense import fuses

class Cuda:
    device, dtype = torch.device("cuda"), torch.float32

assert not fuses(Cuda(), 64)
assert "triton" not in sys.modules
"""


def test_where_tensorflow_is_loaded_they_are_left_alone():
    pytest.importorskip("tensorflow")
    done = run("-W", "ignore", "-c", TOGETHER)
    assert done.returncode == 0, done.stderr[-2000:]
