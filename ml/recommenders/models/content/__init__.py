"""Models that rank items by their features."""
