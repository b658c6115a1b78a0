"""Definitions of experiments: their file, its checks, and the assignment of units to variants."""
