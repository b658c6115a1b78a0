"""Definitions of experiments, their checks, and the assignment of units to variants."""
