"""Groups of options: dataclasses that commands list as parameters, and that typer sees as options.

A group is a subclass of `Options` whose fields are options, or further groups:

    @app.command()
    @with_options
    def status(split: SplitOptions, folder: Annotated[Path, typer.Argument()]) -> int: ...

`with_options` also adds `--json` and `--quiet`, which every command takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, ClassVar, TypeVar, get_type_hints

import typer

from grad_ext.cli.output import output

Result = TypeVar("Result")


class Options:
    """Base class of the groups of options.

    Attributes
    ----------
    panel : str or None
        Heading of the options in the help of a command.
    """

    panel: ClassVar[str | None] = None


def with_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """Return a command for typer whose parameters are the options of the command's groups."""

    @wraps(command)
    def run(**values: Any) -> Result:
        return command(**_arguments(command, values))

    parameters = [*_parameters(command), *_parameters(PrintOptions)]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Options)


def _parameters(owner: Callable[..., Any]) -> Iterator[Parameter]:
    """Yield the options of a command or group, those of the groups in it included."""
    hints = get_type_hints(owner, include_extras=True)
    for parameter in signature(owner).parameters.values():
        kind = hints[parameter.name]
        if _is_group(kind):
            yield from _parameters(kind)
        else:
            annotation = _in_panel(kind, getattr(owner, "panel", None))
            yield parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=annotation)


def _in_panel(kind: Any, panel: str | None) -> Any:
    """Return an option's annotation with the heading that its help is shown under."""
    if panel is None:
        return kind
    option = copy(kind.__metadata__[0])
    option.rich_help_panel = panel
    return Annotated[kind.__origin__, option]


def _arguments(owner: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a command or group, given the values of all options."""
    hints = get_type_hints(owner)
    return {
        name: hints[name](**_arguments(hints[name], values))
        if _is_group(hints[name])
        else values[name]
        for name in signature(owner).parameters
    }


def _print_json(wanted: bool) -> None:
    if wanted:
        output().to_json()


def _print_paths(wanted: bool) -> None:
    if wanted:
        output().quiet = True


@dataclass(frozen=True, kw_only=True)
class PrintOptions(Options):
    """What is printed; the callbacks set it in `output()`, and commands do not receive this group."""

    panel = "Output"

    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            callback=_print_json,
            is_eager=True,
            help="Print the result as one JSON document, and nothing else on standard output.",
        ),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            callback=_print_paths,
            is_eager=True,
            help="Print only the paths of the results, no progress and no tables.",
        ),
    ] = False


def help_without_command(context: typer.Context) -> None:
    """Print the help of a group of commands if none of them is named.

    Raises
    ------
    typer.Exit
        With code 2, after the help is printed.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
