"""Dagster assets, jobs and the command line: they read, call `ml`, and report."""
