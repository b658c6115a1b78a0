"""Proposes a mapping for a file whose columns have names of their own."""
