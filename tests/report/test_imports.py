"""Imports within the report run one way, step by step."""

import ast
from pathlib import Path

import pytest

import grad_ext.report

REPORT = Path(grad_ext.report.__file__).parent
# A module imports from its own step and from those before it.
STEPS = (
    {"tables", "published"},
    {"statistics"},
    {"findings"},
    {"sentences"},
    {"text_tables"},
    {"figures"},
    {"assets", "html"},
    {"explorer", "card"},
    {"pages"},
)
MODULES = [path.relative_to(REPORT) for path in sorted(REPORT.rglob("*.py"))]
# Packages that present reports, or audits with the report's parts.
ABOVE = ("grad_ext.auditing", "grad_ext.cli", "grad_ext.sweeps", "grad_ext.adapters")


def step_of(name):
    return next(i for i, names in enumerate(STEPS) if name in names)


@pytest.mark.parametrize("module", [m for m in MODULES if m.name != "__init__.py"], ids=str)
def test_no_module_imports_a_later_step(module):
    own = step_of(module.with_suffix("").parts[0])
    nodes = ast.walk(ast.parse((REPORT / module).read_text()))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not [name for name in names if name.startswith(ABOVE)]
    steps = [name.split(".")[2] for name in names if name.startswith("grad_ext.report.")]
    assert all(step_of(step) <= own for step in steps), steps
