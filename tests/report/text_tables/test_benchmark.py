"""Text tables of benchmarks."""

import pandas as pd

from grad_ext.report.statistics.benchmark import Ranks
from grad_ext.report.text_tables.benchmark import mean_lines, rank_lines, tally_lines


def test_ranks_have_the_best_method_first_and_the_tests_last():
    nan = float("nan")
    ranked = [
        Ranks(0.05, 4, {"b": 1.25, "a": 1.75}, nan, 0.98),
        Ranks(0.1, 4, {"a": 1.0, "b": 2.0}, 0.03, nan),
    ]
    heading, body = rank_lines(ranked)
    assert heading == ["method", "at 0.05", "at 0.1"]
    assert body == [
        ["a", "1.75", "1.00"],
        ["b", "1.25", "2.00"],
        ["critical difference", "0.98", "–"],
        ["p (Friedman)", "–", "0.03"],
        ["data sets", "4", "4"],
    ]


def test_a_line_of_means():
    names = ("accuracy", "balanced_accuracy", "discrimination")
    row = dict(zip(names, (0.8, 0.7, 0.04), strict=True))
    row |= {f"{name}_sd": 0.01 for name in names} | {"chance_level": 0.02, "kept": 0.5}
    row |= {"majority_accuracy": 0.6, "settings": 4, "grid_end": 0.25, "rank": 1.5}
    row |= {"dataset": "german", "bound": 0.05, "title": "A"}
    heading, (line,) = mean_lines(pd.DataFrame([row]))
    assert len(heading) == len(line)
    assert line[:5] == ["german", "0.05", "A", "1.5", "0.800 ±0.010"]
    assert line[7:] == ["0.020", "0.600", "50%", "4", "25%"]


def test_tallies():
    tallied = pd.DataFrame([{"bound": 0.05, "other": "b", "wins": 2, "ties": 1, "losses": 0}])
    assert tally_lines(tallied)[1] == [["0.05", "b", "2", "1", "0"]]
