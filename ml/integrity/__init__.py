"""Checksums by which a damaged file of the home is recognized."""
