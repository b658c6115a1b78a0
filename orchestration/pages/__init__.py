"""The start page of `tessera up`: where every page and report is, and the reports themselves."""
