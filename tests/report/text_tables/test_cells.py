"""Cells of tables."""

import numpy as np
import pytest

from grad_ext.report.text_tables.cells import number, share, short


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number(0.12345), "0.123"),
        (number(0.12345, 0.0016), "0.123 ±0.002"),
        (number(np.nan, 0.1), "–"),
        (share(0.256), "26%"),
        (share(np.nan), "–"),
        (short(1234.5678), "1235"),
        (short("40x40"), "40x40"),
    ],
)
def test_cells(text, expected):
    assert text == expected
