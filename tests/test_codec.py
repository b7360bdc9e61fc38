"""JSON of dataclasses: back as they were, and what is of another form refused by its place."""

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grad_ext.codec import from_json, to_json
from grad_ext.errors import InputError


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0


@dataclass(frozen=True)
class Circle:
    centre: Point
    radius: float


@dataclass(frozen=True)
class Square:
    corner: Point


@dataclass(frozen=True)
class Drawing:
    name: str
    shapes: tuple[Circle | Square, ...] = ()
    labels: tuple[Hashable, ...] = ()
    label: Hashable = None
    scale: float | tuple[float, ...] = 1.0
    size: tuple[int, int] = (1, 2)
    visible: bool = True
    title: str | None = None
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    anything: Any = None


numbers = st.floats(allow_nan=False, allow_infinity=False)
points = st.builds(Point, numbers, numbers)
shapes = st.builds(Circle, points, numbers) | st.builds(Square, points)
labels = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text()
    | st.floats(allow_nan=False)
    | st.integers(-100, 100).map(np.int16)
    | numbers.map(np.float64)
)
drawings = st.builds(
    Drawing,
    st.text(),
    st.lists(shapes, max_size=3).map(tuple),
    st.lists(labels, max_size=3).map(tuple),
    labels,
    numbers | st.lists(numbers).map(tuple),
    st.tuples(st.integers(), st.integers()),
    st.booleans(),
    st.none() | st.text(),
    st.dictionaries(st.text(), st.lists(numbers).map(tuple), max_size=2),
    st.none() | st.integers() | st.text(),
)


@given(drawings)
def test_a_dataclass_survives_json(drawing):
    text = json.dumps(to_json(drawing), allow_nan=False)
    again = from_json(Drawing, json.loads(text))
    assert again == drawing
    for before, after in zip(drawing.labels, again.labels, strict=True):
        assert type(before) is type(after)


def test_nan_becomes_none_and_comes_back():
    written = to_json(Point(math.nan, 1.0))
    assert written == {"x": None, "y": 1.0}
    assert math.isnan(from_json(Point, written).x)
    with pytest.raises(InputError, match="inf"):
        to_json(Point(math.inf))


def test_entries_with_a_default_may_be_missing():
    assert from_json(Point, {"x": 2}) == Point(2.0)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": 3}, "drawing.name"),
        ({"nam": "x"}, "'nam'.*'name'"),
        ({"shapes": {}}, "drawing.shapes"),
        ({"shapes": [{"type": "Line"}]}, "'Line'.*'Circle'"),
        ({"shapes": [{"corner": {"x": 1}}]}, "type"),
        ({"shapes": [{"type": "Square", "corner": {"x": "1"}}]}, "drawing.shapes.corner.x"),
        ({"shapes": [{"type": "Square", "corner": {}}]}, "'x'"),
        ({"labels": [{"numpy": "object_", "value": 1}]}, "'object_'"),
        ({"scale": "1"}, "drawing.scale"),
        ({"scale": True}, "drawing.scale"),
        ({"scale": [1e999]}, "drawing.scale"),
        ({"size": [1]}, "drawing.size"),
        ({"size": [1, True]}, "drawing.size"),
        ({"visible": 1}, "drawing.visible"),
        ({"title": []}, "drawing.title"),
        ({"curves": [1]}, "drawing.curves"),
        ({"curves": {"loss": [None, "x"]}}, "drawing.curves.loss"),
    ],
)
def test_what_is_of_another_form_is_refused_by_its_place(changes, place):
    with pytest.raises(InputError, match=place):
        from_json(Drawing, {"name": "d", **changes})


@pytest.mark.parametrize("given", [None, [], "text", 3])
def test_what_is_no_object_is_refused(given):
    with pytest.raises(InputError, match="object"):
        from_json(Point, given)
    with pytest.raises(InputError, match="'x'"):
        from_json(Point, {})


def test_the_file_is_named_where_it_is_known():
    with pytest.raises(InputError, match=r"study\.json\.x"):
        from_json(Point, {"x": "one"}, "study.json")
