"""Features in the forms that users pass: sparse, in another order, as objects."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grad_ext.errors import InputError
from grad_ext.models import inputs
from grad_ext.models.inputs import by_name, dense

FRAME = pd.DataFrame({"n": [1.0, 0.0], "job": ["a", "b"]})


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_sparse_matrices_become_dense(form):
    np.testing.assert_array_equal(dense(form([[0.0, 2.0], [3.0, 0.0]])), [[0, 2], [3, 0]])


def test_sparse_columns_become_dense_beside_others():
    mixed = FRAME.astype({"n": pd.SparseDtype(float, 0.0)})
    pd.testing.assert_frame_equal(dense(mixed), FRAME)
    # Of any fill value, which scipy does not have.
    gaps = FRAME.assign(n=[1.0, np.nan]).astype({"n": pd.SparseDtype(float)})
    assert dense(gaps)["n"].isna().tolist() == [False, True]
    assert dense(FRAME) is FRAME


def test_what_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    wide = sparse.csr_array((2**20, 200))
    with pytest.raises(InputError, match=r"1,048,576 rows of 200 columns .*TruncatedSVD"):
        dense(wide)
    monkeypatch.setattr(inputs, "MOST_DENSE_BYTES", 15)
    with pytest.raises(InputError, match="2 rows of 1 columns take 16"):
        dense(FRAME.astype({"n": pd.SparseDtype(float)}))


def test_columns_are_matched_by_name():
    names = np.array(["n", "job"], dtype=object)
    pd.testing.assert_frame_equal(by_name(FRAME[["job", "n"]], names), FRAME)
    for other in (FRAME.assign(more=1), FRAME[["n"]], FRAME.set_axis(["n", "work"], axis=1)):
        assert by_name(other, names) is other
    assert by_name(FRAME, None) is FRAME


def test_objects_become_the_columns_of_fitting():
    names = np.array(["n", "job"], dtype=object)
    for values in (FRAME.to_numpy(), FRAME.to_numpy().tolist()):
        pd.testing.assert_frame_equal(by_name(values, names), FRAME)
    floats, narrow = np.zeros((2, 2)), np.array([["a"]], dtype=object)
    assert by_name(floats, names) is floats
    assert by_name(narrow, names) is narrow
