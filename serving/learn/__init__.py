"""Learning between two trainings: an online correction of the blend, and its refit."""
