"""How rows are divided: by which protocol, stratified, by unit, and kept in files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grad_ext import load_dataset
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.split import split
from grad_ext.data.table import Table, Target
from grad_ext.errors import InputError

PARTS = ("train", "valid", "test")


def visits(units=800, seed=0):
    """Patients who came once to six times, with a group of their own and a label a visit."""
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
    found = [set(getattr(parts, part).frame["patient"]) for part in PARTS]
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert not found[1] & found[2]
    assert sum(map(len, positions(parts))) == len(table)
    assert len(parts.test) / len(table) == pytest.approx(0.2, abs=0.01)
    assert len(parts.valid) / len(table) == pytest.approx(0.16, abs=0.01)
    for part in PARTS:
        mine = getattr(parts, part)
        assert mine.y().mean() == pytest.approx(table.y().mean(), abs=0.03)
        assert mine.a().mean() == pytest.approx(table.a().mean(), abs=0.03)
    assert positions(split(table, 1)) != positions(parts)
    # By chance alone a patient of six visits is torn apart.
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
    turned = german.protecting(["sex", "age"])
    assert turned.attribute_names != german.attribute_names
    for part in PARTS:
        assert positions_of(getattr(split(turned), part)) == positions_of(
            getattr(split(german), part)
        )


def test_a_division_is_kept_by_content_and_read_again(tmp_path):
    table = visits()
    first = split(table, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    # The file rules: swap its validation and test rows and see them come back.
    with np.load(file) as stored:
        turned = {"train": stored["train"], "valid": stored["test"], "test": stored["valid"]}
    np.savez(file, **turned)
    again = split(table, folder=tmp_path)
    assert positions(again) == [positions(first)[i] for i in (0, 2, 1)]
    split(table, 1, folder=tmp_path)
    split(table, protocol="random", folder=tmp_path)
    split(replace(table, frame=table.frame.assign(visit=table.frame["visit"] + 1)), folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("content", [b"", b"rows", None])
def test_a_damaged_file_is_made_anew(tmp_path, content):
    table = visits(100)
    first = split(table, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    if content is None:  # a division of other rows
        np.savez(file, train=np.arange(5), valid=np.arange(5), test=np.arange(5))
    else:
        file.write_bytes(content)
    assert positions(split(table, folder=tmp_path)) == positions(first)
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("source", "expected a test part of the source's own"),
        ("grouped", "expected a column that names the rows' units"),
        ("radom", "did you mean 'random'"),
    ],
)
def test_a_protocol_that_a_table_cannot_serve(german, protocol, message):
    with pytest.raises(InputError, match=message):
        split(german, protocol=protocol)
