"""Groups of options: what they parse to, and that all commands share them."""

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import pytest
import typer
from typer.core import TyperOption
from typer.main import get_command

from grad_ext.cli import app
from grad_ext.cli.groups import Options, PrintOptions, with_options
from grad_ext.cli.options import (
    AuditOptions,
    DatasetOptions,
    EvaluationOptions,
    FileOptions,
    PackOptions,
    ResourceOptions,
    SplitOptions,
    StudyDatasetOptions,
    StudyOutputOptions,
    TrainingOptions,
)
from grad_ext.cli.sweep import RunOptions, StudyOptions
from grad_ext.data.lists import listed
from grad_ext.errors import InputError

STUDIES = ("sweep lambda", "sweep seed", "sweep grid", "sweep search")
# Commands that take each group.
COMMANDS = {
    FileOptions: (
        *(*STUDIES, "compare", "train", "fit", "evaluate", "audit", "card"),
        *("data info", "data describe"),
    ),
    DatasetOptions: ("compare", "fit", "evaluate", "audit", "card"),
    StudyDatasetOptions: STUDIES,
    StudyOptions: STUDIES,
    TrainingOptions: (*STUDIES, "fit", "audit"),
    SplitOptions: (*STUDIES, "fit", "evaluate", "audit", "card"),
    EvaluationOptions: ("compare", "reproduce"),
    AuditOptions: ("audit", "card"),
    ResourceOptions: (*STUDIES, "sweep plan", "reproduce"),
    PackOptions: ("sweep lambda", "sweep seed", "sweep grid", "sweep plan", "reproduce"),
    StudyOutputOptions: (*STUDIES, "sweep plan", "compare", "reproduce"),
    RunOptions: (*STUDIES, "sweep plan"),
    PrintOptions: (
        *("", "sweep", "data", *STUDIES, "sweep plan", "sweep status", "compare", "train"),
        *("audit", "card", "report", "reproduce", "data list", "data info", "data fetch"),
        *("data describe", "fit", "predict", "evaluate", "export", "benchmark"),
    ),
}


def commands(command, path=()):
    """Yield each command by name, groups of commands included."""
    yield " ".join(path), command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


def shown(command):
    """Return what the help shows of each option of a command, by the option's name."""
    return {
        parameter.name: (
            parameter.opts,
            parameter.help,
            parameter.default,
            parameter.multiple,
            parameter.rich_help_panel,
        )
        for parameter in command.params
        if isinstance(parameter, TyperOption)
    }


@pytest.mark.parametrize("group", COMMANDS, ids=lambda group: group.__name__)
def test_every_command_that_takes_a_group_has_its_options(group):
    def takes_group(options: group) -> None:
        """Take one group."""

    def takes_none() -> None:
        """Take no group; `with_options` adds that of what is printed."""

    single = typer.Typer(add_completion=False)
    single.command()(with_options(takes_none if group is PrintOptions else takes_group))
    expected = shown(get_command(single))
    takers = [
        name
        for name, command in commands(get_command(app))
        if expected.items() <= shown(command).items()
    ]
    assert sorted(takers) == sorted(COMMANDS[group])


def test_groups_are_nested_and_become_objects():
    @dataclass(frozen=True, kw_only=True)
    class Inner(Options):
        panel = "Inner panel"
        size: Annotated[int, typer.Option(help="A size.")] = 3

    @dataclass(frozen=True, kw_only=True)
    class Outer(Options):
        inner: Inner
        name: Annotated[str, typer.Option(help="A name.")] = "a"

    # Hints are looked up in the module.
    globals().update(Inner=Inner, Outer=Outer)
    calls = []

    @with_options
    def command(outer: Outer, last: Annotated[bool, typer.Option()] = False) -> int:
        """Do nothing."""
        calls.append((outer, last))
        return 7

    parameters = signature(command).parameters
    assert list(parameters) == ["size", "name", "last", "as_json", "quiet"]
    assert parameters["size"].annotation.__metadata__[0].rich_help_panel == "Inner panel"
    assert parameters["name"].annotation.__metadata__[0].rich_help_panel is None
    values = {"size": 5, "name": "b", "last": True, "as_json": False, "quiet": True}
    assert command(**values) == 7
    assert calls == [(Outer(inner=Inner(size=5), name="b"), True)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, None),
        ("", []),
        ("a", ["a"]),
        (" a, b ,,c ", ["a", "b", "c"]),
        ('"a,b",c', ["a,b", "c"]),
        ('c, "a,b"', ["c", "a,b"]),
        ('"say ""so""",x', ['say "so"', "x"]),
    ],
)
def test_lists_are_split_at_commas_outside_quotes(text, parts):
    assert listed(text) == parts


