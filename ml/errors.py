"""The root of the errors that Tessera raises on purpose."""


class TesseraError(Exception):
    """An error that a person can act on: its message says what is wrong and what to do."""
