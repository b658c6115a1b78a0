"""The marts as training data: strengths as weights, columns as features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError

INTERACTION_COLUMNS = ("user_id", "item_id", "strength", "last_at", "is_negative")


@dataclass(frozen=True)
class TrainingTables:
    """What all candidates are trained on."""

    interactions: Interactions
    user_features: FeatureMatrix
    item_features: FeatureMatrix


def training_tables(
    interactions: pa.Table,
    users: pa.Table,
    items: pa.Table,
    *,
    user_columns: Sequence[str],
    item_columns: Sequence[str],
) -> TrainingTables:
    """Turn marts into matrices. Only users who consent to personalization are in them.

    Args:
        interactions: at least INTERACTION_COLUMNS.
        users: `user_id`, `has_personalization_consent` and the columns that become features.
        items: `item_id` and the columns that become features; `tags` and `features` are lists.
        user_columns: columns of users that become features.
        item_columns: columns of items that become features.

    Raises:
        ValueError: a column is missing, or nobody consents.
    """
    consenting = users.filter(pc.fill_null(users["has_personalization_consent"], False))
    if not len(consenting):
        raise InvalidInputError("no user consents to personalization: there is nobody to train on")
    allowed = pc.is_in(interactions["user_id"], value_set=consenting["user_id"].combine_chunks())
    return TrainingTables(
        interactions_of(interactions.filter(allowed)),
        features_of(consenting, "user_id", user_columns),
        features_of(items, "item_id", item_columns),
    )


def interactions_of(mart: pa.Table) -> Interactions:
    """The mart `interactions`; rejected pairs have a negative weight, those of no strength are left out."""
    strength = pc.cast(pc.fill_null(mart["strength"], 0.0), pa.float32())
    rejected = pc.fill_null(mart["is_negative"], False)
    weight = pc.if_else(rejected, pc.negate(pc.max_element_wise(pc.abs(strength), 1e-6)), strength)
    table = pa.table(
        {
            "user_id": mart["user_id"],
            "item_id": mart["item_id"],
            "weight": pc.cast(weight, pa.float32()),
            "timestamp": mart["last_at"],
        }
    )
    return Interactions.from_table(table.filter(pc.or_(rejected, pc.greater(weight, 0.0))))


def features_of(table: pa.Table, id_column: str, columns: Sequence[str]) -> FeatureMatrix:
    """One feature `column:value` for each filled value, of a list for each entry; `features` as they are."""
    owners, names = [], []
    for column in columns:
        owner, values = _flat(table, id_column, column)
        text = pc.cast(values, pa.string())
        if column != "features":
            text = pc.binary_join_element_wise(pa.scalar(column), text, ":")
        filled = pc.is_valid(text)
        owners.append(owner.filter(filled))
        names.append(text.filter(filled))
    listed = pa.table(
        {id_column: pa.chunked_array(owners, pa.string()), "name": pa.chunked_array(names, pa.string())}
    )
    grouped = listed.group_by(id_column).aggregate([("name", "list")]).rename_columns([id_column, "features"])
    ids = pc.cast(table[id_column], pa.string())
    features = grouped["features"].take(pc.index_in(ids, grouped[id_column]))
    return FeatureMatrix.from_table(pa.table({id_column: ids, "features": features}), id_column)


def _flat(table: pa.Table, id_column: str, column: str) -> tuple[pa.Array, pa.Array]:
    """Ids and values of one column, lists unrolled."""
    if column not in table.column_names:
        raise InvalidInputError(f"column {column!r} is missing; there are {', '.join(table.column_names)}")
    ids = pa.concat_arrays([pc.cast(table[id_column], pa.string()).combine_chunks()])
    values = (
        pa.concat_arrays(table[column].chunks) if table[column].num_chunks else pa.array([], table[column].type)
    )
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return ids.take(pc.list_parent_indices(values)), values.flatten()
    if pa.types.is_null(values.type):
        values = values.cast(pa.string())
    return ids, values


def usable_columns(table: pa.Table, columns: Sequence[str]) -> list[str]:
    """Those of the columns that the table has with at least two different values."""
    found = []
    for column in columns:
        if column in table.column_names:
            _, values = _flat(table, table.column_names[0], column)
            if np.asarray(pc.count_distinct(values, mode="only_valid").as_py()) > 1:
                found.append(column)
    return found
