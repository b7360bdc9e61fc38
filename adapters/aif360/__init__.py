"""AIF360: its data sets, GRAD and the metrics as its classes, its algorithms as methods.

Only these files import AIF360. They are imported by users, the registry of baselines, the command
line, `grad_ext.__init__` and `Table.to_aif360` only, lazily.
"""
