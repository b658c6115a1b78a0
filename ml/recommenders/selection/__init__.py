"""Training, comparison, search and selection of recommendation models."""
