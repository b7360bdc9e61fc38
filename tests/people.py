"""Made-up people with a label that their income gives away, as a user's own file has them."""

import numpy as np
import pandas as pd


def people(n=300, seed=0):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["Female", "Male"], n)
    age = rng.integers(18, 80, n)
    income = rng.normal(30, 10, n).round(2) + 5 * (sex == "Male")
    job = rng.choice(["clerk", "cook", "guard"], n)
    # The favorable label is the first of the two by name.
    label = np.where(income + rng.normal(0, 4, n) > 32, "approved", "denied")
    columns = {"age": age, "income": income, "job": job, "sex": sex, "decision": label}
    return pd.DataFrame(columns)
