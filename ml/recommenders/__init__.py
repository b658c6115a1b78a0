"""Recommenders: one interface, one file a model, plain arrays and Arrow tables in and out."""
