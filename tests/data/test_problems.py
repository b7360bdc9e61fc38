"""Problems that are told at once, with the options that solve them."""

import pytest

from grad_ext.data.problems import Problems
from grad_ext.errors import InputError


def raised(problems):
    with pytest.raises(InputError) as error:
        problems.check()
    return str(error.value).splitlines()


def test_no_problem_is_no_error():
    problems = Problems("t.csv", {})
    problems.check()
    assert not problems


def test_one_problem_is_one_line():
    problems = Problems("t.csv", {"drop": ["id"]})
    problems.add("column 'a b' has no value", drop="a b")
    (line,) = raised(problems)
    assert line.startswith("t.csv: column 'a b' has no value")
    # What is dropped already stays dropped.
    assert "--drop 'id,a b'" in line
    assert "drop=['id', 'a b']" in line


def test_several_problems_have_one_line_of_options():
    problems = Problems("t.csv", {})
    problems.add("rows lack values", missing="use")
    problems.add("column 'x, y' has no value", drop="x, y")
    problems.add("column 'x, y' has no value", drop="x, y")
    problems.add("no such label")
    first, *lines, last = raised(problems)
    assert first.startswith("t.csv has 3 problems")
    assert ["--missing use" in line for line in lines] == [True, False, False]
    assert "--missing use --drop '\"x, y\"'" in last
