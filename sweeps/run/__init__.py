"""Running a study: packs on this machine or on Ray, resources, memory and time limits, storage and progress."""
