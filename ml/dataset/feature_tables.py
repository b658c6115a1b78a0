"""Features of users or items from the files that people bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.dataset.feature_ids import find_id_column
from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interaction_tables import STANDARD_NAMES, silent
from ml.dataset.natural_features import ColumnFeatures, column_features, separator_of
from ml.tables.chunks import Chunk, TableError
from ml.tables.column_roles import (
    LEFT_TO_NAMES,
    ColumnChoice,
    has_column,
    named_column,
    open_with_roles,
)
from ml.tables.id_columns import read_unique_ids
from ml.tables.list_cells import read_lists
from ml.tables.number_columns import CellPlace
from ml.tables.table_files import Log, TableFile
from ml.tables.usual_names import Role

FEATURES = "features"


def read_features(
    path: Path | None,
    role: Role,
    choice: ColumnChoice = LEFT_TO_NAMES,
    log: Log = silent,
    interaction_ids: pa.Array | None = None,
) -> FeatureMatrix | None:
    """Read the features of users or items from a file; None for no file.

    A column `features` holds lists of texts such as `genre:Drama`. Without one, or where its elements are nearly
    all different and other columns say more, every column becomes features as `column_features` says. In a file
    without a header the first column has the ids.

    Args:
        path: The file.
        role: `user` or `item`.
        choice: Which column has the ids, where the names leave it open.
        log: Is told in sentences what became of each column.
        interaction_ids: Ids of the interactions, which choose the column of the ids where several may be meant.

    Raises:
        TableError: The file or a cell of it cannot be used, an id stands twice, or no column gives a feature.
    """
    if path is None:
        return None
    table = open_with_roles(path)
    id_column = find_id_column(table, role, choice, interaction_ids)
    chunk = table.read(log=log)
    ids = read_unique_ids(chunk.table[id_column], CellPlace(path.name, id_column, chunk.numbers))
    lists = _declared_lists(table, chunk, id_column, role, log)
    if lists is None:
        others = [column for column in table.columns if column != id_column]
        lists = _lists_of(_features_by_column(table, chunk, others), table, id_column, len(ids), role, log)
    return FeatureMatrix.from_table(pa.table({STANDARD_NAMES[role]: ids, FEATURES: lists}), STANDARD_NAMES[role])


def _declared_lists(table: TableFile, chunk: Chunk, id_column: str, role: Role, log: Log) -> pa.ListArray | None:
    """The lists of the column `features`; None without one, or if other columns say more of what rows share."""
    if not has_column(table, FEATURES):
        return None
    declared = named_column(table, FEATURES, role)
    others = [column for column in table.columns if column not in (id_column, declared)]
    is_shared = any(_features_by_column(table, chunk, [declared]).values())
    if not is_shared and any(_features_by_column(table, chunk, others).values()):
        return None
    rest = f"; not used: {', '.join(others)}" if others else ""
    log(f"{table.path.name}: reading {id_column} as {role}, {declared}{rest}")
    place = CellPlace(table.path.name, declared, chunk.numbers)
    return read_lists(chunk.table[declared], place, separator_of(chunk.table[declared]) or "|")


def _features_by_column(
    table: TableFile, chunk: Chunk, columns: Sequence[str]
) -> dict[str, ColumnFeatures | None]:
    """Features that each column gives; None where it gives none."""
    name = table.path.name
    return {
        column: column_features(chunk.table[column], CellPlace(name, column, chunk.numbers), table.delimiter)
        for column in columns
    }


def _lists_of(
    natural: Mapping[str, ColumnFeatures | None],
    table: TableFile,
    id_column: str,
    n_rows: int,
    role: Role,
    log: Log,
) -> pa.ListArray:
    used = [features for features in natural.values() if features is not None]
    unused = [column for column, features in natural.items() if features is None]
    if not used:
        raise TableError(
            f"{table.path}: no column says what several {role}s have in common. Add a column {FEATURES}, with "
            "lists such as genre:Drama|year:1994"
        )
    rest = f"; not used, since their values are nearly all different or all alike: {', '.join(unused)}"
    log(
        f"{table.path.name}: reading {id_column} as {role}; features from "
        f"{', '.join(features.description for features in used)}{rest if unused else ''}"
    )
    return _by_row(used, n_rows)


def _by_row(parts: Sequence[ColumnFeatures], n_rows: int) -> pa.ListArray:
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    values = pa.concat_arrays([part.values for part in parts]).take(pa.array(order))
    offsets = np.zeros(n_rows + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=n_rows), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values)
