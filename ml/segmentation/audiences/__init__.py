"""Audiences by rule or by segment, and who may be contacted."""
