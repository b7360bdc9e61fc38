"""The script of a page: modules in order, each with names of its own, and nothing misunderstood."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import grad_ext.report
from grad_ext.report.assets import asset, bundle, script

WEB = Path(grad_ext.report.__file__).parent / "web"


def run(source):
    """Return the lines that a script prints."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run([node, "-"], input=source, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_each_module_runs_once_after_those_that_it_imports():
    modules = {
        "main.js": (
            '// The page.\nimport { a } from "./a.js";\nimport { b } from "./b.js";\n'
            'console.log("main", a + b);'
        ),
        "a.js": 'import { c } from "./c.js";\nconsole.log("a");\nexport const a = c + 1;\n',
        "b.js": 'import { c } from "./c.js";\nconsole.log("b");\nexport const b = c + 2;\n',
        "c.js": 'console.log("c");\nexport const c = 10;\n',
        "unused.js": 'console.log("unused");\n',
    }
    assert run(bundle(modules, "main.js")) == ["c", "a", "b", "main 23"]


def test_only_what_a_module_exports_is_visible_to_others():
    modules = {
        "main.js": (
            'import {\n  first,\n  second,\n} from "./a.js";\n'
            'import { third } from "./b.js";\n'
            "const own = 1;\n"
            "const hidden = typeof secret + typeof inner + typeof globalThis.own;\n"
            "third().then((value) => console.log(first(), second, value, own, hidden));\n"
        ),
        "a.js": (
            "const secret = 2;\nconst own = 3;\n"
            "export function first() {\n  return secret * own;\n}\nexport const second = own;\n"
        ),
        "b.js": (
            "const own = 7;\nfunction inner() {\n  return own;\n}\n"
            "export async function third() {\n  return inner();\n}\n// The end."
        ),
    }
    assert run(bundle(modules, "main.js")) == ["6 3 7 1 undefinedundefinedundefined"]


@pytest.mark.parametrize(
    "statement",
    [
        'import a from "./a.js";',
        'import * as all from "./a.js";',
        'import { a as b } from "./a.js";',
        'import { a, b as c } from "./a.js";',
        'import "./a.js";',
        'import { a } from "a";',
        'import { a } from "../a.js";',
        'import { a } from "https://example.org/a.js";',
        'const b = 1;\nimport { a } from "./a.js";',
        '/* The page. */ import { a } from "./a.js";\nimport { a } from "./a.js";',
        'const later = import("./a.js");',
        "const here = import.meta.url;",
        "export default 1;",
        "export let b = 1;",
        "export class B {}",
        "const b = 1;\nexport { b };",
        'export * from "./a.js";',
        "export const { b } = {};",
        "export function* b() {}",
        "await later;",
        "const b = await later;",
        'const end = "</script>";',
        'const end = "</SCRIPT>";',
        'const comment = "<!--";',
        "const $modules = {};",
    ],
)
def test_what_the_bundle_does_not_understand_is_refused(statement):
    modules = {"main.js": f"// The page.\n{statement}\n", "a.js": "export const a = 1;\n"}
    line = statement.splitlines()[-1]
    with pytest.raises(ValueError, match=rf"main\.js: .*{re.escape(repr(line))}"):
        bundle(modules, "main.js")


def test_a_missing_module_or_name_is_named():
    modules = {"main.js": 'import { b } from "./a.js";\n', "a.js": "const b = 1;\n"}
    with pytest.raises(ValueError, match=r"main\.js: a\.js .*\bb$"):
        bundle(modules, "main.js")
    del modules["a.js"]
    with pytest.raises(ValueError, match=r"main\.js: .* a\.js"):
        bundle(modules, "main.js")
    with pytest.raises(ValueError, match=r"other\.js"):
        bundle(modules, "other.js")


def test_a_circle_of_imports_is_named():
    modules = {
        "main.js": 'import { a } from "./a.js";\n',
        "a.js": 'import { b } from "./b.js";\nexport const a = b;\n',
        "b.js": 'import { a } from "./a.js";\nexport const b = a;\n',
    }
    with pytest.raises(ValueError, match=r"main\.js -> a\.js -> b\.js -> a\.js"):
        bundle(modules, "main.js")


def test_the_pages_script_has_every_module_once_and_loads_nothing():
    text = script("main.js")
    names = re.findall(r'^\$modules\["(.+)"\] = ', text, re.MULTILINE)
    assert sorted(names) == sorted(path.name for path in WEB.glob("*.js"))
    assert names[-1] == "main.js"
    assert not re.search(r"^\s*(?:import|export)\b", text, re.MULTILINE)
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|Worker|WebSocket)\b", text)
    # The one address is the name of a format.
    assert set(re.findall(r"\w+://[^\"]+", text)) == {"http://www.w3.org/2000/svg"}
    for name in ("report.css", "explorer.html"):
        assert not re.search(r"://|\burl\(|@import|\bsrc=|\bhref=", asset(name))
