"""Describe segments: profiles, names, personas, triggers and the report."""
