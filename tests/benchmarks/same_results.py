"""Show that two versions of grad-ext give the same models: compare what each wrote.

    python tests/benchmarks/same_results.py before/ after/

Either folder holds studies (folders with results.csv) and `predictions.npz` by the same names, written
by the same commands under either version. Every number must be equal to the last bit; columns that
were renamed are compared under their new names, and those that measure time or memory are left out.
The exit code is 1 where anything differs.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

# Columns and values that have other names since the layout of version 0.2.
RENAMED = {
    "criterion": "constraint",
    "discrimination_floor": "chance_level",
    "knob": "hyperparameter",
    "attributes_read": "adversary_input",
    "lam_multiplies": "lam_scales",
    "final_rate": "final_lr_fraction",
    "ramp": "warmup",
    "optimism": "extrapolation",
    "select": "checkpoint",
}
MEASURED = {"seconds", "predict_seconds", "peak_bytes"}


def table(path: Path) -> pd.DataFrame:
    """Return a results.csv as text under the new names, without what is measured."""
    # As text: equal text is equal to the last bit, nan included.
    frame = pd.read_csv(path, dtype=str, keep_default_na=False).rename(columns=RENAMED)
    frame = frame.drop(columns=MEASURED & set(frame.columns))
    if "adversary_input" in frame:
        values = {"trunk": "representation", "score": "prediction"}
        frame["adversary_input"] = frame["adversary_input"].replace(values)
    if "hyperparameter" in frame and "method" in frame:
        frame["hyperparameter"] = frame["hyperparameter"].str.strip()
    return frame


def differences(before: Path, after: Path) -> list[str]:
    """Return what differs between two folders, a line each."""
    found = []
    for path in sorted(before.glob("*/results.csv")):
        name = path.relative_to(before)
        if not (after / name).exists():
            found.append(f"{name}: not written")
            continue
        old, new = table(path), table(after / name)
        if set(old) != set(new):
            found.append(f"{name}: columns differ in {sorted(map(str, set(old) ^ set(new)))}")
        shared = [column for column in old if column in new]
        if len(old) != len(new):
            found.append(f"{name}: {len(old)} rows before, {len(new)} after")
            continue
        for column in shared:
            unequal = (old[column] != new[column]).sum()
            if unequal:
                found.append(f"{name}: {column} differs in {unequal} of {len(old)} rows")
        print(f"{name}: {len(old)} rows, {len(shared)} columns compared")
    for path in sorted(before.glob("*/predictions.npz")):
        name = path.relative_to(before)
        old, new = np.load(path), np.load(after / name)
        found += [
            f"{name}: {key} differs"
            for key in old.files
            if key not in new.files or not np.array_equal(old[key], new[key], equal_nan=True)
        ]
        print(f"{name}: {len(old.files)} models compared")
    return found


if __name__ == "__main__":
    lines = differences(*map(Path, sys.argv[1:3]))
    print("\n".join(lines) or "equal")
    sys.exit(1 if lines else 0)