def test_an_open_quote_is_an_error():
    with pytest.raises(InputError, match='"a,b'):
        listed('"a,b')


def test_a_file_is_described_as_a_plan_takes_it():
    assert FileOptions().described() is None
    file = FileOptions(data="p.csv", label="y", features='"a,b",c', drop="d", groups="unit")
    assert file.described() == {
        "path": "p.csv",
        "label": "y",
        "features": ["a,b", "c"],
        "drop": ["d"],
        "groups": "unit",
    }
    read = FileOptions(
        data="p.csv", missing="drop", missing_values="-9,x", sep="tab", encoding="l1"
    )
    assert read.described() == {
        "path": "p.csv",
        "missing": "drop",
        "missing_values": ["-9", "x"],
        "sep": "tab",
        "encoding": "l1",
    }
    with pytest.raises(InputError, match=r"--weights .* --data"):
        FileOptions(weights="w").described()
    with pytest.raises(InputError, match=r"german and p\.csv"):
        file.described("german")


def test_one_data_set_is_loaded(tmp_path):
    assert DatasetOptions().table(FileOptions()).attribute_names == ("age",)
    german = DatasetOptions(dataset="german", protected="age,sex").table(FileOptions())
    assert german.attribute_names == ("age", "sex")
    path = tmp_path / "people.csv"
    path.write_text("y,sex,x\n1,f,1\n0,m,2\n1,m,3\n0,f,4\n")
    own = DatasetOptions(protected="sex").table(FileOptions(data=path, label="y"))
    assert (own.name, len(own), own.attribute_names) == ("people", 4, ("sex",))


def test_protected_sets():
    def sets(*texts):
        return StudyDatasetOptions(protected=list(texts)).protected_sets()

    assert StudyDatasetOptions().protected_sets() is None
    assert sets("age,sex", "sex") == [["age", "sex"], ["sex"]]
    by_name = {"german": [["age", "sex"], ["sex"]], "adult": [["race"]]}
    assert sets("german=age,sex", "adult=race", "german=sex") == by_name
    with pytest.raises(InputError, match="age and german=sex"):
        sets("age", "german=sex")
    conditions = StudyDatasetOptions(protected=["sex=Male,age>=25", "band=mid|old"])
    assert conditions.protected_sets(of_file=True) == [["sex=Male", "age>=25"], ["band=mid|old"]]
    assert StudyDatasetOptions().names() == ["german"]
    assert StudyDatasetOptions(dataset="german, adult").names() == ["german", "adult"]


def test_options_become_the_librarys_objects():
    assert TrainingOptions(recipe="paper", epochs=3).given() == {"recipe": "paper", "epochs": 3}
    evaluation = EvaluationOptions(prediction="score", k=7).config()
    assert (evaluation.prediction, evaluation.k) == ("score", 7)
    assert PackOptions(num_cpus=1, pack_size="8").resources().pack_size == 8
    assert PackOptions(pack_size="auto").resources().pack_size == "auto"
    assert ResourceOptions(num_cpus=1).resources().num_cpus == 1
    assert StudyOutputOptions(format="pdf, svg").formats() == ("pdf", "svg")
    with pytest.raises(InputError, match="'gif'"):
        StudyOutputOptions(format="gif").formats()
