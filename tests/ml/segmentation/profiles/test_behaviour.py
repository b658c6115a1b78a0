from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation.profiles.behaviour import SegmentBehaviour, TypicalSession, summarize_behaviour

HINTS = {"location": ["country"]}
USERS = pa.table({"user_id": ["a", "b", "c"], "consents": [["location"], [], []]})
SEGMENTS = np.array([1, 1, 2])


def test_sessions_yield_the_funnel_and_mix_of_a_segment() -> None:
    stages = ["purchase"] * 30 + ["cart"] * 10 + ["view"] * 60
    sessions = pa.table(
        {
            "user_id": ["a"] * 60 + ["b"] * 40 + ["elsewhere"],
            "funnel_stage": [*stages, "purchase"],
            "page_views": [2] * 100 + [50],
            "duration_seconds": [90.0] * 100 + [5000.0],
            "device_type": ["mobile"] * 75 + ["desktop"] * 25 + ["tv"],
        }
    )
    behaviours = summarize_behaviour(sessions, USERS, SEGMENTS, HINTS, 1)
    assert set(behaviours) == {1}
    behaviour = behaviours[1]
    assert behaviour.sessions == 100
    assert behaviour.funnel == {"view": 100, "cart": 40, "checkout": 30, "purchase": 30}
    assert behaviour.mixes == {"device_type": {"mobile": 0.75, "desktop": 0.25}}
    assert (behaviour.median_pages, behaviour.median_minutes) == (2.0, 1.5)
    assert behaviour.weekly_users == ()
    document = json.loads(json.dumps(asdict(behaviour)))
    assert SegmentBehaviour.from_document(document) == behaviour
    assert SegmentBehaviour.from_document({**document, "triggers": []}) == behaviour  # of a former version


def visits(user: str, *days: float, **columns: str) -> list[dict[str, object]]:
    """Sessions so many days before the newest."""
    newest = dt.datetime(2026, 3, 29, 20, 15)
    return [{"user_id": user, "started_at": newest - dt.timedelta(days=day), **columns} for day in days]


def test_a_trend_counts_people_in_whole_weeks_before_the_newest_session() -> None:
    # The log begins 27 days before its end: three whole weeks and a partial week that does not count.
    sessions = pa.Table.from_pylist(visits("a", 0, 1, 8, 27) + visits("b", 2, 9) + visits("stranger", 3))
    behaviour = summarize_behaviour(sessions, USERS, SEGMENTS, HINTS, 1)[1]
    assert behaviour.weekly_users == (0, 2, 2)
    assert behaviour.trend is None


@pytest.mark.parametrize(
    ("weeks", "trend"), [((100, 100, 150, 150), 0.5), ((990, 80, 120, 50, 50), -0.5), ((0, 0, 1, 1), None)]
)
def test_a_trend_compares_the_later_half_of_the_weeks_with_the_earlier(
    weeks: tuple[int, ...], trend: float | None
) -> None:
    behaviour = SegmentBehaviour(1, {}, {}, None, None, weeks, ())
    assert behaviour.trend == trend


def test_places_count_only_sessions_of_users_who_consent_to_location() -> None:
    sessions = pa.Table.from_pylist(visits("a", 0, country="DE") + visits("b", 1, 2, country="FR"))
    assert summarize_behaviour(sessions, USERS, SEGMENTS, HINTS, 1)[1].mixes == {"country": {"DE": 1.0}}
    assert summarize_behaviour(sessions, USERS, SEGMENTS, HINTS, 2)[1].mixes == {}


def test_small_segments_and_noise_are_not_described() -> None:
    sessions = pa.Table.from_pylist(visits("a", 0) + visits("c", 1))
    assert set(summarize_behaviour(sessions, USERS, np.array([1, -1, 2]), HINTS, 1)) == {1, 2}
    assert summarize_behaviour(sessions, USERS, np.array([1, -1, 2]), HINTS, 2) == {}


def test_typical_sessions_are_real_ones_on_the_usual_device() -> None:
    base = visits("a", 0)[0] | {"funnel_stage": "view", "channel": "mail"}
    rows = [
        base | {"page_views": pages, "duration_seconds": 60.0 * pages, "device_type": device}
        for pages, device in ((1, "mobile"), (2, "mobile"), (3, "mobile"), (4, "mobile"), (5, "mobile"), (3, "tv"))
    ]
    typical = summarize_behaviour(pa.Table.from_pylist(rows), USERS, SEGMENTS, HINTS, 1)[1].typical
    usual = TypicalSession("usual", "Sunday", 20, "mobile", "mail", 3, 3.0, "view")
    assert typical == (
        replace(usual, kind="short", pages=2, minutes=2.0),
        usual,
        replace(usual, kind="long", pages=4, minutes=4.0),
    )
