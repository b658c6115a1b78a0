"""Experiments on answers: assignment, exposures, traffic shares and interleaving."""
