"""Read the web assets of a page and join its ES modules into one script, without a build tool."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

NAME = r"[A-Za-z_$][\w$]*"
IMPORT = re.compile(rf'import \{{\s*({NAME}(?:,\s*{NAME})*),?\s*\}} from "\./([\w-]+\.js)";\n')
EXPORT = re.compile(rf"^export (?=(?:const|(?:async )?function) ({NAME}))", re.MULTILINE)
HEAD = re.compile(rf"(?:\n|//.*\n|{IMPORT.pattern})*")
# Lines with an import below other code, another form of import or export, an await outside a
# function, what would end the script element, or the name that the bundle itself uses.
REFUSED = re.compile(
    r"^(?:\s*(?:import|export)\b|.*\bimport\s*[(.]|(?=\S).*\bawait\b"
    r"|.*</script|.*<!--|.*\$modules\b).*",
    re.MULTILINE | re.IGNORECASE,
)


def asset(name: str) -> str:
    """Return the text of a file in ``grad_ext/report/web``."""
    return files("grad_ext.report").joinpath("web", name).read_text(encoding="utf-8")


def script(entry: str) -> str:
    """Return a module of ``grad_ext/report/web`` and all that it imports as one script."""
    web = files("grad_ext.report").joinpath("web").iterdir()
    modules = {f.name: f.read_text(encoding="utf-8") for f in web if f.name.endswith(".js")}
    return bundle(modules, entry)


def bundle(modules: Mapping[str, str], entry: str) -> str:
    """Return ES modules as one script that runs each once, after the modules that it imports.

    Every module becomes a function of its own, so that only what it exports is visible to others.
    Imports are ``import { a, b } from "./file.js";`` above all other code; exports stand before
    ``const``, ``function`` or ``async function`` at the beginning of a line.

    Parameters
    ----------
    modules : mapping of str to str
        The source of each module by the name of its file.
    entry : str
        The name of the module to run.

    Raises
    ------
    ValueError
        If a module imports a file or a name that does not exist, imports itself through others, or
        has another form of import or export.
    """
    exports = {name: EXPORT.findall(source) for name, source in modules.items()}
    parts = [_function(name, modules[name], exports) for name in _in_order(modules, entry)]
    return '"use strict";\n(() => {\nconst $modules = {};\n' + "".join(parts) + "})();\n"


def _imports(source: str) -> Iterator[tuple[list[str], str]]:
    """Yield the names and the file of each import."""
    for names, path in IMPORT.findall(_head(source)):
        yield re.split(r",\s*", names), path


def _head(source: str) -> str:
    """Return the comments and imports with which a module begins."""
    match = HEAD.match(source)
    return match[0] if match else ""


def _in_order(modules: Mapping[str, str], entry: str) -> list[str]:
    """Return the modules that an entry needs, each after those that it imports."""
    order: list[str] = []

    def visit(name: str, importers: tuple[str, ...]) -> None:
        if name in importers:
            raise ValueError(f"circular import: {' -> '.join([*importers, name])}")
        if name not in modules:
            raise ValueError(f"{importers[-1] if importers else 'entry'}: no module {name}")
        if name in order:
            return
        for _, path in _imports(modules[name]):
            visit(path, (*importers, name))
        order.append(name)

    visit(entry, ())
    return order


def _function(name: str, source: str, exports: Mapping[str, list[str]]) -> str:
    """Return a module as a function that is called once and returns what the module exports."""
    for names, path in _imports(source):
        for each in names:
            if each not in exports[path]:
                raise ValueError(f"{name}: {path} does not export {each}")
    head = _head(source)
    body = EXPORT.sub("", source[len(head) :])
    if refused := REFUSED.search(body):
        raise ValueError(f"{name}: cannot bundle {refused[0].strip()!r}")
    head = IMPORT.sub(r'const { \1 } = $modules["\2"];\n', head)
    result = f"return {{ {', '.join(exports[name])} }};"
    return f'$modules["{name}"] = (() => {{\n{head}{body}\n{result}\n}})();\n'
