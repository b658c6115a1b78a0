"""Tracker protocols → records in the contract's fields. `docs/collector.md` holds the mapping, field by field."""
