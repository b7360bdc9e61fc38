"""AIF360: its data sets to and from tables, GRAD as one of its algorithms, Zemel's metrics as one of
its metric classes.

A leaf: nothing but the user, the command line, the package's front door and `Table.to_aif360`
imports these files, and only they import AIF360.
"""
