"""Erasure of a person from the event log, the dead letters and tables in files, with a receipt."""
