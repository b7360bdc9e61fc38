"""Figures of studies and comparisons, drawn with matplotlib."""
