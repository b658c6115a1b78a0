"""Which column of a table of users or items has the ids that the interactions use."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ml.tables.chunks import TableError
from ml.tables.column_roles import ColumnChoice, possible_columns, require_id_column
from ml.tables.id_columns import read_ids
from ml.tables.table_files import TableFile
from ml.tables.usual_names import Role


def find_id_column(
    table: TableFile, role: Role, choice: ColumnChoice, interaction_ids: pa.Array | None = None
) -> str:
    """The column of the ids; where several may be meant, the one that holds most ids of the interactions.

    Public tables of books have up to five columns of ids, and the usual name is not always the one that joins.

    Args:
        table: The table of users or items.
        role: `user` or `item`.
        choice: What the options say.
        interaction_ids: Ids of the interactions; None without them.

    Raises:
        TableError: As `require_id_column`.
    """
    candidates = possible_columns(table, role, "id") if table.has_header else []
    if interaction_ids is None or len(candidates) < 2 or getattr(choice, role) is not None:
        return require_id_column(table, role, choice)
    rows = table.read(candidates).table
    held = {
        name: _count_held(rows[name], f"{table.path.name}: column {name!r}", interaction_ids)
        for name in candidates
    }
    best = max(candidates, key=held.__getitem__)
    return best if held[best] else require_id_column(table, role, choice)


def _count_held(column: pa.ChunkedArray, name: str, interaction_ids: pa.Array) -> int:
    """Number of the ids of the interactions that a column holds; 0 where its cells are no ids."""
    try:
        ids = pc.cast(read_ids(column, name), pa.string())
    except TableError:
        return 0
    return int(pc.sum(pc.is_in(interaction_ids, pc.unique(ids))).as_py() or 0)
