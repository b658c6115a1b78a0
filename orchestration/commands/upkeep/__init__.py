"""The commands that look after a home."""
