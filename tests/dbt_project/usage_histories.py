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
    """Views of each person, at least half a minute apart, exits with their dwell, clicks, carts and purchases."""
    generator, places, actions = random.Random(7), random.Random(8), random.Random(9)
    people: dict[str, Visit] = {}
    for number in range(PEOPLE):
        events, minute = [], generator.uniform(0, 14 * DAY)
        country = places.choice(["DE", "FR", None])
        device = places.choice(["mobile", "desktop", None])
        is_first = True
        while minute < 35 * DAY and len(events) < 60:
            name, page = f"u{number}", generator.choice(PAGES)
            page = RARE_PAGE if number < 10 and places.random() < 0.3 else page
            address = page + ("?utm_source=mail&utm_medium=email" if generator.random() < 0.2 else "")
            if is_first and actions.random() < 0.5:
                campaign = "rare" if number < 10 else actions.choice(["spring", "sale"])
                address += ("&" if "?" in address else "?") + f"utm_campaign={campaign}"
            where = {"user_id": name, "page_url": address, "country": country, "device_type": device}
            if page.endswith("c"):
                where["item_id"] = "rare" if number < 10 else f"i{actions.randint(0, 2)}"
            events.append(event(minute, page_title=page[-1], **where))
            events.extend(small_actions(actions, minute, where))
            if number < 10:
                events.append(event(minute + 1.2, "custom:rare_action", **where))
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
            is_first = pause > SILENCE
            if is_first:
                device = places.choice(["mobile", "desktop", None])
        people[name] = events
    return people


def small_actions(actions: random.Random, minute: float, where: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Clicks on two elements, some of them fast and some without an effect, and what a tracker says of them."""
    for _ in range(actions.choice([0, 0, 1, 3, 8])):
        minute += actions.choice([0.2, 4]) / 60
        properties = {"element": actions.choice("ab"), "has_effect": actions.random() < 0.7}
        yield event(minute, "click", properties=properties, **where)
    for name, chance in (("custom:rage_click", 0.1), ("custom:dead_click", 0.05), ("custom:zoom", 0.1)):
        if actions.random() < chance:
            yield event(minute + 0.001, name, **where)
    if actions.random() < 0.4:
        yield event(minute + 0.002, "scroll", value=float(actions.randint(1, 100)), **where)


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
