"""Attribute leakage: how well protected attributes can be predicted from what a model returns.

Read probes.py first: it trains classifiers (probes) that predict groups from columns of numbers, with
confidence intervals. sources.py extracts these columns from models, audit.py runs every probe on every
attribute and source, and tables.py does so for the rows of a `Table`.
"""
