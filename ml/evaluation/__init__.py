"""Evaluation: splits, metrics, comparison of candidates, and the gate that a champion must pass."""
