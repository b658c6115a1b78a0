"""Whose a visit is, and which events belong to it: shared devices, servers, clients with sessions, orders."""

import datetime as dt
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.built import START, Built, event, warehouse_in
from tests.dbt_project.test_increments import assert_same_as_full_refresh

DAY = 1440  # minutes


def at(minute: float) -> dt.datetime:
    return (START + dt.timedelta(minutes=minute)).replace(tzinfo=None)


def bought(minute: float, value: float | None, order: Any = None, **fields: Any) -> dict[str, Any]:
    properties = {"order_id": order} if order is not None else None
    return event(minute, "purchase", value=value, properties=properties, **fields)


def snowplow(minute: float, session: str | None, event_type: str = "page_view", **fields: Any) -> dict[str, Any]:
    return event(minute, event_type, source="snowplow", session_id=session, **fields)


CAMPAIGN = "https://site/?utm_campaign=spring"
FIRST = (
    # Kim lands by a campaign, logs in and orders; comes back next day without a login
    event(0, anonymous_id="family", page_url=CAMPAIGN),
    event(1, "identify", anonymous_id="family", user_id="kim"),
    bought(2, 30.0, anonymous_id="family", user_id="kim"),
    event(DAY, anonymous_id="family", page_url="https://site/a"),
    # browser cart with both ids
    event(0, anonymous_id="tab", user_id="ann", page_url="https://site/boots"),
    event(1, "add_to_cart", anonymous_id="tab", user_id="ann", item_id="boots"),
    event(2, "checkout", anonymous_id="tab", user_id="ann"),
    # two people within minutes, of whom only the logins carry ids
    event(0, anonymous_id="desk", page_url="https://site/a"),
    event(1, "identify", anonymous_id="desk", user_id="pat"),
    event(2, anonymous_id="desk", page_url="https://site/b"),
    event(5, "identify", anonymous_id="desk", user_id="sam"),
    event(6, anonymous_id="desk", page_url="https://site/c"),
    # one session of the client over 50 minutes of silence, then another one without any
    snowplow(0, "s1", anonymous_id="plow", page_url="https://site/a"),
    snowplow(50, "s1", anonymous_id="plow", page_url="https://site/b?utm_campaign=spring"),
    snowplow(52, "s2", anonymous_id="plow", page_url="https://site/c"),
    # the same from a source that nobody trusts
    event(0, session_id="s1", anonymous_id="plain", page_url="https://site/a"),
    event(50, session_id="s1", anonymous_id="plain", page_url="https://site/b"),
    event(52, session_id="s2", anonymous_id="plain", page_url="https://site/c"),
    # a checkout of one page, and a bounce
    event(0, anonymous_id="quick", user_id="quick", page_url="https://site/checkout"),
    bought(1, 10.0, anonymous_id="quick", user_id="quick"),
    event(0, anonymous_id="bouncer", page_url="https://site/a"),
    # an order of three lines, twice the same order under one moment, and purchases without orders
    event(0, user_id="olga", anonymous_id="o", page_url="https://site/a"),
    bought(1, 20.0, "o-1", user_id="olga", anonymous_id="o", item_id="boots"),
    bought(1, 30.0, "o-1", user_id="olga", anonymous_id="o", item_id="scarf"),
    bought(1, 10.0, "o-1", user_id="olga", anonymous_id="o", item_id="socks"),
    bought(3, 5.0, 1002, user_id="olga", anonymous_id="o", item_id="boots"),
    bought(4, 5.0, user_id="olga", anonymous_id="o", item_id="boots"),
    bought(5, 5.0, "", user_id="olga", anonymous_id="o", item_id="boots"),
    # an order of more lines than anybody makes conversions
    *[bought(1, 1.0, "bulk", anonymous_id="bulk", item_id=f"i{line}", authority="browser") for line in range(150)],
)
SECOND = (
    # Lee logs in on the family's device days later, and orders
    event(3 * DAY, anonymous_id="family", page_url="https://site/?utm_campaign=autumn"),
    event(3 * DAY + 1, "identify", anonymous_id="family", user_id="lee"),
    bought(3 * DAY + 2, 40.0, anonymous_id="family", user_id="lee"),
    # a visit without a login, when two are known
    event(5 * DAY, anonymous_id="family", page_url="https://site/b"),
    # the orders of the cart and of the trusted session come from servers
    bought(20, 60.0, user_id="ann", authority="server"),
    event(40, "subscribe", user_id="ann", authority="server"),
    event(200, "subscribe", user_id="ann", authority="server"),
    snowplow(53, "s2", "identify", anonymous_id="plow", user_id="pia"),
    bought(40, 15.0, user_id="pia", authority="server"),
    bought(54, 25.0, user_id="pia", authority="server"),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """Both halves, one as an increment on the other."""
    warehouse = warehouse_in(tmp_path_factory.mktemp("visits") / "home", manifest)
    warehouse.ingest(*FIRST)
    warehouse.build()
    assert visits(warehouse, "kim") == KIMS
    warehouse.ingest(*SECOND)
    warehouse.build()
    return warehouse


def visits(built: Built, user: str) -> list[tuple[Any, ...]]:
    columns = "started_at, campaign, events, revenue"
    return built.rows(f"select {columns} from sessions where user_id = '{user}' order by started_at")


KIMS = [(at(0), "spring", 3, 30.0), (at(DAY), None, 1, 0.0)]


def test_a_later_login_of_somebody_else_takes_over_no_visit(built: Built) -> None:
    assert visits(built, "kim") == KIMS
    assert visits(built, "lee") == [(at(3 * DAY), "autumn", 3, 40.0)]
    assert visits(built, "family") == [(at(5 * DAY), None, 1, 0.0)]


def test_two_people_in_one_visit_have_what_follows_their_login(built: Built) -> None:
    seen = "select user_id, page_url from page_views where session_key in ({}) order by viewed_at"
    sessions = "select session_key from sessions where device_id = 'desk'"
    assert built.rows(seen.format(sessions)) == [
        ("pat", "https://site/a"), ("pat", "https://site/b"), ("sam", "https://site/c")
    ]  # fmt: skip


def test_events_of_a_server_join_the_visit_of_their_user(built: Built) -> None:
    columns = "device_id, started_at, ended_at, funnel_stage, revenue"
    assert built.rows(f"select {columns} from sessions where user_id = 'ann' order by 2") == [
        ("tab", at(0), at(40), "purchase", 60.0),
        ("ann", at(200), at(200), None, 0.0),
    ]
    assert built.rows(
        "select step, entered, converted from funnels where funnel = 'purchase' and step_number = 3"
        " and date = date '2026-03-02'"
    ) == [("checkout", 1, 1)]


def test_the_sessions_of_a_trusted_client_are_its_own(built: Built) -> None:
    columns = "client_session_id, started_at, ended_at, campaign, revenue"
    assert built.rows(f"select {columns} from sessions where user_id = 'pia' order by started_at") == [
        ("s1", at(0), at(50), None, 15.0),
        ("s2", at(52), at(54), None, 25.0),
    ]
    assert built.rows(f"select {columns} from sessions where user_id = 'plain' order by started_at") == [
        (None, at(0), at(0), None, 0.0),
        (None, at(50), at(52), None, 0.0),
    ]


def test_who_converts_does_not_bounce(built: Built) -> None:
    assert built.rows(
        "select user_id, is_bounce, is_converted from sessions where user_id in ('quick', 'bouncer') order by 1"
    ) == [("bouncer", True, False), ("quick", False, True)]


def test_an_order_of_three_lines_is_one_purchase_with_their_sum(built: Built) -> None:
    assert built.rows("select purchases, revenue from sessions where user_id = 'olga'") == [(4, 75.0)]
    assert built.rows("select purchases, revenue, converted_sessions from users where user_id = 'olga'") == [
        (4, 75.0, 1)
    ]
    assert built.rows("select sum(purchases) from user_days where user_id = 'olga'") == [(4,)]
    # kim, ann, pia twice, quick, olga
    assert built.rows("select purchases, revenue from daily_metrics where date = date '2026-03-02'") == [
        (1 + 1 + 2 + 1 + 4, 30.0 + 60.0 + 40.0 + 10.0 + 75.0)
    ]
    assert built.rows("select item_id, purchases, revenue from user_items where user_id = 'olga' order by 1") == [
        ("boots", 4, 35.0), ("scarf", 1, 30.0), ("socks", 1, 10.0)
    ]  # fmt: skip


def test_the_lines_of_an_order_make_nobody_a_bot(built: Built) -> None:
    query = "select is_bot, claimed_purchases, claimed_revenue from sessions where user_id = 'bulk'"
    assert built.rows(query) == [(False, 1, 150.0)]


def test_the_increment_is_one_build_in_full(built: Built) -> None:
    assert_same_as_full_refresh(built)
