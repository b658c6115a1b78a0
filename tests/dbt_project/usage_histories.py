"""What some people did on a site over five weeks, as events, and their visits cut without SQL."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.dbt_project.built import event

PAGES = [f"https://site/{name}" for name in ("", "a", "b", "c")]
RARE_PAGE = "https://site/d"  # ten people view it
PEOPLE = 60
SILENCE = 30  # minutes that end a visit
DAY = 24 * 60
Visit = list[dict[str, Any]]


def histories() -> dict[str, Visit]:
    """Views, exits with their dwell, carts and purchases of each person, at least half a minute apart."""
    generator, places = random.Random(7), random.Random(8)
    people: dict[str, Visit] = {}
    for number in range(PEOPLE):
        events, minute = [], generator.uniform(0, 14 * DAY)
        country = places.choice(["DE", "FR", None])
        device = places.choice(["mobile", "desktop", None])
        while minute < 35 * DAY and len(events) < 60:
            name, page = f"u{number}", generator.choice(PAGES)
            page = RARE_PAGE if number < 10 and places.random() < 0.3 else page
            address = page + ("?utm_source=mail&utm_medium=email" if generator.random() < 0.2 else "")
            where = {"user_id": name, "page_url": address, "country": country, "device_type": device}
            events.append(event(minute, page_title=page[-1], **where))
            if generator.random() < 0.6:
                dwell = generator.randint(5, 110)
                events.append(event(minute + 2, "page_exit", value=float(dwell), **where))
            if places.random() < 0.2:
                events.append(event(minute + 2.4, "add_to_cart", **where))
            if places.random() < 0.1:
                events.append(event(minute + 2.6, "checkout", **where))
            if generator.random() < 0.1:
                events.append(event(minute + 3, "purchase", value=5.0, **where))
            pause = generator.choice([5, 7, 11, 3 * 60, 4 * DAY])
            minute += pause
            if pause > SILENCE:
                device = places.choice(["mobile", "desktop", None])
        people[name] = events
    return people


PEOPLES_EVENTS = histories()


def visits() -> Iterator[tuple[str, Visit]]:
    """The visits of each person: events with less than half an hour between them."""
    for person, events in PEOPLES_EVENTS.items():
        visit = [events[0]]
        for before, after in pairwise(events):
            if (after["occurred_at"] - before["occurred_at"]).total_seconds() > SILENCE * 60:
                yield person, visit
                visit = []
            visit.append(after)
        yield person, visit


def views(visit: Visit) -> list[str]:
    """The pages of a visit without their campaigns."""
    return [row["page_url"].partition("?")[0] for row in visit if row["event_type"] == "page_view"]
