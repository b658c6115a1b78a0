"""A few people who have nothing to do with one another, each for one rule of the warehouse."""

from typing import Any

from tests.dbt_project.built import event

DEAD_CLICK = {"element": "buy", "has_effect": False}
ITEMS: dict[str, dict[str, Any]] = {
    "boots": {"category": "shoes", "tags": ["leather"], "price": 80.0},
    "scarf": {"category": "wool", "tags": ["soft"], "price": 20.0},
}


def ping(minute: float, url: str, user: str = "ann", **fields: object) -> dict[str, object]:
    return event(minute, "page_ping", user_id=user, page_url=url, value=10.0, **fields)


def shown(minute: float, item: str | None, answer: str | None = None) -> dict[str, Any]:
    return event(minute, "impression", item_id=item, recommendation_id=answer)


def clicked(minute: float, item: str | None, answer: str | None = None) -> dict[str, Any]:
    return event(minute, "click", item_id=item, recommendation_id=answer)


# Who saw and clicked what; impressions that were clicked, and those of them that an answer brought.
VISITORS: dict[str, tuple[list[dict[str, Any]], int, int]] = {
    "clicks on what was shown": ([shown(0, "a", "r"), shown(0.1, "b", "r"), clicked(1, "a", "r")], 1, 1),
    "clicks on anything": ([shown(0, "a"), *[clicked(n, "z") for n in range(1, 9)]], 0, 0),
    "clicks without an item": ([shown(0, "a"), clicked(1, None), clicked(2, None)], 0, 0),
    "clicks thrice on one impression": ([shown(0, "a", "r"), *[clicked(n, "a", "r") for n in range(1, 4)]], 1, 1),
    "sees it twice, clicks once": ([shown(0, "a", "r"), shown(1, "a", "r"), clicked(2, "a", "r")], 1, 1),
    "clicks before it is shown": ([clicked(0, "a"), shown(1, "a")], 0, 0),
    "another answer showed it": ([shown(0, "a", "r1"), shown(1, "a", "r2"), clicked(2, "a", "r2")], 1, 1),
    "the click lost its answer": ([shown(0, "a", "r"), clicked(1, "a")], 1, 1),
    "the impression lost its answer": ([shown(0, "a"), clicked(1, "a", "r")], 1, 0),
    "an answer of another visit": ([clicked(0, "a", "old")], 0, 0),
    "content without an item": ([shown(0, None, "d"), clicked(1, None, "d")], 1, 1),
}
# What the shipped tracker reports by itself, and the column of a session that counts it.
REPORTS = {
    "custom:rage_click": "rage_clicks",
    "custom:dead_click": "dead_clicks",
    "custom:scroll_reversal": "scroll_reversals",
}
DRAFTED = {
    "slot": "home",
    "role": "interleaved",
    "model_version": "m1",
    "items": ["boots", "scarf"],
    "propensities": [],
    "teams": ["champion", "challenger"],
}
EVENTS = (
    # silence of exactly 30 minutes goes on, one more second ends the session
    event(0, user_id="silent", page_url="a"),
    event(30, user_id="silent", page_url="b"),
    event(60 + 1 / 60, user_id="silent", page_url="c"),
    # the same repeat three times
    *[event(0, user_id="twice", page_url="a", event_id="same") for _ in range(3)],
    # a campaign in the middle of a visit
    event(0, user_id="lured", page_url="/a"),
    event(5, user_id="lured", page_url="/b?utm_campaign=spring&x=1"),
    event(6, user_id="lured", page_url="/c"),
    # attention: two pings in one slot of ten seconds count once; the page is seen twice
    event(0, user_id="ann", page_url="/long", item_id="boots"),
    ping(0.25, "/long"),
    ping(0.26, "/long"),
    ping(0.50, "/long"),
    event(1, "scroll", user_id="ann", page_url="/long", value=70.0),
    event(2, user_id="ann", page_url="/short", item_id="scarf"),
    event(3, user_id="ann", page_url="/long", item_id="boots"),
    ping(3.2, "/long"),
    event(4, "purchase", user_id="ann", item_id="boots", value=80.0),
    # what was bought and given back: in binary these sum to less than nothing, in any order
    event(0, "purchase", user_id="refunded", value=0.3),
    event(1, "purchase", user_id="refunded", value=-0.2),
    event(2, "purchase", user_id="refunded", value=-0.1),
    # a device that two people use, and one that late becomes known
    event(0, anonymous_id="kiosk", page_url="a"),
    event(1, "identify", anonymous_id="kiosk", user_id="kim"),
    event(2, "identify", anonymous_id="kiosk", user_id="lee"),
    event(0, anonymous_id="phone", page_url="a"),
    event(9_000, "identify", anonymous_id="phone", user_id="mia"),
    # an answer that two rankers drafted, and what was clicked of it
    event(90_001, "served", user_id="reader", recommendation_id="answer-1", properties=DRAFTED),
    event(90_002, "click", user_id="reader", item_id="scarf", recommendation_id="answer-1"),
    # rage, reversal, dead click
    *[
        event(i / 200, "click", user_id="rage", page_url="/x", properties=DEAD_CLICK)
        for i in range(4)
    ],
    *[
        event(1 + i, "scroll", user_id="rage", page_url="/x", value=depth)
        for i, depth in enumerate([30.0, 80.0, 20.0, 60.0])
    ],
    # half past one at night twice: the clocks in New York go back at 2026-11-01 06:00 UTC
    event(351_150, user_id="owl", page_url="a", timezone="America/New_York"),
    event(351_210, user_id="owl", page_url="a", timezone="America/New_York"),
    # what somebody set, changed in part, and took back
    event(0, "preference", user_id="sleeper", properties={"quiet_hours": {"from": 22.5, "to": 7}, "muted": ["a"]}),
    event(1, "preference", user_id="sleeper", properties={"interests": ["b", "c"], "opt_out": True}),
    event(2, "preference", user_id="sleeper", properties={"muted": None}),
    # consent
    event(0, user_id="gone", item_id="boots", page_url="/boots"),
    event(1, "consent_withdrawn", user_id="gone", properties={"purposes": ["personalization"]}, consent=[]),
    event(2, user_id="gone", item_id="boots", page_url="/boots"),
    # channels: by the referrer; landed by hand, then sent on by another site; back after a silence
    event(0, user_id="fan", page_url="https://site/a", referrer="https://www.google.com/"),
    event(0, user_id="walker", page_url="https://site/a"),
    event(1, user_id="walker", page_url="https://site/b", referrer="https://www.google.com/"),
    event(0, user_id="back", page_url="https://site/b", referrer="https://site/a"),
    # a bot by its device
    event(0, user_id="robot", page_url="/boots", item_id="boots", device_type="bot"),
)  # fmt: skip
CLICKERS_AND_BUYERS = (
    # clicks and what was shown before them
    *[
        row | {"user_id": name, "event_id": f"{name} {number}"}
        for name, (rows, _, _) in VISITORS.items()
        for number, row in enumerate(rows)
    ],
    # an item that nobody saw before buying it
    *[event(n, "purchase", user_id=f"buyer {n}", item_id="unseen", value=1.0) for n in range(60)],
    # each report of the tracker twice; three clicks within a second with the report of them; a dead click with it
    *[event(minute, kind, user_id="reported") for minute, kind in enumerate([*REPORTS, *REPORTS])],
    *[event(i / 200, "click", user_id="both", properties={"element": "buy"}) for i in range(3)],
    event(2 / 200, "custom:rage_click", user_id="both"),
    event(0, "click", user_id="dead", properties=DEAD_CLICK),
    event(0, "custom:dead_click", user_id="dead"),
)  # fmt: skip
