"""Erasure in the pipeline: it removes a person from every place of the home and then searches every file."""
