"""Training frames: what was known of people, items and their interactions at a moment, as training data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.data_split import DataSplit
from ml.recommenders.training_data import TrainingData
from ml.settings.recommenders import RecommenderSettings

# What the first page view of a person says already; every other column takes behaviour to be known.
FIRST_VISIT_COLUMNS = ("device_type", "country", "region", "city", "language", "timezone", "channel")


@dataclass(frozen=True)
class TrainingFrames:
    """What was known at one moment of a site's history.

    Attributes:
        as_of: The moment, naive UTC; None for now.
        interactions: Columns `user_id`, `item_id`, `strength`, `last_at`, `is_negative`; a row per user and item.
        users: Users with consent to personalization: `user_id` and the columns that become features.
        items: Items that were published by then: `item_id` and the columns that become features; `tags` and
            `features` are lists.
        new_items: Items that were published later, as they were first described; some of the columns of `items`.
    """

    as_of: dt.datetime | None
    interactions: pa.Table
    users: pa.Table
    items: pa.Table
    new_items: pa.Table

    def of_users(self, user_ids: pa.ChunkedArray) -> TrainingFrames:
        """The same frames with these users only, such as those who still consent."""
        value_set = user_ids.combine_chunks()
        return replace(
            self,
            interactions=self.interactions.filter(pc.is_in(self.interactions["user_id"], value_set=value_set)),
            users=self.users.filter(pc.is_in(self.users["user_id"], value_set=value_set)),
        )

    def training_data(self, settings: RecommenderSettings) -> TrainingData:
        """The frames as matrices on common ids, with the feature columns that the settings name.

        A column is used where the frame has it with at least two different values.

        Raises:
            InvalidInputError: No user consents to personalization.
        """
        if not len(self.users):
            raise InvalidInputError("no user consents to personalization: there is nobody to train on")
        items = pa.concat_tables([self.items, self.new_items], promote_options="default")
        return TrainingData.align(
            interactions_of(self.interactions),
            features_of(self.users, "user_id", usable_columns(self.users, settings.user_columns)),
            features_of(items, "item_id", usable_columns(self.items, settings.item_columns)),
        )


def split_moment(frames: TrainingFrames, share: float) -> dt.datetime:
    """The moment after which the newest interactions happened.

    Args:
        frames: What is to be split.
        share: Share of the pairs of user and item whose last event comes after the moment.

    Raises:
        EmptySplitError: No pair is newer than any other.
    """
    times = np.sort(frames.interactions["last_at"].to_numpy()).astype("datetime64[us]").astype(np.int64)
    if not len(times) or times[0] == times[-1]:
        raise EmptySplitError(f"all interactions ({len(times):,}) are of one moment and cannot be split by time")
    cut = np.quantile(times, 1 - share, method="higher")
    earlier = times[times < cut] if cut > times[0] else times[:1]
    moment: dt.datetime = np.datetime64(int(earlier[-1]), "us").item()
    return moment


def split_between(then: TrainingFrames, later: TrainingFrames, settings: RecommenderSettings) -> DataSplit:
    """Training data as of one moment, and the pairs that were active between it and a later one as the test.

    The training data holds nothing that became known after its moment: no class that a user reached later, no tag
    that an item received later, no strength that grew later. A pair that was active on both sides is held back
    whole, so that models are also judged by what users came back to. Users who had withdrawn their consent by the
    later moment are on neither side.

    Args:
        then: Frames as of the split.
        later: Frames as of a later moment.
        settings: Names the columns that become features.

    Raises:
        EmptySplitError: One of the two sides has nobody who consents, or no interaction.
    """
    allowed = then.of_users(later.users["user_id"])
    newer = pc.fill_null(pc.greater(later.interactions["last_at"], then.as_of), False)
    test = interactions_of(later.interactions.filter(newer))
    train = replace(allowed, interactions=_without_pairs(allowed.interactions, test))
    if not len(train.users) or not len(train.interactions) or not test.n_pairs:
        raise EmptySplitError(
            f"the split at {then.as_of} leaves {len(train.interactions)} interactions of {len(train.users)} users "
            f"to train on and {test.n_pairs} interactions to test on"
        )
    return DataSplit(train.training_data(settings), test)


def _without_pairs(interactions: pa.Table, pairs: Interactions) -> pa.Table:
    """The rows whose user and item are no pair."""
    users, items = pairs.users.rows(interactions["user_id"]), pairs.items.rows(interactions["item_id"])
    is_paired = (users >= 0) & (items >= 0)
    width = len(pairs.items)
    keys = users.astype(np.int64) * width + items
    held_back = is_paired & np.isin(keys, pairs.rows.astype(np.int64) * width + pairs.columns)
    return interactions.filter(pa.array(~held_back))


def interactions_of(frame: pa.Table) -> Interactions:
    """Interactions with strengths as weights.

    Args:
        frame: `user_id`, `item_id`, `strength`, `last_at` and `is_negative`. Rejected pairs get a negative weight;
            pairs of no strength are left out.
    """
    strength = pc.cast(pc.fill_null(frame["strength"], 0.0), pa.float32())
    rejected = pc.fill_null(frame["is_negative"], False)
    weight = pc.if_else(rejected, pc.negate(pc.max_element_wise(pc.abs(strength), 1e-6)), strength)
    table = pa.table(
        {
            "user_id": frame["user_id"],
            "item_id": frame["item_id"],
            "weight": pc.cast(weight, pa.float32()),
            "timestamp": frame["last_at"],
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
    # On several threads the lists come in another order each time, and with it the start of what is learned.
    grouped = (
        listed.group_by(id_column, use_threads=False)
        .aggregate([("name", "list")])
        .rename_columns([id_column, "features"])
    )
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
    usable = []
    for column in columns:
        if column in table.column_names:
            _, values = _flat(table, table.column_names[0], column)
            if np.asarray(pc.count_distinct(values, mode="only_valid").as_py()) > 1:
                usable.append(column)
    return usable
