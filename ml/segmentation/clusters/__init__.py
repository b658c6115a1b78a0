"""Clustering: algorithms, the choice among them, validation and identity over time."""
