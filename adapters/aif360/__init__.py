"""AIF360: its data sets, GRAD and the metrics as its classes, its algorithms as methods.

A leaf: nothing but the user, the command line, the package's front door and `Table.to_aif360`
imports these files, and only they import AIF360.
"""
