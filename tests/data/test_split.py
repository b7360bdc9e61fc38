"""Train/test splits: protocols, strata, units, and files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_table import small

from grad_ext import load_dataset
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.split import check_trainable, hold_out, split, strata
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError

PARTS = ("train", "valid", "test")


def visits(units=800, seed=0):
    """Patients who with one to six visits, a group and a label a visit."""
    rng = np.random.default_rng(seed)
    size = rng.choice([1, 2, 3, 6], units, p=[0.6, 0.2, 0.1, 0.1])
    patient = np.repeat(np.arange(units), size)
    frame = pd.DataFrame(
        {
            "patient": patient,
            "visit": np.arange(len(patient)),
            "group": rng.integers(0, 2, units)[patient],
            "label": np.where(rng.random(len(patient)) < 0.4, "yes", "no"),
        }
    ).sample(frac=1.0, random_state=seed)
    return Table(
        name="visits",
        frame=frame,
        features=("visit",),
        target=Target("label", "yes", "no"),
        protected=(SensitiveAttribute("group", "group", values=(1,)),),
        groups="patient",
    )


def positions(parts):
    return [getattr(parts, part).frame["visit"].tolist() for part in PARTS]


def test_the_rows_of_a_unit_stay_together():
    table = visits()
    parts = split(table)
    patients = [set(getattr(parts, part).frame["patient"]) for part in PARTS]
    assert not patients[0] & patients[1]
    assert not patients[0] & patients[2]
    assert not patients[1] & patients[2]
    assert sum(map(len, positions(parts))) == len(table)
    assert len(parts.test) / len(table) == pytest.approx(0.2, abs=0.01)
    assert len(parts.valid) / len(table) == pytest.approx(0.16, abs=0.01)
    for part in PARTS:
        mine = getattr(parts, part)
        assert mine.y().mean() == pytest.approx(table.y().mean(), abs=0.03)
        assert mine.a().mean() == pytest.approx(table.a().mean(), abs=0.03)
    assert positions(split(table, 1)) != positions(parts)
    # A random split would separate the visits of a patient.
    torn = split(table, protocol="random")
    assert set(torn.train.frame["patient"]) & set(torn.test.frame["patient"])


def test_a_table_says_how_it_wants_to_be_divided(german):
    adult = load_dataset("adult", protected=["sex"])
    own = split(adult)
    assert len(own.test) == 15_060
    assert positions_of(own.test) == positions_of(split(adult, 7).test)
    other = split(adult, protocol="random")
    assert len(other.test) == round(len(adult) / 5)
    assert [len(getattr(split(german), part)) for part in PARTS] == [640, 160, 200]


def positions_of(table):
    return table.frame.index.tolist()


def test_the_order_of_the_attributes_does_not_matter(german):
    swapped = german.protecting(["sex", "age"])
    assert swapped.attribute_names != german.attribute_names
    for part in PARTS:
        assert positions_of(getattr(split(swapped), part)) == positions_of(
            getattr(split(german), part)
        )


def test_a_split_is_stored_by_content_and_read_again(tmp_path):
    table = visits()
    first = split(table, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    # The file is read: its swapped validation and test rows are reswapped.
    with np.load(file) as stored:
        swapped = {"train": stored["train"], "valid": stored["test"], "test": stored["valid"]}
    np.savez(file, **swapped)
    again = split(table, folder=tmp_path)
    assert positions(again) == [positions(first)[i] for i in (0, 2, 1)]
    split(table, 1, folder=tmp_path)
    split(table, protocol="random", folder=tmp_path)
    split(replace(table, frame=table.frame.assign(visit=table.frame["visit"] + 1)), folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("content", [b"", b"rows", None])
def test_a_damaged_file_is_replaced(tmp_path, content):
    table = visits(100)
    first = split(table, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    content_before = file.read_bytes()
    if content is None:  # a split of other rows
        np.savez(file, train=np.arange(5), valid=np.arange(5), test=np.arange(5))
    else:
        file.write_bytes(content)
    assert positions(split(table, folder=tmp_path)) == positions(first)
    assert file.read_bytes() == content_before


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("source", "expected a test set of the source's own"),
        ("grouped", "expected a column that names the rows' units"),
        ("radom", "did you mean 'random'"),
    ],
)
def test_a_protocol_that_a_table_cannot_serve(german, protocol, message):
    with pytest.raises(InputError, match=message):
        split(german, protocol=protocol)


def test_the_seed_determines_the_rows(german):
    first, again, other = split(german, 0), split(german, 0), split(german, 1)
    for part in ("train", "valid", "test"):
        pd.testing.assert_frame_equal(getattr(first, part).frame, getattr(again, part).frame)
    assert set(first.test.frame.index) != set(other.test.frame.index)
    sizes = [len(p) for p in (first.train, first.valid, first.test)]
    assert sizes == [640, 160, 200]
    indices = [set(p.frame.index) for p in (first.train, first.valid, first.test)]
    assert set.union(*indices) == set(range(1000))


def test_every_part_has_its_share_of_every_label_and_group(german):
    shares = np.bincount(strata(german)) / 1000
    parts = split(german, 3)
    for part in (parts.train, parts.valid, parts.test):
        cells = np.column_stack([part.y(), part.a()])
        for value, share in zip(
            np.unique(np.column_stack([german.y(), german.a()]), axis=0), shares, strict=True
        ):
            count = (cells == value).all(axis=1).sum()
            assert abs(count - share * len(part)) < 2


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 1000),
)
def test_hold_out_is_stratified(sizes, fraction, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rest, held_out = hold_out(groups, fraction, np.random.default_rng(seed))
    assert sorted([*rest, *held_out]) == list(range(len(groups)))
    assert abs(len(held_out) - fraction * len(groups)) <= 0.5 + 1e-3
    for g, size in enumerate(sizes):
        assert abs((groups[held_out] == g).sum() - fraction * size) <= 1 + 1e-3


FRAME = small().frame
UNTRAINABLE = {
    "one class": (
        lambda: check_trainable(small(frame=FRAME.assign(y=1))),
        "expected two classes of 'y' among the 4 training rows, got only 1",
    ),
    "one group": (
        lambda: check_trainable(small(frame=FRAME.assign(g="m"))),
        "at least two groups of protected attribute 'g' among the 4 training rows, got 1",
    ),
    "no rows": (lambda: check_trainable(small(frame=FRAME.iloc[:0])), "got none"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNTRAINABLE)
def test_untrainable_rows(case):
    call, message = UNTRAINABLE[case]
    with pytest.raises(InputError, match=message):
        call()
