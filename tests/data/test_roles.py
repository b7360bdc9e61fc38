"""The roles of a file's columns, written and read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.data.roles import Roles, roles_beside, roles_path
from grad_ext.errors import InputError

ROLES = Roles(
    label="paid back, in full",
    favorable=("yes", "späť"),
    protected=("age>=25", 'a "b", c', "x=y"),
    drop=("income, monthly", "[id]"),
    missing="drop",
    missing_values=("-9",),
    sep="\t",
)


def test_what_is_written_is_read(tmp_path):
    file = tmp_path / "loans.csv"
    assert roles_beside(file) is None
    assert ROLES.write(roles_path(file)) == tmp_path / "loans.roles.toml"
    assert roles_beside(file) == ROLES
    assert roles_beside(tmp_path / "loans.csv.gz") == ROLES


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=3))
def test_any_names_are_written_and_read(tmp_path_factory, names):
    roles = Roles(label="".join(names), drop=tuple(names))
    assert Roles.read(roles.write(tmp_path_factory.mktemp("roles") / "r.toml")) == roles


def test_one_value_needs_no_list(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('label = "y"\nfavorable = "yes"\nprotected = "sex"\n')
    assert Roles.read(path) == Roles(label="y", favorable=("yes",), protected=("sex",))


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("label = 3\n", "label.*3"),
        ('lable = "y"\n', "'lable'.*'label'"),
        ("drop = [1]\n", "drop.*1"),
        ('missing = "guess"\n', "'guess'.*'drop'"),
        ("label = \n", "TOML"),
    ],
)
def test_what_is_no_role_is_refused(tmp_path, text, facts):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=facts):
        Roles.read(path)


def test_given_roles_take_the_place_of_others():
    changed = Roles(**ROLES.merged({"drop": ("z",), "sep": None}))
    assert (changed.drop, changed.sep, changed.favorable) == (("z",), "\t", ROLES.favorable)
    # The favorable value belongs to the label.
    assert "favorable" not in ROLES.merged({"label": "other"})
