"""Candidate items: the bundle as arrays, its join with the activity, item search, and personal scores."""
