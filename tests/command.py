"""The `grad-ext` command, run as a user runs it: in a process of its own, whose output is a pipe."""

import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent / "grad-ext"


def grad_ext(*arguments, cwd=None, **environment):
    """Run the command to its end; arguments may be anything that has a text."""
    return subprocess.run(
        [BIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=500,
        check=False,
    )
