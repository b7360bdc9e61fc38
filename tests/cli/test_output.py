"""Output of the command line for scripts: JSON, quiet, formats, help, completion, no colour in a pipe."""

import json
import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest
from command import BIN, grad_ext

from grad_ext.cli import complete, main
from grad_ext.cli.output import plain
from grad_ext.cli.sweep import StudyOptions
from grad_ext.data.catalog import DATA_SETS, FAMILIES
from grad_ext.sweeps.run.resources import ENGINES
from grad_ext.sweeps.studies.kinds import BUILT_IN, KINDS, study_kind
from grad_ext.sweeps.studies.methods import METHODS
from grad_ext.sweeps.studies.reproduction import TABLES
from grad_ext.training.checkpoint import rule_named

pytestmark = pytest.mark.long

ESCAPE = "\x1b"
# What `data list` lists.
NAMED = [*DATA_SETS, *(family.form for family in FAMILIES.values())]
STUDY = "sweep lambda --values 1,100 --seeds 1 --epochs 2 --recipe paper --num-cpus 1 --out one"
BINS = [
    [],
    ["compare"],
    ["train"],
    ["audit"],
    ["card"],
    ["report"],
    ["reproduce"],
    ["sweep"],
    *(["sweep", name] for name in ("lambda", "seed", "grid", "search", "plan", "status")),
    ["data"],
    *(["data", name] for name in ("list", "info", "fetch")),
]


