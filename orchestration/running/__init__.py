"""Running Dagster: instance, processes, materialization and progress."""
