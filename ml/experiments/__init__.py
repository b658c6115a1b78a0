"""Experiments: definition, assignment, design and analysis of randomised tests on the project's own events."""
