"""Verification, backup and restoration of a home."""
