"""Experiments on answers: assignment, exposure and interleaving."""
