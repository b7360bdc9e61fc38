"""Figures of studies."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from report_data import record, study

from grad_ext.errors import InputError
from grad_ext.report.figures.study import (
    frontier_figure,
    lambda_figure,
    plane_figure,
    spread_figure,
)
from grad_ext.report.figures.style import render
from grad_ext.report.statistics.settings import by_settings
from grad_ext.report.tables import results


def texts(svg):
    return [e.text for e in ElementTree.fromstring(svg).iter() if e.text and e.tag.endswith("text")]


def test_the_legend_is_no_wider_than_the_figure():
    two = results([*study({1: 0.8, 10: 0.75}, 2, 0.01), record(0, 0)])
    two = pd.concat([two, two.assign(recipe="a recipe with a name that is rather long")])
    for frame, curves in ((two[two["recipe"] == "smooth"], ()), (two, ["recipe"])):
        figure = lambda_figure(frame, "GRAD-Pred on german", curves)
        figure.canvas.draw()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert len(legend.get_texts()) == len(figure.axes[1].get_legend_handles_labels()[1])


def test_the_figure_shows_what_the_papers_does():
    frame = results([*study({1: 0.80, 10: 0.75, 100: 0.752}, noise=0.01), record(0, 0)])
    figure = lambda_figure(frame, "GRAD-Pred on german")
    accuracy = figure.axes[0]
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "Accuracy",
        "Discrimination",
        "Consistency",
    ]
    assert accuracy.get_xscale() == "log"
    drawn = {line.get_label(): line for line in accuracy.lines}
    np.testing.assert_allclose(drawn["median"].get_xydata(), [[1, 0.8], [10, 0.75], [100, 0.752]])
    assert drawn["majority class"].get_ydata()[0] == 0.7
    assert drawn["plain network (λ = 0)"].get_ydata()[0] == 0.75
    assert any(
        line.get_xdata()[0] == 100 and line.get_linestyle() == "--" for line in accuracy.lines
    )
    svg = render(figure, "inline")
    assert "GRAD-Pred on german" in texts(svg)
    assert render(figure, "png").startswith(b"\x89PNG")


def test_names_of_studies_are_no_formulas():
    name = r"$\frac{$"
    records = [record(lam, seed, name=name) for lam in (0, 0.1, 1, 1000) for seed in (0, 1)]
    frame = results(records)
    titled = f"GRAD-Pred on {name}"
    curves = lambda_figure(frame.assign(recipe=[name, "b"] * 4), titled, ["recipe"])
    points = by_settings(results(records), ["lam"])
    figures = [
        curves,
        plane_figure(frame, titled, "protected"),
        spread_figure(frame, titled, ["protected", "lam"]),
        frontier_figure(points, titled),
    ]
    for figure in figures:
        shown = texts(render(figure, "inline"))
        assert titled in shown
        if figure is curves:
            assert {"0.1", "1", "1000"} <= set(shown)


def test_diverged_models_alone_are_drawn():
    records = [record(1, 0, diverged=True), record(10, 0, diverged=True)]
    assert len(lambda_figure(results(records), "none").axes) == 3


def test_a_figure_over_lambda_needs_one_number_a_model():
    frame = results([record((1.0,), 0), record((10.0,), 0)])
    with pytest.raises(InputError, match=r"one number a model, got \(1\.0,\)"):
        lambda_figure(frame, "GRAD-Pred on german")