def run(*arguments, cwd=None, **environment):
    """Run the command, and check that its output to a pipe has no colour."""
    done = grad_ext(*arguments, cwd=cwd, **environment)
    assert ESCAPE not in done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study in it, and the JSON document that the command printed."""
    path = tmp_path_factory.mktemp("studies")
    done = run(*STUDY.split(), "--json", "--format", "pdf", cwd=path)
    assert done.returncode == 0, done.stderr
    (path / "document.json").write_text(done.stdout)
    return path


def test_a_study_prints_one_document(folder):
    document = json.loads((folder / "document.json").read_text())
    frame = pd.read_csv(folder / "one" / "results.csv")
    assert document["study"] == str(folder / "one")
    assert document["report"] == str(folder / "one" / "report.html")
    assert (document["models"], document["done"], document["failed"]) == (2, 2, 0)
    assert [row["lam"] for row in document["rows"]] == [1.0, 100.0]
    for row, accuracy in zip(document["rows"], frame["accuracy"], strict=True):
        assert row["accuracy"] == pytest.approx(accuracy)
        # A single model has no standard deviation.
        assert row["accuracy_std"] is None
    [majority] = document["majority"]
    assert (majority["dataset"], majority["protected"]) == ("german", "age")
    assert majority["accuracy"] == pytest.approx(frame["majority_accuracy"].mean())
    assert document["sentences"]
    assert all(isinstance(sentence, str) for sentence in document["sentences"])


def test_figures_have_the_formats_of_the_option(folder):
    kinds = {path.suffix for path in (folder / "one").glob("*.*") if path.stem == "lambda"}
    assert kinds == {".pdf"}


@pytest.mark.parametrize(
    "arguments",
    ["--json sweep status one", "sweep --json status one", "sweep status one --json"],
)
def test_the_option_may_be_anywhere_on_the_command_line(folder, arguments):
    document = json.loads(run(*arguments.split(), cwd=folder).stdout)
    assert document["study"] == str(folder / "one")
    assert (document["kind"], document["models"], document["done"]) == ("lambda", 2, 2)
    assert document["running"] is False
    assert document["run"]["models"] == 2


def documents(folder, monkeypatch, capsys, *arguments):
    monkeypatch.chdir(folder)
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_commands_print_their_result_as_json(folder, monkeypatch, capsys):
    def printed(line):
        return documents(folder, monkeypatch, capsys, *line.split())

    assert printed("report one")["report"] == str(folder / "one" / "report.html")
    trained = printed("train one 1 --save model.safetensors")
    assert trained["model"] == "model.safetensors"
    assert trained["differing"] == []
    assert trained["rows"][0]["metric"] == "accuracy"
    assert trained["rows"][0]["retrained"] == trained["rows"][0]["study"]
    assert printed("card model.safetensors")["card"] == "model.card.md"
    audited = printed("audit model.safetensors --folds 2 --out audit")
    assert audited["table"] == str(folder / "audit" / "audit.csv")
    written = pd.read_csv(folder / "audit" / "audit.csv")
    assert [row["auc"] for row in audited["rows"]] == pytest.approx(written["auc"].tolist())
    listed = printed("data list")["rows"]
    assert [row["name"] for row in listed] == NAMED
    assert next(row for row in listed if row["name"] == "health")["rows"] is None
    german = printed("data info german")
    assert german["majority"] == 0.7
    assert [group["rows"] for group in german["groups"][:2]] == [190, 810]
    assert printed("data fetch german") == {"name": "german", "files": {}}


def test_comparisons_and_reproductions_print_json(tmp_path, monkeypatch, capsys):
    compared = documents(
        tmp_path, monkeypatch, capsys,
        *("compare", "--methods", "majority,logistic", "--seeds", "1", "--no-hyperparameters"),
        *("--num-cpus", "1", "--out", "c", "--format", "pdf"),
    )  # fmt: skip
    assert [row["method"] for row in compared["rows"]] == ["majority", "logistic"]
    assert (compared["models"], compared["done"], compared["failed"]) == (2, 2, 0)
    assert compared["majority"]["accuracy"] == pytest.approx(0.7)
    assert (tmp_path / "c" / "plane.pdf").exists()
    assert not (tmp_path / "c" / "plane.png").exists()
    reproduced = documents(
        tmp_path, monkeypatch, capsys,
        *("reproduce", "table1", "--datasets", "german", "--seeds", "1", "--recipes", "steady"),
        *("--epochs", "1", "--num-cpus", "1", "--out", "r"),
    )  # fmt: skip
    published = [row for row in reproduced["rows"] if row["recipe"] == "as published"]
    assert published
    assert all(row["mean"] is None for row in published)
    assert reproduced["done"] == reproduced["models"]
    assert {row["dataset"] for row in reproduced["majority"]} == {"german"}


def test_quiet_prints_the_paths_only(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main([*STUDY.split(), "--quiet"]) == 0
    printed = capsys.readouterr()
    assert [line.partition(": ")[2] for line in printed.out.splitlines()] == [
        str(folder / "one"),
        str(folder / "one" / "report.html"),
    ]
    assert printed.err == ""
    assert main(["--quiet", "data", "list"]) == 0
    assert capsys.readouterr().out.split() == NAMED
    assert main(["sweep", "status", "one", "--quiet"]) == 0
    assert capsys.readouterr().out == "lambda study: 2 of 2 models\n"
    # The option does not affect the next run.
    assert main(["sweep", "status", "one"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_errors_stay_on_the_standard_error(tmp_path):
    done = run("sweep", "status", str(tmp_path), "--json", "--quiet")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert str(tmp_path) in done.stderr
    done = run("train", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("See grad-ext train --help\n")
    done = run("sweep", "lambda", "--format", "gif", "--out", str(tmp_path / "new"))
    assert "unknown format 'gif'" in done.stderr
    assert not (tmp_path / "new").exists()


def test_output_of_libraries_and_child_processes_is_not_in_the_document():
    code = """if True:
    import os, sys
    from grad_ext.cli.output import printing
    with printing() as out:
        out.to_json()
        print("a library")
        os.system("echo a child")
        out.table("a title", ["a heading"], [["a cell"]])
        out.document({"a": float("nan")})
    print("after")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = done.stdout.rsplit("}", 1)
    assert json.loads(before + "}") == {"a": None}
    assert after == "\nafter\n"
    assert done.stderr.splitlines() == ["a library", "a child"]


def test_values_become_json_types():
    frame = pd.DataFrame({"a": [1.5, math.nan], "b": ["x", None]})
    values = {"f": frame, "p": Path("x"), "n": np.int64(3), "i": [math.inf, np.float32(0.5)]}
    assert plain(values) == {
        "f": [{"a": 1.5, "b": "x"}, {"a": None, "b": None}],
        "p": "x",
        "n": 3,
        "i": [None, 0.5],
    }


