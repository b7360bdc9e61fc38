"""Training: settings, the loop, the epoch to keep, validation metrics."""
