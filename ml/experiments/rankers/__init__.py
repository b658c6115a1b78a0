"""Experiments on rankers: interleaving and off-policy evaluation."""
