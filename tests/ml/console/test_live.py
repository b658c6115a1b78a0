"""The last half hour against sums over the same events, worked out one by one."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.console.live import FEWEST_PEOPLE, MINUTES, OF_SERVICE, OTHER_PAGES, count_live
from ml.events.live_log import OpenPartWriter
from ml.events.log import EventLog
from ml.events.validation import validate_records
from ml.home import Home

NOW = dt.datetime(2026, 6, 1, 12, 17, 40, tzinfo=dt.UTC)
TYPES = ("page_view", "click", "served", "exposure", "purchase", "impression")


def events(seed: int) -> list[dict[str, Any]]:
    """Events of people, browsers and robots from an hour ago until two minutes ahead."""
    draw = np.random.default_rng(seed)
    return [
        {
            "event_id": f"{seed}-{number}",
            "event_type": str(draw.choice(TYPES)),
            "occurred_at": (NOW + dt.timedelta(seconds=float(draw.uniform(-3600, 120)))).isoformat(),
            "received_at": NOW.isoformat(),
            "anonymous_id": f"a{draw.integers(9)}",
            "user_id": f"a{draw.integers(9)}" if draw.random() < 0.4 else None,
            "device_type": str(draw.choice(["mobile", "bot", "desktop"])),
            "country": str(draw.choice(["DE", "FR"])),
            "page_title": f"Page {min(draw.integers(9), draw.integers(9))}",
            "item_id": "i1",
        }
        for number in range(300)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_last_half_hour_is_that_of_the_events(tmp_path: Path, seed: int) -> None:
    log, sent = EventLog(Home(tmp_path / "home")), events(seed)
    sealed, unsealed = (
        validate_records(part, NOW, dt.timedelta(days=1))[0].accepted for part in (sent[:200], sent[200:])
    )
    with log.ingest("json") as writer:
        writer.write(sealed)
    still_open = OpenPartWriter(log, "json")
    still_open.append(unsealed)

    first = NOW.replace(second=0) - dt.timedelta(minutes=MINUTES - 1)
    counted = [
        event
        for event in sent
        if first <= dt.datetime.fromisoformat(event["occurred_at"]) <= NOW + dt.timedelta(minutes=1)
        and event["event_type"] not in OF_SERVICE
        and event["device_type"] != "bot"
    ]
    live = count_live(log, NOW)
    assert counted
    assert live.people == len({event["user_id"] or ("browser", event["anonymous_id"]) for event in counted})
    assert live.page_views == sum(event["event_type"] == "page_view" for event in counted)
    assert dict(live.types) == Counter(event["event_type"] for event in counted)
    views = [event for event in counted if event["event_type"] == "page_view"]
    viewers = {
        title: {
            event["user_id"] or ("browser", event["anonymous_id"])
            for event in views
            if event["page_title"] == title
        }
        for title in {event["page_title"] for event in views}
    }
    assert dict(live.pages) == Counter(
        event["page_title"] if len(viewers[event["page_title"]]) >= FEWEST_PEOPLE else OTHER_PAGES
        for event in views
    )
    assert len(live.minutes) == MINUTES
    assert sum(count for _, count in live.minutes) == len(counted)
    by_minute = Counter(min(event["occurred_at"][:16], f"{NOW:%Y-%m-%dT%H:%M}") for event in counted)
    assert {f"{minute:%Y-%m-%dT%H:%M}": count for minute, count in live.minutes if count} == by_minute
    still_open.seal()
    assert count_live(log, NOW) == live
