"""Tracker protocols → records in the contract's fields. `MAPPING.md` beside the collector is the table."""
