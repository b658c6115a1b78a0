"""Decisions for a slot, and the rules that make them."""
