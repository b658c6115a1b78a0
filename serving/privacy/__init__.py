"""The person's rights: export and erasure."""
