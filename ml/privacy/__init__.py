"""Pseudonyms and the list of erased ids."""
