"""German and Adult against published counts."""

import gzip

import numpy as np
import pandas as pd
import pytest

from grad_ext import load_dataset
from grad_ext.data import embedded
from grad_ext.data.encoding import Encoder
from grad_ext.data.split import split
from grad_ext.errors import InputError


def test_german_has_the_published_counts(german):
    assert len(german) == 1000
    assert german.y().sum() == 700
    assert german.a().sum(axis=0).tolist() == [810, 690]  # older than 25, male
    assert len(german.features) == 20
    assert german.attribute_names == ("age", "sex")
    assert "UCI" in german.source
    numeric = [c for c in german.features if pd.api.types.is_numeric_dtype(german.frame[c])]
    assert tuple(numeric) == embedded.GERMAN_NUMERIC
    plain = Encoder().fit(german.frame[list(german.features)])
    assert len(plain.names) == 61  # 7 numeric and 54 levels


def test_adult_has_the_published_counts():
    adult = load_dataset("adult", protected=["sex", "race"])
    assert len(adult) == 30_162 + 15_060
    assert adult.n_test == 15_060
    y, men = adult.y(), adult.a()[:, 0] == 1
    assert (~y[-15_060:]).sum() == 11_360
    # Counted in adult.data with grep: complete rows of men and women, and those above 50K.
    training = slice(0, 30_162)
    assert (men[training].sum(), (~men[training]).sum()) == (20_380, 9_782)
    assert (y & men)[training].sum() == 6_396
    assert (y & ~men)[training].sum() == 1_112
    assert "fnlwgt" not in adult.features
    parts = split(adult)
    assert len(parts.test) == 15_060
    pd.testing.assert_frame_equal(parts.test.frame, adult.frame.iloc[-15_060:])


def test_groups_of_many_values_and_numbers_of_the_embedded_data_sets():
    adult = load_dataset("adult", protected=["race_groups", "age_years", "race"])
    groups, age, white = adult.a().T
    # Counted in adult.data and adult.test with grep: complete rows of each race.
    assert np.bincount(groups.astype(int)).tolist() == [38_903, 4_228, 1_303, 435, 353]
    np.testing.assert_array_equal(white == 1, groups == 0)
    np.testing.assert_array_equal(age, adult.frame["age"])
    kinds = [(p.branch.kind, p.branch.outputs) for p in adult.protected]
    assert kinds == [("categorical", 5), ("continuous", 1), ("binary", 1)]


def test_a_damaged_file_is_refused(monkeypatch, tmp_path):
    content = gzip.compress(embedded.raw_text("german.data").replace("A11", "A12", 1).encode())
    (tmp_path / "german.data.gz").write_bytes(content)
    monkeypatch.setattr(embedded, "files", lambda _: tmp_path)
    with pytest.raises(InputError, match="damaged: expected SHA-256 b21f3d81"):
        load_dataset("german")
    (tmp_path / "german.data.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="damaged"):
        load_dataset("german")
