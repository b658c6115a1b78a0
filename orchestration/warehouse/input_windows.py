"""Weeks of what models read: the training frames, as they were known at the end of the week."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import pyarrow as pa

from ml.monitoring.inputs.profile import profile_windows
from ml.monitoring.inputs.reference import Reference, cluster_items
from ml.monitoring.inputs.windows import INTERACTIONS, ITEMS, USERS, WEEK, InputWindow, active_items
from ml.recommenders.base import Recommender
from ml.recommenders.factors import FactorRecommender
from ml.segmentation import Segmentation
from ml.settings import Settings

Read = Callable[[str], pa.Table]
SPAN = "select min(first_seen_at) as first, max(last_seen_at) as last from users where has_personalization_consent"
_DAY_SECONDS = 86_400


def read_reference(
    read: Read, recommender: Recommender, segmentation: Segmentation, settings: Settings
) -> Reference:
    """Profile what a recommender and the segmentation were just trained on: the newest week and those before it.

    Args:
        read: Runs a query on the warehouse.
        recommender: The trained model.
        segmentation: The segmentation of the same run.
        settings: Columns of the recommender, how many weeks count, and how many people must share a value.
    """
    features = [name.partition("=")[0] for name in segmentation.preparation["features"]]
    user_columns = list(dict.fromkeys([*settings.recommenders.user_columns, *features]))
    columns = user_columns, settings.recommenders.item_columns
    factors = recommender.item_factors_ if isinstance(recommender, FactorRecommender) else None
    items = cluster_items(recommender.item_ids_.values, factors, settings.evaluation.seed)
    newest = read_newest(read, *columns)
    knobs = settings.monitoring
    windows = [newest, *read_before(read, newest, knobs.input_weeks - 1, knobs.grace_days, *columns)]
    profiles = profile_windows([each.with_clicks(items) for each in windows], knobs.least_people)
    return Reference(newest.end, profiles, items)


def read_newest(read: Read, user_columns: Sequence[str], item_columns: Sequence[str]) -> InputWindow:
    """Read the newest week, from the marts.

    Args:
        read: Runs a query on the warehouse.
        user_columns: Columns of users that models read; `column:key` for the value of a key of a map. Those that
            the mart lacks are left out.
        item_columns: The same of items.
    """
    span = read(SPAN).to_pylist()[0]
    end = span["last"] or dt.datetime(1970, 1, 1)
    sources = {USERS: "(from users where has_personalization_consent)", ITEMS: ITEMS, INTERACTIONS: INTERACTIONS}
    return InputWindow(end, span["first"], _tables(read, sources, end, user_columns, item_columns))


def read_before(
    read: Read,
    newest: InputWindow,
    weeks: int,
    grace_days: int,
    user_columns: Sequence[str],
    item_columns: Sequence[str],
) -> list[InputWindow]:
    """Read the weeks before the newest one, from the frames as of their ends.

    Args:
        read: Runs a query on the warehouse.
        newest: The newest week.
        weeks: How many weeks before it.
        grace_days: Days at the beginning of the site that are left out, since all people are new then.
        user_columns: Columns of users that models read.
        item_columns: The same of items.
    """
    windows = []
    for week in range(1, weeks + 1):
        end = newest.end - dt.timedelta(days=WEEK * week)
        if not newest.is_grown(grace_days, end):
            break
        as_of = f"timestamp '{end}'"
        sources = {frame: f"training_{frame}({as_of})" for frame in (USERS, ITEMS, INTERACTIONS)}
        tables = _tables(read, sources, end, user_columns, item_columns)
        windows.append(InputWindow(end, newest.first, tables))
    return windows


def _tables(
    read: Read, sources: dict[str, str], end: dt.datetime, user_columns: Sequence[str], item_columns: Sequence[str]
) -> dict[str, pa.Table]:
    users = _existing(read, "users", user_columns)
    items = _existing(read, "items", item_columns)
    interactions = read(
        f"select user_id as owner, {_day('last_at', end)} as day, item_id, strength, is_negative"
        f" from {sources[INTERACTIONS]} where {_in_week('last_at', end)} order by user_id, item_id"
    )
    return {
        USERS: read(
            f"select user_id as owner, {_day('last_seen_at', end)} as day, first_seen_at {users}"
            f" from {sources[USERS]} where {_in_week('last_seen_at', end)} order by user_id"
        ),
        ITEMS: active_items(
            read(f"select item_id as owner {items} from {sources[ITEMS]} order by item_id"), interactions
        ),
        INTERACTIONS: interactions,
    }


def _existing(read: Read, mart: str, columns: Sequence[str]) -> str:
    there = read(f"from {mart} limit 0").column_names
    selected = []
    for column in columns:
        name, _, key = column.partition(":")
        if column in there:
            selected.append(f", {_quoted(column)}")
        elif key and name in there:
            text = key.replace("'", "''")
            # Who has a map has none of what it lacks.
            value = f"case when {_quoted(name)} is not null then coalesce({_quoted(name)}['{text}'], 0) end"
            selected.append(f", {value} as {_quoted(column)}")
    return "".join(selected)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _day(column: str, end: dt.datetime) -> str:
    """SQL for the day of the week that ends at a moment, from 0."""
    seconds = f"date_diff('second', {column}, timestamp '{end}')"
    return f"greatest({WEEK - 1} - {seconds} // {_DAY_SECONDS}, 0)"


def _in_week(column: str, end: dt.datetime) -> str:
    begin = end - dt.timedelta(days=WEEK)
    return f"{column} > timestamp '{begin}' and {column} <= timestamp '{end}'"
