"""Pages as lists of sections."""
