"""Random tables for the tests of conversions to AIF360 and back."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from grad_ext.data.sensitive import SensitiveAttribute
from grad_ext.data.table import Table, Target


def same(first, second):
    """Equal tables: roles, and every column with its type."""
    pd.testing.assert_frame_equal(first.frame, second.frame)
    first, second = vars(first) | {"frame": 0}, vars(second) | {"frame": 0}
    assert first == second
    return True


TEXT = st.text(st.characters(codec="utf-8", categories=("L", "P")), max_size=4)


@st.composite
def tables(draw):
    """Columns of numbers and of text with any letters, protected attributes of every kind."""
    n = draw(st.integers(2, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=n),
            "purpose": pd.Series(rng.choice(np.array(levels, dtype=object), n), dtype=object),
            "sex": pd.Series(rng.choice(np.array(["f", "m"], dtype=object), n), dtype=object),
            "count": rng.integers(0, 5, n),
            "age": rng.integers(18, 80, n),
            "flag": rng.random(n) < 0.5,
            "who": rng.integers(0, 4, n),
            "note": "kept",
        }
    )
    label = draw(st.sampled_from([(">50K", "<=50K"), (1, 2), (0, 1), (True, False)]))
    frame["income"] = pd.Series([label[i] for i in rng.integers(0, 2, n)])
    frame["w"] = rng.uniform(size=n)
    frame["s"] = rng.uniform(size=n)
    rules = [
        SensitiveAttribute("sex", "sex", values=("m",)),
        SensitiveAttribute("age", "age", above=40),
        SensitiveAttribute("years", "age", continuous=True),
        SensitiveAttribute("count", "count", levels=(0, 1, 2, 3, 4)),
        SensitiveAttribute("purpose", "purpose", levels=tuple(levels)),
        SensitiveAttribute("few", "count", values=(0, 1)),
    ]
    chosen = draw(st.lists(st.sampled_from(rules), min_size=1, max_size=3, unique=True))
    return Table(
        name="made",
        frame=frame.set_index(rng.permutation(n) + 5),
        features=("amount", "purpose", "sex", "count", "age", "flag"),
        target=Target("income", *label),
        protected=tuple(chosen),
        weights="w" if draw(st.booleans()) else None,
        groups="who" if draw(st.booleans()) else None,
        scores="s" if draw(st.booleans()) else None,
        n_test=draw(st.integers(0, 1)),
    )
