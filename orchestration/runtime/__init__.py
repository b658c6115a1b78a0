"""Runs of Dagster and of the service: instance, processes, materialization and progress."""
