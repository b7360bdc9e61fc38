"""A table of four rows that tests of data compute with by hand."""

import pandas as pd

from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target


def small(**changes):
    frame = pd.DataFrame(
        {
            "x": [1.0, 2.0, 3.0, 6.0],
            "c": ["b", "a", "b", "c"],
            "flag": [0, 1, 1, 0],
            "g": ["m", "f", "f", "m"],
            "y": [1, 2, 1, 2],
        }
    )
    values = {
        "name": "small",
        "frame": frame,
        "features": ("x", "c", "flag", "g"),
        "target": Target("y", 1, 2),
        "protected": (SensitiveAttribute("g", "g", values=("m",)),),
    }
    return Table(**{**values, **changes})
