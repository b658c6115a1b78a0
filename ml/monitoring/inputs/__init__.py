"""Compares what models read now with what they were trained on."""
