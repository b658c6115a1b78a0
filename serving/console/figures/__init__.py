"""Pages of figures from the published tables of the current bundle and from files of the home."""
