"""Every example in README.md and docs/ runs, and prints what the page says it prints.

The Python blocks of a page run one after another in one namespace; a ``text`` block after one is
what it prints; a ``console`` block's lines that begin with ``$ grad-ext`` are handed to the command
in this process, since starting one takes longer than most of them: `command.grad_ext` has the tests
of the command in a process of its own. For the same reason studies have one CPU here, and what needs
Ray shares one, which changes nothing that they show.

Another processor rounds otherwise, and training multiplies what rounding does until a model differs
as one of another seed would. A comment before a ``text`` block says by how much its figures may
differ for that: `<!-- figures within 0.2 on any processor -->`. It was measured with initial weights
that were moved by a few of their last bits. What an audit concludes from such figures is left out.
"""

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from grad_ext.cli import main

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts),
]
BLOCK = re.compile(
    r"^(?:<!-- figures within (\S+) on any processor -->\n)?```(\w+)\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"-?\d+\.\d*")
# What a figure may differ by of which no page says more: solvers stop a step earlier or later.
LAST_DIGITS = 0.011
CONCLUSION = re.compile(r"; (it can|even from) .*")

NEEDS_RAY = re.compile(r"^from ray|^\$ grad-ext sweep search", re.MULTILINE)
STUDY = re.compile(r"sweep (?!status)|compare|reproduce")


def run(line):
    """Run what a line hands to the command."""
    one = " --num-cpus 1" if STUDY.match(line) else ""
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(shlex.split(line + one)) == 0, line


def agree(printed, promised, within):
    """Compare words, whatever space is between them, and figures that may differ by so much."""
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", promised).split()
    for got, expected in zip(NUMBER.findall(printed), NUMBER.findall(promised), strict=True):
        assert float(got) == pytest.approx(float(expected), abs=within), printed


@pytest.fixture
def registries():
    """Undo what a page adds to the library's registries: later tests in this process ask them."""
    kept = [
        (value, value.copy())
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "grad_ext"
        for attribute, value in vars(module).items()
        if not attribute.startswith("_") and isinstance(value, dict | list)
    ]
    yield
    for registry, before in kept:
        registry.clear()
        if isinstance(registry, dict):
            registry.update(before)
        else:
            registry.extend(before)


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples(page, request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace, printed = {"__name__": "example"}, ""
    for within, kind, code in BLOCK.findall(page.read_text()):
        if NEEDS_RAY.search(code):
            request.getfixturevalue("running_ray")
        if kind == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, str(page), "exec"), namespace)  # noqa: S102
            printed = out.getvalue()
        elif kind == "text":
            if within:
                printed, code = (CONCLUSION.sub("", text) for text in (printed, code))
            agree(printed, code, float(within or LAST_DIGITS))
        elif kind == "console":
            for line in code.splitlines():
                if line.startswith("$ grad-ext"):
                    run(line.removeprefix("$ grad-ext "))
        else:
            assert kind in {"sh", "json", "yaml"}, f"{page}: nobody runs a {kind} block"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
