"""Entries of a plan: attribute sets in every form, settings objects by name, and plan files."""

import pytest

from grad_ext.errors import InputError
from grad_ext.evaluation import EvaluationConfig
from grad_ext.sweeps.studies.entries import built, read_file, sets_by_name

NAMES = ("german", "adult")


@pytest.mark.parametrize(
    ("given", "sets"),
    [
        (None, {}),
        (["age"], {"german": (("age",),), "adult": (("age",),)}),
        (
            [["sex", "age"], ["age"], ["age"]],
            dict.fromkeys(NAMES, (("age",), ("sex", "age"))),
        ),
        ({"adult": ["sex"]}, {"adult": (("sex",),)}),
        ({"adult": [["sex"], ["race"]]}, {"adult": (("race",), ("sex",))}),
    ],
)
def test_attribute_sets_by_data_set(given, sets):
    assert sets_by_name(given, NAMES) == sets


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ("age", "protected: expected a list of names, got 'age'"),
        ([], "expected a list of names, got \\[\\]"),
        (["age", 3], "expected names of attributes"),
        (["age", "age"], "must differ"),
        ({"health": ["age"]}, "'health'"),
        ({"adult": "sex"}, "protected of adult: expected a list of names, got 'sex'"),
    ],
)
def test_bad_attribute_sets(given, facts):
    with pytest.raises(InputError, match=facts):
        sets_by_name(given, NAMES)


def test_an_object_or_its_values():
    config = EvaluationConfig(k=3)
    assert built(EvaluationConfig, "evaluation", config) is config
    assert built(EvaluationConfig, "evaluation", {"k": 3}) == config
    assert built(EvaluationConfig, "evaluation", None) == EvaluationConfig()
    with pytest.raises(InputError, match="expected names and values, got 3"):
        built(EvaluationConfig, "evaluation", 3)
    with pytest.raises(InputError, match="entry of evaluation 'neighbors'"):
        built(EvaluationConfig, "evaluation", {"neighbors": 3})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plan.toml", 'kind = "grid"\nset = {lam = [1, 100]}'),
        ("plan.yaml", "kind: grid\nset:\n  lam: [1, 100]"),
        ("plan.yml", "{kind: grid, set: {lam: [1, 100]}}"),
    ],
)
def test_files_of_either_kind(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_file(tmp_path / name) == {"kind": "grid", "set": {"lam": [1, 100]}}


@pytest.mark.parametrize(
    ("name", "content", "facts"),
    [
        ("plan.toml", b"kind = ", "is not TOML"),
        ("plan.yaml", b"kind: [", "is not YAML"),
        ("plan.yaml", b"!!python/object/apply:os.getcwd []", "is not YAML"),
        ("plan.json", b"{}", "expected a plan in a .toml, .yaml or .yml file"),
        ("plan.toml", b"\xff\xfe", "cannot read the plan"),
    ],
)
def test_files_that_are_no_plan(tmp_path, name, content, facts):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=facts) as raised:
        read_file(tmp_path / name)
    assert name in str(raised.value)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(InputError, match="cannot read the plan"):
        read_file(tmp_path / "plan.toml")
