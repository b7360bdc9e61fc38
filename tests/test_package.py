"""What is installed, what an import loads, and which way imports point."""

import ast
import doctest
import importlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import grad_ext

ROOT = Path(__file__).parents[1]
HEAVY = (
    *("torch", "ray", "aif360", "fairlearn", "tensorflow", "sklearn", "pandas", "matplotlib"),
    *("scipy.spatial", "scipy.stats"),
)

# The folders and files from the ground up: each may import from itself and from what stands before it.
FLOORS = (
    *("errors", "sinks", "files", "checks", "seeds", "versions", "codec", "outputs", "constraints"),
    *("engine.schedules", "training.checkpoint", "training.settings", "trial", "data", "metrics"),
    *("engine", "training", "method", "evaluation", "models"),
    *("report", "report.published", "report.tables", "report.statistics", "report.findings"),
    *("report.sentences", "report.text_tables", "report.figures", "report.assets", "report.html"),
    *("report.explorer", "report.card", "report.pages"),
    *("auditing", "adapters", "sweeps", "cli"),
)
# The only imports that look up, all inside functions: see docs/architecture.md.
LOOK_UP = {
    ("grad_ext.data.table", "grad_ext.adapters.aif360.datasets"),
    ("grad_ext.data.table", "grad_ext.data.source"),
    ("grad_ext.data.table", "grad_ext.data.bunch"),
}
TOOLKITS = {
    # The table imports it for the type of one method's result alone.
    "aif360": ("adapters.aif360", "data.table"),
    "fairlearn": ("adapters.fairlearn", "adapters.aif360"),
    "tensorflow": ("adapters.aif360",),
    "ray": ("sweeps",),
}


def sources() -> dict[str, Path]:
    """Return every module's file by the module's name, the front door left out."""
    found = {}
    for folder, package in (
        ("grad_ext", "grad_ext"),
        ("adapters", "grad_ext.adapters"),
        ("sweeps", "grad_ext.sweeps"),
    ):
        # Links are not followed, so adapters/ and sweeps/ come once.
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *(p for p in parts if p != "__init__")])] = path
    del found["grad_ext"]
    return found


SOURCES = sources()
# What a process gets that must find nothing but what is installed.
ALONE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def imported(path: Path) -> Iterator[str]:
    """Yield every module name that a file imports, at any depth, also lazily or for types alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: relative import"
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in SOURCES else node.module


@cache
def edges() -> dict[str, set[str]]:
    """Return which of our modules each one imports, but for those that may look up."""
    return {
        name: {
            other
            for other in imported(path)
            if other in SOURCES and other != name and (name, other) not in LOOK_UP
        }
        for name, path in SOURCES.items()
    }


def floor(module: str) -> int:
    """Return the number of a module's floor: that of the longest entry of `FLOORS` that holds it."""
    inside = module.removeprefix("grad_ext.")
    holding = [one for one in FLOORS if f"{inside}.".startswith(f"{one}.")]
    assert holding, f"{module} stands on no floor: add its folder to FLOORS and architecture.md"
    return FLOORS.index(max(holding, key=len))


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module):
    for other in edges()[module]:
        assert floor(other) <= floor(module), f"{module} imports {other}, which stands above it"


def test_no_imports_go_round_in_circles():
    """A module without unread imports is read; what is left when none is, is a circle."""
    left = dict(edges())
    while read := [name for name, others in left.items() if not others & left.keys()]:
        for name in read:
            del left[name]
    assert not left


def test_toolkits_are_imported_in_their_adapters_alone():
    for module, path in SOURCES.items():
        for name in imported(path):
            homes = TOOLKITS.get(name.split(".")[0], ("",))
            inside = module.removeprefix("grad_ext.")
            assert any(inside.startswith(home) for home in homes), f"{module} imports {name}"


def test_every_folder_says_in_a_line_what_it_is_for():
    for module, path in SOURCES.items():
        if path.name == "__init__.py":
            purpose = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
            assert purpose, f"{module} has no docstring"
            assert purpose[0].endswith("."), f"{module}: {purpose[0]}"


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
    code = "import grad_ext.sweeps.run.pack_worker, grad_ext.sweeps.run.fitting"
    assert loaded_by(code) <= {"torch", "pandas"}


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
        "ray": "from grad_ext.cli import main;"
        "sys.exit(main('sweep lambda --engine ray --out x'.split()))",
    }[package]
    code = f"import sys; sys.modules[{package!r}] = None; import os, tempfile; os.chdir(tempfile.mkdtemp())\n{call}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    extra = {"aif360": "aif360", "ray": "tune"}[package]
    assert f"{package} is not installed; pip install 'grad-ext[{extra}]'" in done.stderr
    assert done.returncode == {"aif360": 1, "ray": 2}[package]


