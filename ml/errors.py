"""The errors that Tessera raises on purpose. The command line and the service report them without a traceback."""

from __future__ import annotations

from pathlib import Path


class TesseraError(Exception):
    """An error that a person can act on. Its message says what is wrong and what to do.

    Every error class of the project descends from this one. A class that callers also catch by a builtin type
    names that type as its second base.
    """


class InvalidInputError(TesseraError, ValueError):
    """A value, a column or a file cannot be used. The message names it and what would be legal."""


class MissingExtraError(TesseraError, ImportError):
    """A library that only an extra installs is missing. The message says how to install it."""


class DamagedFileError(TesseraError, ValueError):
    """A file of the home does not hold what was written to it.

    Attributes:
        file: The file.
        damage: What is wrong with it.
        remedy: What to do.
    """

    def __init__(self, file: Path, damage: str, remedy: str) -> None:
        super().__init__(f"{file}: {damage}. Remedy: {remedy}.")
        self.file = file
        self.damage = damage
        self.remedy = remedy
