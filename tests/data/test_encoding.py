"""Encodings by hand, and what cannot be encoded."""

import numpy as np
import pytest
from small_table import small

from grad_ext.data.encoding import Encoder, arrays
from grad_ext.data.split import split
from grad_ext.errors import InputError

FRAME = small().frame


def test_encoding_by_hand():
    table = small()
    encoder = Encoder().fit(table.inputs())
    coded = arrays(table, encoder)
    # x standardised: mean 3, variance (4 + 1 + 0 + 9) / 4; c in sorted levels; flag as it is.
    x = (np.array([1, 2, 3, 6]) - 3) / np.sqrt(3.5)
    one_hot = [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(coded.X, np.column_stack([x, one_hot, [0, 1, 1, 0]]), rtol=1e-6)
    assert coded.X.dtype == np.float32
    assert coded.y.tolist() == [True, False, True, False]
    assert coded.a.tolist() == [[True], [False], [False], [True]]
    new = table.frame.assign(c=["z", "a", "a", "a"])
    np.testing.assert_array_equal(encoder.transform(new)[0, 1:4], 0)
    assert encoder.names == ["x", "c=a", "c=b", "c=c", "flag"]
    assert encoder.positions(["c", "flag"]).tolist() == [1, 2, 3, 4]
    rows = np.array([3, 1])
    np.testing.assert_array_equal(encoder.transform(table.frame, rows), coded.X[rows])


def test_encodings_are_fitted_on_the_training_rows_alone(german):
    parts = split(german)
    encoder = Encoder().fit(parts.train.inputs())
    at = encoder.names.index("duration")
    duration = encoder.transform(parts.train.inputs())[:, at]
    assert duration.mean() == pytest.approx(0, abs=1e-6)
    assert duration.std() == pytest.approx(1, abs=1e-5)
    assert abs(encoder.transform(parts.test.inputs())[:, at].mean()) > 1e-4


def test_a_table_and_its_one_hot_form_are_encoded_alike(german):
    """So GRAD sees the same numbers through AIF360 as through a table."""
    from grad_ext.adapters.aif360.datasets import from_aif360

    plain = Encoder().fit(german.inputs()).transform(german.inputs())
    through = from_aif360(german.to_aif360()).inputs()
    other = Encoder().fit(through).transform(through)
    assert plain.shape == other.shape
    key = lambda X: X[:, np.lexsort(X)]
    np.testing.assert_allclose(key(plain), key(other), rtol=1e-6)


def test_huge_numbers_are_encoded_and_absurd_ones_refused():
    frame = small().inputs()
    big = frame.assign(x=[1e300, 2e300, 3e300, 6e300])
    first = Encoder().fit(frame).transform(frame)
    np.testing.assert_allclose(Encoder().fit(big).transform(big), first, rtol=1e-6)
    with pytest.raises(InputError, match="within 1e\\+30 training standard deviations"):
        Encoder().fit(frame).transform(big)
    flat = frame.assign(x=7.0)
    assert not Encoder().fit(flat).transform(flat)[:, 0].any()


def coded(**columns):
    """The small table with other columns, through the encoder of the small table."""
    return Encoder().fit(small().inputs()).transform(FRAME.assign(**columns))


def weighted(w):
    table = small(frame=FRAME.assign(w=w), weights="w")
    return arrays(table, Encoder().fit(table.inputs()))


BAD = {
    "NaN": (
        lambda: Encoder().fit(FRAME.assign(x=[1, np.nan, 3, 4])),
        "feature 'x': expected finite numbers, got nan in 1 of 4 rows",
    ),
    "infinity": (
        lambda: Encoder().fit(FRAME.assign(x=[1, np.inf, 3, 4])),
        "expected finite numbers, got inf",
    ),
    "missing level": (
        lambda: coded(c=["a", None, "b", "b"]),
        "feature 'c': expected no missing values, got 1",
    ),
    "text for numbers": (
        lambda: coded(x=list("abcd")),
        "feature 'x': expected numbers, got",
    ),
    "feature gone": (
        lambda: Encoder().fit(small().inputs()).transform(FRAME[["x"]]),
        "feature 'c' is missing",
    ),
    "nothing left": (lambda: Encoder().fit(small(features=("g",)).inputs()), "no feature is left"),
    "negative weight": (
        lambda: weighted(-1.0),
        "weights must be finite and >= 0, got -1",
    ),
    "zero weights": (
        lambda: weighted(0.0),
        "weights are all zero",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(InputError, match=message):
        call()
