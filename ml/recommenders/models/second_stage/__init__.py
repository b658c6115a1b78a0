"""Models that rank again what other models propose."""
