"""The neural baselines of GRAD's paper, VFAE and ALFR, on grad-ext's engine."""
