"""Recommendation models, one file each, and the zoo that names them."""
