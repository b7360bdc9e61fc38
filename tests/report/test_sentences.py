"""Every class of findings has a sentence with its values."""

import inspect
import pkgutil
import re
from importlib import import_module

import pytest

import grad_ext.report.findings as package
from grad_ext.report.findings.base import Finding
from grad_ext.report.findings.comparison import FrontierMethod, MethodResult
from grad_ext.report.findings.lambdas import AgainstChance, Diverged
from grad_ext.report.findings.pairwise import Opponent, PairwiseComparison
from grad_ext.report.findings.reproduction import Case, ConstantAlgorithm
from grad_ext.report.sentences import sentences
from grad_ext.report.sentences.english import count, listed, sentence, signed
from grad_ext.report.statistics.intervals import Interval


def kinds():
    """Return every class of findings."""
    modules = [
        import_module(f"{package.__name__}.{m.name}")
        for m in pkgutil.iter_modules(package.__path__)
    ]
    found = {v for m in modules for v in vars(m).values() if inspect.isclass(v)}
    return sorted((k for k in found if issubclass(k, Finding) and k is not Finding), key=str)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_class_has_a_sentence(kind):
    assert sentence.dispatch(kind) is not sentence.dispatch(Finding)


def test_a_class_without_a_sentence_is_named():
    class Unknown(Finding):
        pass

    with pytest.raises(TypeError, match="Unknown"):
        sentences([Unknown()])
    assert not issubclass(FrontierMethod, Finding)


def test_sentences_have_the_values():
    diverged, chance, constant = sentences(
        [
            Diverged(diverged=3, models=17),
            AgainstChance(0.123, 0.456, "below"),
            ConstantAlgorithm(Case("adult", ("sex", "race"), "paper"), "GRAD-Pred", 2, 10),
        ]
    )
    assert "3 of 17" in diverged
    assert {"0.123", "0.456"} <= set(re.split(r"[ ,:]+", chance))
    for value in ("adult", "sex and race", "paper", "GRAD-Pred", "2 of 10"):
        assert value in constant


@pytest.mark.parametrize(
    ("wins", "rest", "clauses"),
    [
        ((), 1, "together 1 other method is"),
        ((Opponent("logistic", False, True, 0.1, -0.1),), 0, "together it clearly beats logistic."),
        ((Opponent("logistic", False, True, 0.1, -0.1),), 2, "logistic; 2 other methods are"),
    ],
)
def test_what_is_compared_is_the_subject_of_its_verbs_alone(wins, rest, clauses):
    pair = PairwiseComparison("GRAD", "accuracy", wins, (), 0, 0, rest)
    names = ("accuracy", "balanced_accuracy", "discrimination", "chance_level", "delta")
    result = MethodResult("GRAD", dict.fromkeys(names, 0.5), 1, 2, (), (pair,), "", {})
    assert clauses in sentences([result])[0]


def test_parts_of_sentences():
    assert (count(1, "model"), count(2, "model")) == ("1 model", "2 models")
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed("abcdefg", 5) == "a, b, c, d, e and 2 more"
    assert signed(Interval(0.1, -0.05, 0.25)) == "+0.100 (-0.050 to +0.250)"
    assert signed(Interval(0.1, float("nan"), float("nan"))) == "+0.100"
