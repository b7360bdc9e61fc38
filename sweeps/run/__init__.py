"""Running a study: packs, executors, resources, limits, progress."""
