"""Type-check the tests, the gallery and the Python blocks of every page, each page as one module.

Run by `make lint`. Tests have no annotations of their own: mypy checks inside them that every name,
attribute and argument exists. What pandas' and numpy's stubs cannot decide is left out.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Codes about operands and values whose types the stubs know too little of.
IGNORED = (
    *("arg-type", "assignment", "call-overload", "dict-item", "func-returns-value", "has-type"),
    *("index", "list-item", "misc", "no-redef", "operator", "union-attr", "valid-type"),
    "var-annotated",
)


def write_pages(folder: Path) -> None:
    """Write the Python blocks of each page as one module."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        if "_build" in page.parts:
            continue
        blocks = BLOCK.findall(page.read_text())
        if blocks:
            name = "_".join(page.relative_to(ROOT).with_suffix("").parts).replace("-", "_")
            (folder / f"page_{name}.py").write_text("\n".join(blocks))


def main() -> int:
    """Run mypy, and return its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        write_pages(Path(folder))
        command = [
            *(sys.executable, "-m", "mypy", "--config-file=", "--check-untyped-defs"),
            *("--ignore-missing-imports", "--explicit-package-bases", "--follow-imports=silent"),
            *(f"--disable-error-code={code}" for code in IGNORED),
            *("--exclude", "_build|gallery", "--no-warn-no-return"),
            *("tests", "docs/examples", "docs/conf.py", folder),
        ]
        paths = {"MYPYPATH": f"{ROOT}:{ROOT / 'tests'}:{folder}"}
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **paths}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
