"""Training, and the run directory that records it."""
