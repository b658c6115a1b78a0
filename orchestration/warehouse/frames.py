"""Training frames: what was known at a moment, read in the order of its keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pyarrow as pa

from ml.recommenders.selection.frames import TrainingFrames
from orchestration.warehouse.marts import ITEMS

FRAMES = ("training_interactions", "training_users", "training_items", "training_new_items")
MARTS = ("interactions", "users", "items")
INTERACTION_COLUMNS = "user_id, item_id, strength, last_at, is_negative"


def frames_as_of(read: Callable[[str], pa.Table], moment: dt.datetime | None = None) -> TrainingFrames:
    """Read what recommenders are trained on.

    Args:
        read: Runs a query on the warehouse.
        moment: The moment that the frames speak of, naive UTC. None for now: the marts hold what the frames would
            hold, and are there already.
    """
    if moment is None:
        items = read(ITEMS)
        return TrainingFrames(
            as_of=None,
            interactions=read(f"select {INTERACTION_COLUMNS} from interactions order by user_id, item_id"),
            users=read("from users where has_personalization_consent order by user_id"),
            items=items,
            new_items=items.slice(0, 0),
        )
    as_of = f"timestamp '{moment}'"
    return TrainingFrames(
        as_of=moment,
        interactions=read(
            f"select {INTERACTION_COLUMNS} from training_interactions({as_of}) order by user_id, item_id"
        ),
        users=read(f"from training_users({as_of}) order by user_id"),
        items=read(f"from training_items({as_of}) order by item_id"),
        new_items=read(f"from training_new_items({as_of}) order by item_id"),
    )
