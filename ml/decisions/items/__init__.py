"""Candidate items: what the bundle holds of them, their neighbours, and what is personal."""
