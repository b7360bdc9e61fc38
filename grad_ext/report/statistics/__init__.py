"""Numbers computed from tables of results: spreads, intervals, pairwise comparisons."""
