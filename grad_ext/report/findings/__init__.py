"""Typed results of a study as data: what was compared, the estimate, its interval, the decision."""
