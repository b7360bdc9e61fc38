"""Metrics of predictions: group metrics, neighbours, confidence intervals, scorers."""
