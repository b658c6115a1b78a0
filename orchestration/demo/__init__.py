"""The demo: its results, report and pictures."""
