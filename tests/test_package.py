"""What is installed, what an import loads, and which way imports point."""

import ast
import doctest
import importlib
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import grad_ext

ROOT = Path(__file__).parents[1]
HEAVY = (
    *("torch", "ray", "aif360", "fairlearn", "tensorflow", "sklearn", "pandas", "matplotlib"),
    *("scipy.spatial", "scipy.stats"),
)

FORBIDDEN = {
    "grad_ext": ("grad_ext.adapters", "grad_ext.sweeps", "aif360", "fairlearn", "ray"),
    "adapters": ("grad_ext.sweeps", "ray"),
    "sweeps": (),
}
# Looking up is for the composition root and the front door, and for one method of a user's comfort.
MAY_LOOK_UP = ("grad_ext/cli/", "grad_ext/__init__.py", "grad_ext/data/table.py")


def imported(path: Path) -> Iterator[str]:
    """Yield every module name that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: relative import"
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_no_file_imports_a_layer_above_it(folder):
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        if path.relative_to(ROOT).as_posix().startswith(MAY_LOOK_UP):
            continue
        for name in imported(path):
            for banned in FORBIDDEN[folder]:
                assert not f"{name}.".startswith(f"{banned}."), f"{path}: {name}"


def loaded_by(code: str) -> set[str]:
    """Return which heavy packages a fresh interpreter has loaded after some code."""
    script = f"import sys\n{code}\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_is_cheap():
    assert loaded_by("import grad_ext") == set()


def test_help_is_cheap():
    assert loaded_by("from grad_ext.cli import main; main(['--help'])") == set()
    assert loaded_by("from grad_ext.cli import main; main(['sweep', 'lambda', '--help'])") == set()


def test_a_process_that_trains_packs_loads_what_it_needs():
    """Every study waits for as many of these processes to start as there are CPUs."""
    code = "import grad_ext.sweeps.run.executors, grad_ext.evaluation"
    assert loaded_by(code) <= {"torch", "ray", "pandas"}


def test_data_and_metrics_need_neither_torch_nor_a_toolkit():
    code = "from grad_ext import load_dataset, delta; load_dataset('german')"
    assert loaded_by(code).isdisjoint({"torch", "ray", "aif360", "fairlearn", "tensorflow"})


def test_every_public_name_is_there():
    for name in grad_ext.__all__:
        assert callable(value := getattr(grad_ext, name)) or isinstance(value, dict)
        assert name in dir(grad_ext)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = grad_ext.nothing


@pytest.mark.parametrize("package", ["ray", "aif360"])
def test_a_missing_toolkit_is_named_with_its_extra(package):
    call = {
        "aif360": "from grad_ext import GRADInProcessing",
        "ray": "from grad_ext.cli import main; sys.exit(main(['sweep', 'lambda', '--out', 'x']))",
    }[package]
    code = f"import sys; sys.modules[{package!r}] = None; import os, tempfile; os.chdir(tempfile.mkdtemp())\n{call}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    extra = {"aif360": "aif360", "ray": "tune"}[package]
    assert f"{package} is not installed; pip install 'grad-ext[{extra}]'" in done.stderr
    assert done.returncode == {"aif360": 1, "ray": 2}[package]


def modules() -> list[str]:
    names = []
    for folder, package in (
        ("grad_ext", "grad_ext"),
        ("adapters", "grad_ext.adapters"),
        ("sweeps", "grad_ext.sweeps"),
    ):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            names.append(".".join([package, *(p for p in parts if p != "__init__")]))
    # Its tests are in a process of their own, with what they need: test_kernels.py.
    names.remove("grad_ext.engine.kernels")
    return names


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed


@pytest.mark.parametrize("name", modules())
def test_modules_and_public_callables_say_what_they_are(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for attribute, value in vars(module).items():
        own = getattr(value, "__module__", None) == name
        if own and callable(value) and not attribute.startswith("_"):
            assert value.__doc__, f"{name}.{attribute}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def test_a_wheel_puts_one_name_at_the_top(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"grad_ext"}
    for wanted in (
        "py.typed",
        "data/german.data.gz",
        "data/adult.test.gz",
        "adapters/aif360/datasets.py",
        "adapters/aif360/metrics.py",
        "sweeps/run/executors.py",
        "cli/sweep.py",
        "report/page.py",
    ):
        assert f"grad_ext/{wanted}" in names
    assert not [
        n
        for n in names
        if n.endswith((".pyc", "conftest.py")) or ("test" in n.split("/")[-1] and n.endswith(".py"))
    ]


def test_an_installed_wheel_works_and_leaks_no_name(wheel, tmp_path):
    """In an environment of its own that borrows this one's dependencies."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    site = next((tmp_path / "env").glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    borrowed = Path(sys.prefix) / site.relative_to(tmp_path / "env")
    # A plain path line: .pth files of the other folder, and so its editable finder, are not run.
    (site / "borrowed.pth").write_text(f"{borrowed}\n")
    code = (
        "from importlib.util import find_spec; import grad_ext;"
        "print(grad_ext.__file__, [find_spec(n) for n in ('adapters', 'sweeps', 'tests', 'docs')]);"
        "from grad_ext.sweeps.run.executors import run; from grad_ext import load_dataset;"
        "print(load_dataset('german').to_aif360().features.shape)"
    )
    done = subprocess.run(
        [tmp_path / "env/bin/python", "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert str(site) in first
    assert "[None, None, None, None]" in first
    assert second == "(1000, 61)"


def test_no_public_name_is_hidden_by_a_module_of_its_name():
    """Importing a submodule binds it on the package, over the name that is looked up there."""
    for name, home in grad_ext._HOMES.items():
        module = importlib.import_module(home)
        assert getattr(grad_ext, name) is getattr(module, name)
