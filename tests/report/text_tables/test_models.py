"""Text tables of studies."""

import numpy as np
import pytest
from report_data import record

from grad_ext.report.statistics.models import by_lambda
from grad_ext.report.tables import results
from grad_ext.report.text_tables.cells import number
from grad_ext.report.text_tables.models import row_lines


def test_the_table_has_the_majority_class_on_top():
    rows = by_lambda(
        results([record(1, 0, 0.7), record(1, 1, 0.8), record(10, 0, 0.75, constant=True)])
    )
    assert [row.label for row in rows] == ["majority class", "1", "10"]
    top, one, ten = rows
    assert top.cells["accuracy"][0] == top.cells["delta"][0] == 0.7
    assert top.cells["balanced_accuracy"][0] == 0.5
    assert top.constant == 1.0
    assert one.models == 2
    assert one.cells["accuracy"] == pytest.approx((0.75, np.std([0.7, 0.8], ddof=1)))
    assert (one.constant, ten.constant) == (0.0, 1.0)
    heading, body = row_lines(rows)
    assert all(len(line) == len(heading) for line in body)
    # Constant models stand before the metrics.
    assert heading[2:4] == ["constant", "accuracy"]
    assert body[1][2:4] == ["0%", "0.750 ±0.071"]
    assert body[2][2:4] == ["100%", "0.750"]  # a single model has no spread
    assert number(np.nan) == "–"
