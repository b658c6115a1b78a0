"""Ids, interactions and feature matrices: what recommenders are trained on."""
