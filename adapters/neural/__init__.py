"""The paper's neural baselines, VFAE and ALFR, on grad-ext's own engine."""