@pytest.mark.parametrize("command", BINS, ids=lambda command: " ".join(command) or "grad-ext")
def test_every_help_has_an_example_and_fits(command, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    main([*command, "--help"])
    text = capsys.readouterr().out
    assert re.search(r"Examples?: grad-ext ", text)
    assert max(map(len, text.splitlines())) <= 80
    assert ESCAPE not in text
    assert all(option in text for option in ("--json", "--quiet"))


def test_the_help_lists_the_default_numbers_of_seeds():
    option = get_type_hints(StudyOptions, include_extras=True)["seeds"].__metadata__[0]
    names = [name for name in KINDS if name in BUILT_IN]
    assert all(f"{study_kind(name).seeds} ({name})" in option.help for name in names)


def coloured(**environment):
    """Return whether help is in colour on a terminal."""
    reader, terminal = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    env |= {"TERM": "xterm-256color", **environment}
    with subprocess.Popen([BIN, "--help"], stdout=terminal, env=env) as process:
        os.close(terminal)
        text = b""
        while True:
            try:
                part = os.read(reader, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
    os.close(reader)
    assert process.returncode == 0
    assert b"Usage" in text
    # 30 to 38 and 90 to 97 are foreground colours, 40 to 48 are background colours.
    codes = re.findall(rb"\x1b\[([\d;]*)m", text)
    return any(re.search(rb"(^|;)(3[0-8]|4[0-8]|9[0-7])(;|$)", code) for code in codes)


def test_terminals_have_colour_unless_the_user_turns_it_off():
    assert coloured()
    assert not coloured(NO_COLOR="1")


def completed(words, cwd):
    """Return the completions of a command line."""
    count = len(words.split()) - (0 if words.endswith(" ") else 1)
    done = run(cwd=cwd, _GRAD_EXT_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(count))
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("grad-ext tr", ["train"]),
        ("grad-ext sweep lambda --dataset german,ad", ["german,adult"]),
        ("grad-ext sweep seed --recipe ", ["paper", "steady", "smooth"]),
        ("grad-ext audit --dataset h", ["health"]),
        ("grad-ext compare --methods nn-pred,nn", ["nn-pred,nn-auto"]),
        ("grad-ext sweep status o", ["one"]),
        ("grad-ext reproduce f", ["figure2"]),
        ("grad-ext report one --format png,p", ["png,pdf"]),
    ],
)
def test_names_are_completed(folder, words, completions):
    assert completed(words, folder) == completions


def test_folders_without_a_study_are_completed_with_a_slash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("some/one", "some/other", "some/.hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "some" / "one" / "study.json").touch()
    (tmp_path / "some" / "file").touch()
    assert complete.studies("so") == ["some/"]
    assert complete.studies("some/") == ["some/one", "some/other/"]


def test_completion_imports_no_library(folder):
    code = """if True:
    import sys
    from grad_ext.cli import main
    try:
        main([])
    finally:
        print(*({"torch", "pandas", "ray", "rich"} & set(sys.modules)), file=sys.stderr)
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env={
            **os.environ,
            "_GRAD_EXT_COMPLETE": "complete_bash",
            "COMP_WORDS": "grad-ext compare --methods ",
            "COMP_CWORD": "3",
        },
    )
    assert done.stdout.split() == [*METHODS]
    assert not {"torch", "pandas", "ray"} & set(done.stderr.split())


def test_completed_names_exist():
    assert list(DATA_SETS) == list(complete.DATA_SETS)
    assert list(FAMILIES) == list(complete.FAMILIES)
    assert [*METHODS] == [*complete.methods("")]
    assert complete.TABLES == TABLES
    assert complete.ENGINES == ENGINES
    for rule in complete.RULES:
        rule_named(rule)


def test_the_completion_script_is_printed():
    done = subprocess.run(
        ["bash", "-c", f"{BIN} --show-completion; true"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "complete -o default -F" in done.stdout
    assert "_GRAD_EXT_COMPLETE=complete_bash" in done.stdout
