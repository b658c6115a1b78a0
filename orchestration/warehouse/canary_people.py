"""Whom models answered, from the mart `answers`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pyarrow as pa


def read_canary_people(read: Callable[[str], pa.Table], since: dt.datetime) -> pa.Table:
    """Count the answers of the canary and of the champion, and those that were clicked, by person.

    Args:
        read: Returns the rows of a query, `Warehouse.read` for example.
        since: When the canary was chosen, UTC.

    Returns:
        role, answers, clicked_answers: one row per person and role, without the person.
    """
    return read(
        "select role, count(*) as answers, count(case when clicks > 0 then 1 end) as clicked_answers from answers"
        f" where role in ('canary', 'champion') and answered_at >= {_timestamp(since)}"
        " group by role, user_id order by role, user_id"
    )


def read_answered_people(read: Callable[[str], pa.Table]) -> pa.Table:
    """Count the answers of each version of the model, and those that were clicked, by person.

    What two models drafted together counts for neither.

    Returns:
        model_version, answers, clicked_answers, first_answer_at, last_answer_at: one row per version and person.
    """
    return read(
        "select model_version, count(*) as answers, count(case when clicks > 0 then 1 end) as clicked_answers,"
        " min(answered_at) as first_answer_at, max(answered_at) as last_answer_at from answers"
        " where role in ('canary', 'challenger', 'champion') and model_version is not null"
        " group by model_version, user_id order by model_version, user_id"
    )


def count_answered_people(read: Callable[[str], pa.Table], since: dt.datetime) -> int:
    """Count the people whom any model answered since a moment, UTC."""
    counted = read(
        "select count(distinct user_id) as people from answers"
        f" where role is not null and answered_at >= {_timestamp(since)}"
    )
    return int(counted["people"][0].as_py())


def _timestamp(moment: dt.datetime) -> str:
    return f"timestamp '{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}'"