def test_studies_on_this_machine_need_no_ray(tmp_path):
    code = (
        "import sys; sys.modules['ray'] = None; from grad_ext import StudyPlan;"
        "plan = StudyPlan('seed', seeds=2, settings={'epochs': 1}, out='study');"
        "print(len(plan.run(num_cpus=1).frame))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "2\n"


# The kernels' tests are in a process of their own, with what they need: engine/test_kernels.py.
MODULES = ["grad_ext", *sorted({*SOURCES} - {"grad_ext.engine.kernels"})]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed


@pytest.mark.parametrize("name", MODULES)
def test_modules_and_public_callables_say_what_they_are(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for attribute, value in vars(module).items():
        own = getattr(value, "__module__", None) == name
        if own and callable(value) and not attribute.startswith("_"):
            assert value.__doc__, f"{name}.{attribute}"


def pip_wheel(source: Path, folder: Path) -> Path:
    """Build a wheel of a tree or an sdist, and return its path."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", folder, source),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what the packages are built from: building writes into the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in (".src", "grad_ext", "adapters", "sweeps"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    return pip_wheel(tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    build = f"import setuptools.build_meta as b; print(b.build_sdist({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz"))


def package_files() -> set[str]:
    """Return the files that an installed package has, by their names in a wheel."""
    inside = {
        ("grad_ext", "grad_ext"),
        ("adapters", "grad_ext/adapters"),
        ("sweeps", "grad_ext/sweeps"),
    }
    return {
        f"{target}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, target in inside
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def own_files(wheel: Path) -> list[str]:
    return [n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n]


def test_a_wheel_holds_every_file_once_below_one_name(wheel):
    assert sorted(own_files(wheel)) == sorted(package_files())


def test_an_sdist_holds_every_file_once_and_builds_the_same_wheel(sdist, wheel, tmp_path):
    with tarfile.open(sdist) as archive:
        names = [m.name.split("/", 1)[1] for m in archive.getmembers() if m.isfile()]
    assert not [n for n in names if n.startswith(("grad_ext/", "adapters/", "sweeps/"))]
    held = [n.removeprefix(".src/") for n in names if n.startswith(".src/grad_ext/")]
    assert sorted(held) == sorted(package_files())
    again = pip_wheel(sdist, tmp_path)
    assert sorted(own_files(again)) == sorted(own_files(wheel))


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
        "from grad_ext.sweeps.folder import StudyDirectory; from grad_ext import load_dataset;"
        "print(load_dataset('german').to_aif360().features.shape)"
    )
    done = subprocess.run(
        [tmp_path / "env/bin/python", "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        env=ALONE,
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


def test_type_checkers_resolve_an_editable_install_from_elsewhere(tree, tmp_path):
    """What an editable install puts on the path is a folder with nothing but the package."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env/bin/python"
    build = f"import setuptools.build_meta as b; b.build_editable({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    site = next((tmp_path / "env").glob("lib/python*/site-packages"))
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(site)
    code = (
        "from importlib.util import find_spec as f; print(f('adapters'), f('sweeps'), f('tests'))"
    )
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True, env=ALONE
    )
    assert done.stdout.split() == ["None"] * 3
    names = [name for name in SOURCES if not name.endswith(".kernels")]
    (tmp_path / "user.py").write_text("\n".join(f"import {name}" for name in names))
    checker = Path(sys.executable).with_name("basedpyright")
    checked = subprocess.run(
        [checker, "--pythonpath", python, "--outputjson", "user.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    found = json.loads(checked.stdout)["generalDiagnostics"]
    assert not [one for one in found if one["severity"] == "error"]


def test_tests_lie_as_the_modules_do():
    """One file a module; what goes through several modules lies in folders of its own."""
    modules = {
        path.relative_to(ROOT / folder).as_posix()
        if folder == "grad_ext"
        else path.relative_to(ROOT).as_posix()
        for folder in ("grad_ext", "adapters", "sweeps")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".js"}
    }
    folders = {str(Path(module).parent) for module in modules}
    for path in (ROOT / "tests").rglob("test_*.py"):
        place = path.relative_to(ROOT / "tests")
        if place.parts[0] in {"properties", "docs"} or place.name == "test_package.py":
            continue
        stem = place.stem.removeprefix("test_")
        named = {f"{place.parent}/{stem}{suffix}".removeprefix("./") for suffix in (".py", ".js")}
        package = f"{place.parent}/{stem}".removeprefix("./")
        assert named & modules or package in folders, f"{place} is the test of no module"
