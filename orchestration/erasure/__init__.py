"""Erasure as the pipeline does it: every place of the home in turn, then a look at every byte."""
