"""Visits as paths: Markov chains over pages, what states are worth, and what brought conversions about."""
