"""Controlled experiments: definition, assignment, analysis, decisions and reports."""
