"""Kinds of studies, their plans, and what is particular to searches, comparisons and reproductions."""
