"""Data that many tests share."""

import pytest

from grad_ext.data import load_dataset
from grad_ext.data.split import split
from grad_ext.evaluate import prepare
from grad_ext.trial import Settings


@pytest.fixture(scope="session")
def german():
    """German credit with both of its attributes protected."""
    return load_dataset("german", protected=["age", "sex"])


@pytest.fixture(scope="session")
def german_problem(german):
    """German credit, split and encoded."""
    return prepare(split(german), Settings())
