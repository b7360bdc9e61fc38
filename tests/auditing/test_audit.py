"""Audits with known results: attributes, groups, intersections, units, notes and figures."""

import contextlib
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leakage import cell, noise

from grad_ext import audit, discrimination
from grad_ext.auditing.probes import PROBES, labels_of_units, stratified_folds
from grad_ext.errors import InputError


def test_a_copy_of_the_attribute_leaks_it_and_noise_does_not():
    sex = np.arange(200) % 2
    result = audit({"open": np.column_stack([noise(), sex]), "closed": noise(seed=1)}, None, sex)
    for probe in PROBES:
        open_, closed = cell(result, "open", probe), cell(result, "closed", probe)
        for figure in ("auc", "balanced_accuracy"):
            assert open_[figure] == open_[f"{figure}_high"] == 1
            assert closed[f"{figure}_low"] < 0.5 < closed[f"{figure}_high"]


def test_only_gradient_boosting_finds_nonlinear_leakage():
    X = noise(600, 2)
    result = audit(X, None, {"xor": (X[:, 0] > 0) ^ (X[:, 1] > 0)})
    assert cell(result, "representation", PROBES[0])["auc_high"] < 0.7
    assert cell(result, "representation", PROBES[1])["auc_low"] > 0.8


def test_leakage_of_labels_follows_from_their_discrimination():
    """With two groups and two labels, balanced accuracy is (1 + Discrimination) / 2."""
    rng = np.random.default_rng(0)
    sex = np.arange(1000) % 2
    labels = rng.random(1000) < 0.3 + 0.4 * sex
    result = audit(labels.astype(float), None, sex)
    assert set(result.table["source"]) == {"labels"}
    gap = discrimination(None, labels, sensitive_features=sex)
    for probe in PROBES:
        row = cell(result, "labels", probe)
        assert row["balanced_accuracy"] == pytest.approx((1 + gap) / 2)
        assert row["auc"] == pytest.approx((1 + gap) / 2, abs=0.005)
    assert cell(audit(sex, None, sex), "labels")["auc"] == 1


def test_constant_labels_leak_nothing_and_are_noted():
    groups = np.arange(90) % 3
    result = audit({"labels": np.ones(90)}, None, groups, y=np.arange(90) < 60)
    for probe in PROBES:
        row = cell(result, "labels", probe)
        assert row["auc"] == row["auc_low"] == row["auc_high"] == 0.5
        assert row["balanced_accuracy"] == row["majority_balanced_accuracy"] == pytest.approx(1 / 3)
    constant, accuracy = result.notes
    assert "labels" in constant
    # 60 of 90 labels are correct, as many as the majority class has.
    assert re.findall(r"\d\.\d+", accuracy) == ["0.667", "0.500", "0.667", "0.500"]
    assert result.words()[1:] == [constant, accuracy]


def test_leakage_of_an_intersection_only():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 800))
    both = (a ^ b) + 0.1 * noise(800, 1)[:, 0]
    result = audit(both[:, None], None, {"a": a, "b": b})
    assert result.table["attribute"].unique().tolist() == ["a", "b", "a x b"]
    for name in ("a", "b"):
        assert cell(result, "scores", attribute=name)["auc_high"] < 0.6
    # One of four groups against the rest: two thirds of the pairs are ordered, the others are ties.
    row = cell(result, "scores", attribute="a x b")
    assert row["auc"] == pytest.approx(2 / 3 + 1 / 6, abs=0.03)
    assert row["groups"] == 4
    assert row["majority_balanced_accuracy"] == 0.25
    assert "a x b" not in set(
        audit(both, None, {"a": a, "b": b}, intersections=False).table["attribute"]
    )


def test_rows_of_one_unit_are_in_one_fold():
    """Fifty people with ten rows each: the columns identify the person, and not the group."""
    people = np.repeat(np.arange(50), 10)
    sex = np.random.default_rng(0).permutation(np.arange(50) % 2)[people]
    X = noise(50, 4)[people] + 0.05 * noise(500, 4, seed=1)
    naive, grouped = audit(X, None, sex), audit(X, None, sex, groups=[f"p{p}" for p in people])
    assert cell(naive, "representation", PROBES[1])["auc_low"] > 0.9
    row = cell(grouped, "representation", PROBES[1])
    assert row["auc_low"] < 0.5 < row["auc_high"]


