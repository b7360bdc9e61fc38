"""An audit as sentences, text and figure."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import numpy as np
import pytest
from leakage import cell, noise

from grad_ext import audit
from grad_ext.auditing.probes import PROBES


def test_a_sentence_has_the_groups_and_the_better_probes_auc():
    sex = np.arange(300) % 2
    X = noise(300) + 2 * sex[:, None]
    result = audit({"representation": X, "scores": noise(300, 1, 1)}, X, {"sex": sex})
    [sentence] = result.words()
    assert sentence.startswith("sex (2 groups")
    assert "50%" in sentence
    assert "300 rows" in sentence
    for source in ("features", "representation", "scores"):
        row = max((cell(result, source, probe) for probe in PROBES), key=lambda row: row["auc"])
        limits = f"({row['auc_low']:.2f} to {row['auc_high']:.2f})"
        assert f"{row['auc']:.2f} {limits} from the {source}" in sentence


@pytest.mark.parametrize(
    ("features", "scores"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_each_outcome_has_its_own_sentence(features, scores):
    """The part after the numbers depends on which sources leak the attribute, and on nothing else."""
    sex = np.arange(300) % 2
    conclusions = {}
    for seed in (1, 2):
        for leak in ((features, scores), (not features, scores), (features, not scores)):
            X, score = (
                noise(300, 1, 10 * seed + i) + 3 * sex[:, None] * flag
                for i, flag in enumerate(leak)
            )
            result = audit({"scores": score}, X, {"sex": sex}, folds=2)
            for source, flag in zip(("features", "scores"), leak, strict=True):
                low = max((cell(result, source, p) for p in PROBES), key=lambda r: r["auc"])
                assert (low["auc_low"] > 0.5) == flag
            conclusions.setdefault(leak, set()).add(result.words()[0].partition("; ")[2])
    assert all(len(sentences) == 1 for sentences in conclusions.values())
    assert len(set.union(*conclusions.values())) == 3


def test_text_and_figure():
    sex = np.arange(300) % 2
    result = audit(noise(300), noise(300) + sex[:, None], {"sex": sex, "b": np.arange(300) // 150})
    text = str(result)
    assert "majority class (50%)" in text
    assert all(sentence in text for sentence in result.words())
    heading, body = result.lines()
    assert len(body) == 3 * 3
    assert all(len(line) == len(heading) == 6 for line in body)
    row = cell(result, "features", attribute="sex")
    assert body[1][2] == f"{row['auc']:.3f} ({row['auc_low']:.3f} to {row['auc_high']:.3f})"
    figure = result.figure("Two attributes")
    assert figure.get_suptitle() == "Two attributes"
    assert len(figure.axes) == 2 * 3
    top = figure.axes[0]
    assert top.get_title() == "sex"
    assert [t.get_text() for t in figure.axes[3].get_xticklabels()] == [
        "features",
        "representation",
    ]
    assert top.lines[0].get_ydata()[0] == 0.5
    assert figure.axes[-1].lines[0].get_ydata()[0] == 0.25
    for container, probe in zip(top.containers, PROBES, strict=True):
        drawn = container.lines[0].get_ydata()
        expected = [cell(result, s, probe, "sex")["auc"] for s in ("features", "representation")]
        np.testing.assert_array_equal(drawn, expected)
