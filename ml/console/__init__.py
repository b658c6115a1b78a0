"""The figures of the console, worked out from published tables of sums."""
