"""Running a study: packs on Ray, resources, memory and time limits, storage and progress."""
