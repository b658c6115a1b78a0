"""What a table of the console is: what its rows are, and type and meaning of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class PublishedTable:
    """A table of the folder `console` of a bundle.

    Attributes:
        description: What one row is.
        columns: Type and meaning of each column, by its name.
    """

    description: str
    columns: Mapping[str, tuple[pa.DataType, str]]

    @property
    def schema(self) -> pa.Schema:
        """The schema of the file."""
        return pa.schema([(name, kind) for name, (kind, _) in self.columns.items()])
