"""Names of items that people can read, from the table that describes the items."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ml.dataset.feature_ids import find_id_column
from ml.tables.column_roles import LEFT_TO_NAMES, ColumnChoice, open_with_roles
from ml.tables.id_columns import read_ids
from ml.tables.usual_names import ITEM_TITLES, normalized


def read_item_names(
    path: Path | None, choice: ColumnChoice = LEFT_TO_NAMES, interaction_ids: pa.Array | None = None
) -> dict[str, str]:
    """Name of each item by its id; empty where there is no file, no header or no column of names.

    Args:
        path: The table of items.
        choice: Which column has the ids, where the names of the columns leave it open.
        interaction_ids: Ids of the interactions, as for `read_features`.

    Raises:
        TableError: The file cannot be read, or several columns might have the ids.
    """
    if path is None:
        return {}
    table = open_with_roles(path)
    if not table.has_header:
        return {}
    by_name = {normalized(column): column for column in reversed(table.columns)}
    column = next((by_name[name] for name in ITEM_TITLES.split() if name in by_name), None)
    if column is None:
        return {}
    id_column = find_id_column(table, "item", choice, interaction_ids)
    rows = table.read(list(dict.fromkeys((id_column, column)))).table
    ids = pc.cast(read_ids(rows[id_column], f"{path.name}: column {id_column!r}"), pa.string()).to_pylist()
    titles = pc.cast(rows[column], pa.string()).to_pylist()
    return {item: title for item, title in zip(ids, titles, strict=True) if item is not None and title}
