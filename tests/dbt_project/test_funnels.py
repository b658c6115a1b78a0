"""Who goes how far through a funnel: counted by trying every chain of events, and by hand."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.built import VARIABLES, Built, event, warehouse_in

STEPS = ("page_view", "add_to_cart", "checkout", "purchase")
DAY = 24 * 60
WEEK = 7 * DAY

# Who did what in which minute: the window of `purchase_by_user` is a week.
SHOPPERS: dict[str, list[tuple[float, str]]] = {
    # looked around three weeks before buying
    "late buyer": [(0, "page_view"), (3 * WEEK, "page_view"), (3 * WEEK + 1, "add_to_cart"),
                   (3 * WEEK + 2, "checkout"), (3 * WEEK + 3, "purchase")],
    # a first passage that got to the cart, a second to the checkout
    "second try": [(0, "page_view"), (1, "add_to_cart"), (5 * WEEK, "page_view"), (5 * WEEK + 1, "add_to_cart"),
                   (5 * WEEK + 2, "checkout")],
    # the last moment of the window, and one too late
    "just in time": [(0, "page_view"), (WEEK, "add_to_cart")],
    "too late": [(0, "page_view"), (WEEK + 1, "add_to_cart")],
    # in one minute, by a clock that knows no seconds
    "one minute": [(0, "purchase"), (0, "checkout"), (0, "add_to_cart"), (0, "page_view")],
    # no page view before the cart
    "straight to the cart": [(0, "add_to_cart"), (1, "page_view")],
    "never came": [(0, "purchase")],
}  # fmt: skip


# Chance shoppers come half a year later, so that the day of entry tells both apart.
LATER = 26 * WEEK
CHANCE = random.Random(7)
CHANCE_SHOPPERS: dict[str, list[tuple[float, str]]] = {
    f"shopper {number}": [
        (
            LATER + CHANCE.choice([0, 1, DAY, 5 * DAY, WEEK, WEEK + 1, 9 * DAY, 2 * WEEK, 3 * WEEK]),
            CHANCE.choice(STEPS),
        )
        for _ in range(CHANCE.randint(1, 9))
    ]
    for number in range(300)
}
SUMMER = dt.date(2026, 6, 1)  # after the last of SHOPPERS and before the first chance shopper


def events_of(shoppers: dict[str, list[tuple[float, str]]]) -> list[dict[str, Any]]:
    return [
        event(minute, event_type, user_id=name, page_url="/", value=10.0)
        for name, steps in shoppers.items()
        for minute, event_type in steps
    ]


def depth(steps: list[tuple[float, str]]) -> int:
    """How many steps the longest chain in order inside the window has, by trying all of them."""
    for length in range(len(STEPS), 0, -1):
        for chain in combinations(sorted(steps, key=lambda step: (step[0], STEPS.index(step[1]))), length):
            in_order = all(earlier[0] <= later[0] for earlier, later in pairwise(chain))
            if (
                in_order
                and tuple(step for _, step in chain) == STEPS[:length]
                and chain[-1][0] - chain[0][0] <= WEEK
            ):
                return length
    return 0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    warehouse = warehouse_in(tmp_path_factory.mktemp("funnels") / "home", manifest)
    warehouse.ingest(*events_of(SHOPPERS | CHANCE_SHOPPERS))
    warehouse.build("funnels", "segment_funnels")
    return warehouse


def totals(built: Built, funnel: str, days: str) -> list[tuple[int, ...]]:
    """Entered, converted and dropped of each step, of whoever entered on one of the days."""
    return built.rows(
        f"""select sum(entered)::int, sum(converted)::int, sum(dropped)::int from funnels
        where funnel = '{funnel}' and date {days} group by step_number order by step_number"""
    )


def test_any_start_opens_the_window_of_a_person(built: Built) -> None:
    # 6 people viewed a page; 4 filled a cart in time, 3 of them checked out, 2 bought
    assert totals(built, "purchase_by_user", f"< '{SUMMER}'") == [(6, 4, 2), (4, 3, 1), (3, 2, 1), (2, 2, 0)]


def test_the_day_of_entry_is_that_of_the_passage_which_got_furthest(built: Built) -> None:
    days = dict(
        built.rows(
            "select user_id, min(date) from intermediate.int_funnel_passages"
            " where funnel = 'purchase_by_user' group by all"
        )
    )
    monday = dt.date(2026, 3, 2)
    assert days["late buyer"] == monday + dt.timedelta(weeks=3)
    assert days["second try"] == monday + dt.timedelta(weeks=5)
    assert days["too late"] == monday


def test_every_step_of_every_funnel_adds_up(built: Built) -> None:
    for mart in ("funnels", "segment_funnels"):
        faults = f"""select * from {mart} where entered <> converted + dropped
            or (step = 'purchase' and dropped <> 0)"""
        assert built.rows(faults) == []
    for funnel in ("purchase", "purchase_by_user"):
        steps = totals(built, funnel, "is not null")
        assert [converted for _, converted, _ in steps[:-1]] == [entered for entered, _, _ in steps[1:]]


def test_any_history_gets_as_far_as_its_longest_chain(built: Built) -> None:
    expected = Counter(depth(steps) for steps in CHANCE_SHOPPERS.values())
    assert min(expected[length] for length in range(5)) > 2
    entered = [sum(expected[length] for length in range(step, 5)) for step in range(1, 5)]
    assert [row[0] for row in totals(built, "purchase_by_user", f">= '{SUMMER}'")] == entered


# A page, an element and a pattern are steps beside the views and clicks that they are among.
PLACED_STEPS = {
    "placed": ["page_view", "page_view@/cart", "click#pay", "custom:paid"],
    "pattern": ["page_view", "page_view:/cart%", "click"],
}


def test_an_event_takes_every_step_that_it_meets(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    funnels = {
        name: {"per": "session", "window_hours": 24, "steps": steps} for name, steps in PLACED_STEPS.items()
    }
    site = warehouse_in(tmp_path / "home", manifest)
    site.ingest(
        event(0, user_id="ann", page_url="/"),
        event(1, user_id="ann", page_url="/cart?utm_source=mail"),
        event(2, "click", user_id="ann", page_url="/cart", properties={"element": "pay"}),
        event(3, "custom:paid", user_id="ann", page_url="/cart"),
        event(0, user_id="bob", page_url="/cart"),  # one view, which is both steps
        event(1, "click", user_id="bob", page_url="/cart", properties={"element": "back"}),
        event(0, user_id="cid", page_url="/carts"),
        event(1, "click", user_id="cid", page_url="/carts", properties={"element": "pay"}),
        event(0, user_id="dot", page_url="/"),
        event(1, "add_to_cart", user_id="dot", page_url="/"),
    )
    monkeypatch.setitem(VARIABLES, "funnels", {**VARIABLES["funnels"], **funnels})
    site.build("funnels")
    assert [row[0] for row in totals(site, "placed", "is not null")] == [4, 2, 1, 1]
    assert [row[0] for row in totals(site, "pattern", "is not null")] == [4, 3, 3]
    assert totals(site, "purchase", "is not null")[0][0] == 4  # views at places stay views


# A site of views, carts and purchases: it sends no checkout.
PLAIN_SHOPPERS: dict[str, list[tuple[float, str]]] = {
    "buys": [(0, "page_view"), (1, "add_to_cart"), (2, "purchase")],
    "buys later": [(0, "page_view"), (1, "add_to_cart"), (DAY, "purchase")],
    "keeps the cart": [(0, "page_view"), (1, "add_to_cart")],
    "looks": [(0, "page_view")],
    "buys without a cart": [(0, "page_view"), (1, "purchase")],
}
PLAIN_DAYS = "is not null"


def test_a_step_that_a_site_never_sends_is_left_out_until_it_comes(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    plain = warehouse_in(tmp_path_factory.mktemp("plain") / "home", manifest)
    plain.ingest(*events_of(PLAIN_SHOPPERS))
    plain.build("funnels", "segment_funnels")
    steps = (
        "select place, is_sent, step_number, counted_steps from funnel_steps where funnel = '{}' order by place"
    )
    assert plain.rows(steps.format("purchase")) == [
        (1, True, 1, 3), (2, True, 2, 3), (3, False, None, 3), (4, True, 3, 3)
    ]  # fmt: skip
    # a funnel of which the site sends nothing is not counted
    assert plain.rows(steps.format("form")) == [(1, False, None, 0), (2, False, None, 0)]
    # five visits with a page view, and that of the later purchase; three carts, one purchase in the same visit
    assert totals(plain, "purchase", PLAIN_DAYS) == [(5, 3, 2), (3, 1, 2), (1, 1, 0)]
    assert totals(plain, "purchase_by_user", PLAIN_DAYS) == [(5, 3, 2), (3, 2, 1), (2, 2, 0)]
    assert plain.rows("select distinct step_number, step from funnels where funnel = 'purchase' order by 1") == [
        (1, "page_view"), (2, "add_to_cart"), (3, "purchase")
    ]  # fmt: skip
    plain.run(["test", "--select", "funnels", "segment_funnels", "funnel_steps", "--exclude", "test_type:unit"])

    # the first checkout, and everybody's funnel has four steps: those who bought before it passed none
    plain.ingest(*events_of({"checks out": [(2 * DAY, "page_view"), (2 * DAY + 1, "add_to_cart"),
                                            (2 * DAY + 2, "checkout"), (2 * DAY + 3, "purchase")]}))  # fmt: skip
    plain.build("funnels", "segment_funnels")
    for funnel in ("purchase", "purchase_by_user"):
        assert totals(plain, funnel, PLAIN_DAYS) == [(6, 4, 2), (4, 1, 3), (1, 1, 0), (1, 1, 0)]
    increments = [plain.rows(f"from {mart} order by all") for mart in ("funnels", "segment_funnels")]
    plain.build("funnels", "segment_funnels", full=True)
    assert [plain.rows(f"from {mart} order by all") for mart in ("funnels", "segment_funnels")] == increments
