"""Describe segments: profiles, names, personas and the report."""
