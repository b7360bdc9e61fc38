"""The `grad-ext` command, run as a user runs it: in a process of its own, whose output is a pipe."""

import os
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent / "grad-ext"
# Seconds after which something counts as stuck: far more than it takes on the busiest machine.
PATIENCE = 1200.0


def grad_ext(*arguments, cwd=None, **environment):
    """Run the command to its end; arguments may be anything that has a text."""
    return subprocess.run(
        [BIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=PATIENCE,
        check=False,
    )


def wait_until(holds):
    """Look again and again whether something holds, until it does."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
