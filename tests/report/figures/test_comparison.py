"""The figure of a comparison."""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import numpy as np
from report_data import frame, model, pair

from grad_ext.report.figures.comparison import comparison_figure


def offsets(axes):
    return np.concatenate([c.get_offsets() for c in axes.collections if len(c.get_offsets())])


def test_the_plane_shows_models_means_and_the_majority_class():
    rows = [
        *pair("a", 0.80, 0.10, 0.01, lam=1.0, chosen=False),
        *pair("a", 0.75, 0.05, 0.01, lam=2.0),
        model("majority", 0, 0.7, 0.0, hyperparameter="", constant=True),
    ]
    drawn = comparison_figure(frame(*rows))
    accuracy, balanced = drawn.axes
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("Discrimination", "Accuracy")
    np.testing.assert_allclose(np.sort(offsets(accuracy)[:, 1]), [0.74, 0.76, 0.79, 0.81])
    lines = [line.get_xydata() for line in accuracy.lines]
    assert any(np.allclose(xy, [[0.10, 0.80], [0.05, 0.75]]) for xy in lines if len(xy) == 2)
    named = {line.get_label(): line.get_xydata() for line in accuracy.lines}
    np.testing.assert_allclose(named["A"], [[0.05, 0.75]])
    np.testing.assert_allclose(named["majority class"], [[0.0, 0.7]])
    stars = {line.get_label(): line.get_xydata() for line in balanced.lines}
    np.testing.assert_allclose(stars["majority class"], [[0.0, 0.5]])
    np.testing.assert_allclose(stars["A"], [[0.05, 0.65]])


def test_models_beyond_the_axes_are_counted():
    rows = [model("a", s, 0.8 + 0.001 * s, 0.1) for s in range(8)]
    drawn = comparison_figure(frame(*rows, model("far", 0, 0.2, 0.1)))
    low, high = drawn.axes[0].get_ylim()
    assert 0.2 < low < 0.7
    assert high > 0.807
    assert "1 of FAR" in drawn.get_supxlabel()
    assert "accuracy 0.200 to 0.200" in drawn.get_supxlabel()
    assert "1 of" not in comparison_figure(frame(*rows)).get_supxlabel()


def test_no_two_of_many_methods_look_alike():
    rows = [model(f"m{i}", 0, 0.8, 0.1) for i in range(30)]
    drawn = comparison_figure(frame(*rows, *(model(f"GRAD-{i}", 0, 0.8, 0.1) for i in range(4))))
    shown = [li for li in drawn.axes[0].lines if li.get_label().startswith(("M", "G"))]
    assert len(shown) == 34
    assert len({(li.get_color(), li.get_marker()) for li in shown}) == 34
