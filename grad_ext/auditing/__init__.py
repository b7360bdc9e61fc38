"""Audit models for attribute leakage: how well can protected attributes be predicted from them?

Read probes.py first: it trains classifiers (probes) that predict groups from columns of numbers, with
confidence intervals. sources.py extracts these columns from models, audit.py runs every probe on every
attribute and source, tables.py does so for the rows of a `Table`, and show.py presents the results.
"""
