"""What a model was trained on contradicts itself nowhere, or is refused."""

from dataclasses import replace

import numpy as np
import pytest
from people import people

from grad_ext.data import Table
from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.split import split
from grad_ext.errors import InputError
from grad_ext.models.training_data import TrainingData, TrainingGroup

TABLE = Table.from_frame(people(), "decision", ["sex", "age"], "approved", continuous=["age"])
DATA = TrainingData.of(TABLE, split(TABLE), 0, "auto")


def test_groups_are_counted_by_hand():
    train = split(TABLE).train
    women = (train.frame["sex"] == "Female").to_numpy()
    approved = (train.frame["decision"] == "approved").to_numpy()
    [female, male] = DATA.groups
    assert (female.attribute, female.group, female.rows) == ("sex", "Female", women.sum())
    assert female.favorable == pytest.approx(approved[women].mean())
    assert male.rows == len(train) - women.sum()
    assert DATA.names_by_attribute == {"sex": ("Female", "Male"), "age": ()}
    assert (DATA.unfavorable, DATA.favorable) == ("denied", "approved")
    assert DATA.roles.continuous == ("age",)
    DATA.check()


def test_sentences_have_the_facts():
    text = " ".join(DATA.sentences())
    for fact in ("192 of 300 rows", "'approved'", "'denied'", "Female", "a number"):
        assert fact in text


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": -1},
        {"test": -5},
        {"favorable": "denied"},
        {"group_names": (("Female", "Male"),)},
        {"group_names": (("Female",), ())},
        {"group_names": (("Female", "Female"), ())},
        {"group_names": (("Female", "Male"), ("old",))},
        {"groups": (TrainingGroup("sex", "Other", 3, 0.5),)},
        {"groups": (TrainingGroup("sex", "Male", -3, 0.5),)},
        {"groups": (TrainingGroup("sex", "Male", 3, 1.5),)},
        {"groups": (TrainingGroup("sex", "Male", 3, float("nan")),)},
    ],
)
def test_contradictions_are_refused(changes):
    with pytest.raises(InputError):
        replace(DATA, **changes).check()


def test_levels_and_rules_have_names_of_groups():
    frame = people().assign(band=np.repeat(["a", "b", "c"], 100))
    table = Table.from_frame(frame, "decision", ["band"], "approved")
    data = TrainingData.of(table, split(table), 3, "random")
    assert data.group_names == (("a", "b", "c"),)
    assert (data.split_seed, data.protocol) == (3, "random")
    assert isinstance(data.protected[0], SensitiveAttribute)
    data.check()
