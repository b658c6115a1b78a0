"""The rights of a person: export and erasure."""
