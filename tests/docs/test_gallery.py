"""The gallery's programs: each runs, draws, and says beside what its figures are to be read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import PATIENCE

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("plot_*.py"))
# Runs a program, then saves each picture that it left in a name.
RUN = """
import runpy, sys
import matplotlib
matplotlib.use("Agg")
from matplotlib.figure import Figure
found = {id(v): v for v in runpy.run_path(sys.argv[1]).values() if isinstance(v, Figure)}
for number, figure in enumerate(found.values()):
    figure.savefig(f"{number}.png")
"""


def test_there_is_something_to_see():
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_and_draws(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(example)],
        cwd=tmp_path,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning:" not in done.stderr.replace("FutureWarning:", "")
    drawn = list(tmp_path.glob("*.png"))
    assert drawn
    assert all(path.stat().st_size > 5_000 for path in drawn)
    assert "majority class" in example.read_text() + done.stdout