@settings(max_examples=60, deadline=None)
@given(
    groups=st.integers(2, 4),
    size=st.integers(1, 4),
    folds=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_fold_has_rows_of_every_audited_group(groups, size, folds, seed):
    """Even if the rows of one unit are in several groups."""
    rng = np.random.default_rng(seed)
    units, race = rng.integers(0, 60 // size, 60), rng.integers(0, groups, 60) ** 2
    parts = []

    def record(X, codes, unit, folds, *_):
        parts.append(
            (codes, stratified_folds(labels_of_units(codes, unit), folds, rng)[unit], unit)
        )
        raise StopIteration

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grad_ext.auditing.audit.probe_metrics", record)
        with contextlib.suppress(StopIteration, InputError):
            audit(np.zeros((60, 1)), None, {"race": race}, groups=units, folds=folds)
    for codes, fold, unit in parts:
        for f in range(folds):
            assert set(codes[fold == f]) == set(range(codes.max() + 1))
        assert (pd.Series(fold).groupby(unit).nunique() == 1).all()


def test_missing_and_small_groups_are_left_out():
    groups = np.array(["a", "b", "c", "d"], dtype=object)[np.arange(120) % 3]
    groups[:20] = None
    groups[20:24] = "d"
    result = audit(noise(120), None, {"race": groups})
    row = cell(result, "representation")
    counts = pd.Series(groups).value_counts()
    assert (row["rows"], row["groups"]) == (96, 3)
    assert row["majority"] == pytest.approx(counts.iloc[0] / 96)
    [note] = result.notes
    assert note.startswith("race: ")
    assert "d (4)" in note
    assert cell(audit(noise(120), None, {"race": groups}, folds=4), "representation")["groups"] == 4


def test_a_small_group_of_an_intersection_is_left_out():
    a, b = np.arange(200) % 2, np.arange(200) // 100
    a[:98] = 0
    result = audit(noise(), None, {"a": a, "b": b})
    [note] = result.notes
    assert note.startswith("a x b: ")
    assert "1 x 0 (1)" in note
    alone = audit(noise(), None, {"a": a, "b": a})
    assert cell(alone, "representation", attribute="a x b")["groups"] == 2


def test_intersections_of_many_groups_are_not_audited():
    a, b = np.arange(600) % 8, np.arange(600) // 8 % 7
    result = audit({"labels": a > 3}, None, {"a": a, "b": b})
    assert result.table["attribute"].unique().tolist() == ["a", "b"]
    assert result.notes[0].startswith("a x b ")
    assert "56" in result.notes[0]


def test_numbers_are_split_at_their_median():
    age = np.arange(200) % 50 + 20.0
    age[:10] = np.nan
    result = audit(age[10:, None].repeat(2, axis=1), None, {"age": age[10:]}, continuous=["age"])
    name = f"age above its median {np.nanmedian(age):g}"
    assert cell(result, "representation", attribute=name)["auc"] > 0.99
    missing = audit(noise(), None, {"age": age}, continuous=["age"])
    assert missing.table["rows"].iloc[0] == 190
    mostly = audit(noise(), None, {"share": np.where(np.arange(200) < 120, 1.0, 0.5)})
    assert mostly.table["majority"].iloc[0] == 0.6
    most = audit(noise(), None, {"n": np.where(np.arange(200) < 120, 7, 3)}, continuous=["n"])
    assert most.table["attribute"].iloc[0] == "n at least its median 7"
    pair = audit(noise(), None, {"age": age, "sex": np.arange(200) % 2}, continuous=["age"])
    assert pair.table["attribute"].iloc[-1].endswith(" x sex")


def test_the_table():
    X, sex = noise(), np.arange(200) % 2
    table = audit(X[:, 0] / 10 + 0.5, X, sex).table
    assert list(table.columns) == [
        "attribute", "source", "probe", "balanced_accuracy", "balanced_accuracy_low",
        "balanced_accuracy_high", "auc", "auc_low", "auc_high", "majority",
        "majority_balanced_accuracy", "groups", "rows",
    ]  # fmt: skip
    assert table["source"].tolist() == [s for s in ("features", "scores", "labels") for _ in "12"]
    assert table["probe"].tolist() == list(PROBES) * 3
    assert (table["auc_low"] <= table["auc"]).all()
    assert (table["balanced_accuracy"] <= table["balanced_accuracy_high"]).all()
    wide = audit(X, None, sex, level=0.99).table
    assert (wide["auc_low"] < audit(X, None, sex).table["auc_low"]).all()


def test_one_seed_gives_one_result_and_no_global_generator_is_touched():
    X, sex = noise(), np.arange(200) % 2
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = audit(X, None, sex).table
    pd.testing.assert_frame_equal(first, audit(X, None, sex).table)
    assert not first.equals(audit(X, None, sex, seed=1).table)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    # Other sources and attributes do not change the result.
    more = audit(X, X, {"sensitive_feature": sex, "other": np.arange(200) // 100}).table
    same = more[(more["attribute"] == "sensitive_feature") & (more["source"] == "representation")]
    pd.testing.assert_frame_equal(same.reset_index(drop=True), first)
