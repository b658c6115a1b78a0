"""The DuckDB warehouse, its lock, the dbt project and the expectations on its marts."""
