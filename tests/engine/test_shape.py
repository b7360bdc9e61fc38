"""Shapes of networks: the parameters of one member, counted by hand."""

import pytest

from grad_ext.engine.shape import Shape
from grad_ext.errors import InputError
from grad_ext.outputs import Binary, Categorical

SEX, RACE = Binary("sex"), Categorical("race", 3)


def test_parameters_by_hand():
    shape = Shape(5, (4, 3), (2,), attributes=(SEX, RACE))
    sizes = shape.parameters()
    assert sizes["trunk.0.weight"] == (4, 5)
    assert sizes["trunk.1.weight"] == (3, 4)
    # The hidden layers of the three branches are stacked.
    assert sizes["branch.0.weight"] == (3, 2, 3)
    assert sizes["target.head.weight"] == (1, 2)
    assert sizes["attribute.sex.head.weight"] == (1, 2)
    assert sizes["attribute.race.head.bias"] == (3,)
    assert shape.statistics()["branch.0.mean"] == (3, 2)
    assert shape.names == ("target", "attribute.sex", "attribute.race")


def test_heads_are_one_for_each_stratum():
    shape = Shape(5, (4,), (), attributes=(SEX, RACE), heads=2)
    assert shape.head_sizes == [1, 2, 6]
    assert shape.parameters()["attribute.race.head.weight"] == (6, 4)


def test_branches_that_get_the_prediction_are_not_on_the_trunk():
    shape = Shape(5, (4,), (2,), attributes=(SEX,), adversary_input="prediction")
    assert shape.reads_prediction
    assert shape.stacked == (shape.target,)
    assert shape.parameters()["branch.0.weight"] == (1, 2, 4)


def test_a_module_brings_its_own_layers():
    shape = Shape(5, (4,), (), module=True)
    assert shape.layers == ()
    assert not [name for name in shape.parameters() if name.startswith("trunk")]


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"trunk": ()}, "at least one layer"),
        ({"trunk": (3, 0)}, r"trunk.*\(3, 0\)"),
        ({"branch": (0,)}, r"branch.*\(0,\)"),
        ({"heads": 0}, "heads: expected at least 1, got 0"),
        ({"adversary_input": "score"}, "adversary_input 'score'"),
    ],
)
def test_bad_shapes(changes, facts):
    with pytest.raises(InputError, match=facts):
        Shape(**{"features": 5, "trunk": (4,), "branch": ()} | changes)
