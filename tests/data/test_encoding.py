"""Encodings by hand, and what cannot be encoded."""

import numpy as np
import pandas as pd
import pytest
from small_table import small

from grad_ext.data.columns import WRITE_ROWS
from grad_ext.data.encoding import Encoder, arrays
from grad_ext.data.split import split
from grad_ext.data.values import content_hash, read_frame
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


def test_missing_values_by_hand():
    frame = pd.DataFrame(
        {"x": [1.0, np.nan, 3.0, 8.0], "flag": [1, None, 0, 1], "c": ["a", None, "b", "b"]}
    )
    encoder = Encoder().fit(frame)
    assert encoder.names == [
        *("x", "x is missing", "flag", "flag is missing", "c=a", "c=b", "c is missing"),
    ]
    X = encoder.transform(frame, dtype=np.float64)
    # Mean 4, variance (9 + 1 + 16) / 3, median 3; of the flag the median is 1.
    x = (np.array([1, 3, 3, 8]) - 4) / np.sqrt(26 / 3)
    expected = [
        x,
        [0, 1, 0, 0],
        [1, 1, 0, 1],
        [0, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 1, 1],
        [0, 1, 0, 0],
    ]
    np.testing.assert_allclose(X, np.transpose(expected))
    # Fitted on rows without missing values: the mean, and no level.
    complete = Encoder().fit(frame, np.array([0, 2, 3]))
    assert complete.names == ["x", "flag", "c=a", "c=b"]
    np.testing.assert_array_equal(complete.transform(frame)[1], [0, 0, 0, 0])


def test_bins_and_common_values_of_missing_ones():
    x = np.repeat([np.nan, 0.0, 2.0, 4.0], 30)
    encoder = Encoder("quantile").fit(pd.DataFrame({"x": x}))
    part = encoder.parts_[0]
    assert part.common == (0.0, 2.0, 4.0)
    assert part.missing == 2.0
    X = encoder.transform(pd.DataFrame({"x": [np.nan, 2.0]}))
    # A missing value lies where the median lies, but is no common value.
    np.testing.assert_array_equal(X[:, -4:], [[0, 0, 0, 1], [0, 1, 0, 0]])
    np.testing.assert_array_equal(X[0, :-4], X[1, :-4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_encoded_alike_in_any_block(dtype):
    rng = np.random.default_rng(0)
    n = 2 * WRITE_ROWS + 3
    x = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 9, n) + 0.5)
    frame = pd.DataFrame({"x": x, "c": rng.choice(["a", "b"], n)})
    encoder = Encoder("quantile").fit(frame)
    part = encoder.parts_[0]
    X = encoder.transform(frame, dtype=dtype)
    standard = (np.where(np.isnan(x), part.missing, x) - part.mean) / part.scale
    bins = [(b.share(standard) - b.mean) / b.scale for b in part.bins]
    common = [x == value for value in part.common]
    levels = [frame["c"] == level for level in ("a", "b")]
    expected = np.array([standard, *bins, *common, np.isnan(x), *levels]).T.astype(dtype)
    assert bins
    assert common
    np.testing.assert_array_equal(X, expected)


def test_columns_that_tell_nothing_are_left_out():
    frame = pd.DataFrame(
        {
            "x": np.random.default_rng(0).normal(size=60),
            "one": 1,
            "word": "a",
            "none": None,
            "id": np.arange(60) + 1000,
            "name": [f"n{i}" for i in range(60)],
        }
    )
    encoder = Encoder().fit(frame)
    assert encoder.names == ["x"]
    assert list(encoder.unused) == ["one", "word", "none", "id", "name"]
    assert encoder.transform(frame[["x"]]).shape == (60, 1)
    assert encoder.positions(["x", "id"]).tolist() == [0]
    # In training that goes on they may differ later.
    assert Encoder().fit(frame[["x", "one", "word"]], constants=True).names == [
        *("x", "one", "word=a"),
    ]


CONTAINERS = {
    "objects": lambda frame: frame.astype(object),
    "texts": lambda frame: frame.astype(object).map(str),
    "nullable": lambda frame: frame.convert_dtypes(),
    "categories": lambda frame: frame.assign(c=frame["c"].astype("category")),
    "big-endian": lambda frame: frame.assign(x=frame["x"].astype(">f8")),
    "float32": lambda frame: frame.assign(flag=frame["flag"].astype("float32")),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("encoding", ["standard", "quantile"])
def test_the_same_content_is_encoded_the_same(container, encoding):
    plain = small().inputs()
    other = CONTAINERS[container](plain)
    encoder = Encoder(encoding).fit(plain)
    X = encoder.transform(plain)
    np.testing.assert_array_equal(encoder.transform(other), X)
    read = read_frame(other)
    fitted = Encoder(encoding).fit(read)
    assert fitted.parts_ == encoder.parts_
    np.testing.assert_array_equal(content_hash(read), content_hash(read_frame(plain)))


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
    assert not Encoder().fit(flat, constants=True).transform(flat)[:, 0].any()


def coded(**columns):
    """The small table with other columns, through the encoder of the small table."""
    return Encoder().fit(small().inputs()).transform(FRAME.assign(**columns))


def weighted(w):
    table = small(frame=FRAME.assign(w=w), weights="w")
    return arrays(table, Encoder().fit(table.inputs()))


BAD = {
    "infinity": (
        lambda: Encoder().fit(FRAME.assign(x=[1, np.inf, 3, 4])),
        "expected finite numbers, got inf",
    ),
    "nothing tells": (
        lambda: Encoder().fit(FRAME[["x", "c"]].assign(x=1, c=None)),
        "'x' has the same value.*'c' has no value",
    ),
    "too many levels": (
        lambda: Encoder().fit(pd.DataFrame({"c": [f"c{i % 1001}" for i in range(2002)]})),
        "'c' is text with 1,001 different values",
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
