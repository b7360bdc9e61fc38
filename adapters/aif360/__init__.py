"""AIF360: conversion of data sets, its algorithms as methods, GRAD as one of its algorithms, metrics.

Only these files import AIF360. They are imported by users, the registry of baselines, the command
line, `grad_ext.__init__` and `Table.to_aif360` only, lazily.
"""
