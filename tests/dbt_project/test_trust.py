"""What a browser says is a claim: it takes the place of nobody's event, moves nobody, and counts as no money."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.events.log import EventLog
from ml.settings import load_settings
from orchestration.warehouse.expectations import SUITES, validate
from orchestration.warehouse.warehouse import Warehouse
from tests.dbt_project.built import VARIABLES, Built, event, warehouse_in

HOME, FORGED = {"slot": "home"}, {"slot": "forged"}
CONSENTING = ["analytics", "personalization"]
AS_OF = "timestamp '2026-03-02 12:00:00'"
READ = (
    *("users", "page_views", "user_items", "items", "daily_metrics", "sessions", "quarantine"),
    *("answers", "exposures", "training_users"),
)


def browser(minute: float, event_type: str = "page_view", device: str = "phone", **fields: Any) -> dict[str, Any]:
    return event(minute, event_type, anonymous_id=device, authority="browser", **fields)


def server(minute: float, event_type: str = "page_view", user: str = "ann", **fields: Any) -> dict[str, Any]:
    return event(minute, event_type, user_id=user, authority="server", **fields)


def decision(minute: float, granted: bool, authority: str | None, user: str) -> dict[str, Any]:
    """A grant or a withdrawal; a browser's comes from the device that `linked` links to the user."""
    who: dict[str, Any] = {"anonymous_id": f"{user} phone"} if authority == "browser" else {"user_id": user}
    if granted:
        return event(minute, "consent_granted", authority=authority, consent=CONSENTING, **who)
    purposes = {"purposes": ["personalization"]}
    return event(minute, "consent_withdrawn", authority=authority, consent=[], properties=purposes, **who)


def linked(user: str) -> dict[str, Any]:
    return event(0, "identify", user_id=user, anonymous_id=f"{user} phone")


# User → (minute, granted, authority) of what was said, and whether personalization is granted in the end.
STATEMENTS: dict[str, tuple[list[tuple[float, bool, str | None]], bool]] = {
    "opted out by server": ([(1, False, "server"), (2, True, "browser")], False),
    "and by token": ([(1, False, "server"), (2, True, "signed"), (3, True, "browser")], False),
    "granted by service": ([(1, False, "server"), (2, True, "service")], True),
    "granted by a file": ([(1, False, "service"), (2, True, None)], True),
    "browser alone": ([(1, False, "browser"), (2, True, "browser")], True),
    "token over browser": ([(1, False, "browser"), (2, True, "signed")], True),
    "browser over token": ([(1, False, "signed"), (2, True, "browser")], False),
    "browser withdraws": ([(1, True, "server"), (2, False, "browser")], False),
    # a weaker refusal takes nothing from the stronger one that stands, and a grant in between lifts neither
    "refused twice": ([(1, False, "server"), (2, False, "browser"), (3, True, "signed")], False),
    "lifted in turn": (
        [(1, False, "server"), (2, True, "server"), (3, False, "browser"), (4, True, "browser")],
        True,
    ),
    "both at once": ([(1, True, "server"), (1, False, "server")], False),
    "late in the log": ([(2, True, "server"), (1, False, "server")], True),
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """Strangers and the people whom they imitate, in two increments."""
    warehouse = warehouse_in(tmp_path_factory.mktemp("trust") / "home", manifest)
    warehouse.describe(boots={"category": "shoes"}, scarf={"category": "wool"})
    statements = [decision(*said, user=user) for user, (all_said, _) in STATEMENTS.items() for said in all_said]
    warehouse.ingest(
        # the id of an order, taken in advance
        browser(0, device="attacker", event_id="order-1001", page_url="/a"),
        # one id from two devices, and twice from one
        browser(0, device="left", event_id="1", page_url="/a"),
        browser(1, device="right", event_id="1", page_url="/a"),
        browser(2, device="right", event_id="1", page_url="/a"),
        # senders whose ids read the same when put together, and a server's id that looks like a browser's
        browser(0, device="a:b", event_id="c", page_url="/a"),
        browser(0, device="a", event_id="b:c", page_url="/a"),
        server(0, user="bea", event_id="browser:a:c", page_url="/a"),
        browser(0, device="a", event_id="c", page_url="/a"),
        # a device with the id of somebody who is not known yet
        browser(0, device="ann", page_url="/a", item_id="scarf"),
        # money
        browser(0, "purchase", device="buyer", item_id="boots", value=80.0),
        browser(1, "purchase", device="buyer", item_id="boots", value=1e300),
        browser(2, "add_to_cart", device="buyer", item_id="boots"),
        event(3, "purchase", user_id="tom", authority="signed", item_id="boots", value=5.0),
        # a user whom a browser only names
        event(0, user_id="victim", anonymous_id="thief", authority="browser", page_url="/a"),
        event(0, user_id="victim", authority="browser", page_url="/a", item_id="boots"),
        # answers
        event(0, "served", user_id="tom", authority="service", recommendation_id="r1", properties=HOME),
        browser(-1, "served", device="forger", recommendation_id="r1", properties=FORGED),
        server(5, "served", user="tom", recommendation_id="r1", properties=FORGED),
        browser(0, "served", device="forger", recommendation_id="r2", properties=FORGED),
        browser(0, "exposure", device="forger", experiment_id="e", variant="a"),
        event(0, "exposure", user_id="tom", experiment_id="e"),
        # floods: marked by the collector, or too many conversions to be anybody's
        browser(0, device="marked", item_id="boots", page_url="/a", properties={"suspected": "rate"}),
        *[browser(i / 60, "purchase", device="flood", item_id="boots", value=2.0) for i in range(100)],
        # one visitor with a thousand views of an item, and two with one each of another
        *[browser(i, device="fan", item_id="boots", page_url="/boots") for i in range(40)],
        browser(39, device="left", item_id="scarf", page_url="/scarf"),
        browser(39, device="right", item_id="scarf", page_url="/scarf"),
        *map(linked, STATEMENTS),
        *statements,
        # what is set among preferences, by users and by a browser
        server(0, "preference", user="off", properties={"opt_out": True}),
        server(1, user="off", page_url="/a"),
        server(0, "preference", user="on", properties={"opt_out": False}),
        event(0, "preference", anonymous_id="stranger", authority="browser", properties={"opt_out": True}),
        # a refusal in a session of a bot
        server(0, user="visited by a bot", page_url="/a"),
        server(200, "consent_withdrawn", user="visited by a bot", device_type="bot"),
        server(400, user="visited by a bot", page_url="/a"),
    )  # fmt: skip
    warehouse.build(*READ)
    assert warehouse.rows("select user_id from users where user_id like '%ann'") == [("ann",)]
    warehouse.ingest(
        server(10, "purchase", user="bea", event_id="order-1001", value=99.0),
        server(10, user="ann", page_url="/a", item_id="boots"),
        server(200, user="bea", page_url="/a"),
        *[decision(201, True, "server", user) for user in ("opted out by server", "refused twice")],
    )
    warehouse.build(*READ)
    return warehouse


def test_a_purchase_counts_although_a_browser_took_its_id_before(built: Built) -> None:
    assert built.rows("select purchases, revenue from users where user_id = 'bea'") == [(1, 99.0)]
    assert built.rows("select page_view_id from page_views where user_id = 'attacker'") == [
        ("browser:attacker:order-1001",)
    ]


def test_repeats_are_those_of_one_sender(built: Built) -> None:
    ids = "select page_view_id from page_views where user_id in ({}) and page_url = '/a' order by 1"
    assert built.rows(ids.format("'left', 'right'")) == [("browser:left:1",), ("browser:right:1",)]
    assert built.rows(ids.format("'a', 'a:b'")) == [("browser:a%3Ab:c",), ("browser:a:b:c",), ("browser:a:c",)]
    assert ("server:browser:a:c",) in built.rows(ids.format("'bea'"))


def test_a_device_with_the_id_of_a_user_is_another_person(built: Built) -> None:
    # the device was there first, as `ann`, and gave up the name when the user came
    people = "select user_id, is_known, page_views from users where user_id like '%ann' order by 1"
    assert built.rows(people) == [("ann", True, 1), ("anonymous:ann", False, 1)]
    assert built.rows("select item_id from user_items where user_id = 'ann'") == [("boots",)]


def test_what_a_browser_says_of_a_user_stays_with_its_device(built: Built) -> None:
    people = "select user_id, is_known from users where user_id in ('victim', 'thief') order by 1"
    assert built.rows(people) == [("thief", False), ("victim", False)]
    assert built.rows(
        "select count(*) from intermediate.int_identities_stitched where anonymous_id = 'thief'"
    ) == [(0,)]


def test_money_of_browsers_is_claimed(built: Built) -> None:
    money = "select user_id, purchases, revenue, claimed_purchases, claimed_revenue from users where {} order by 1"
    assert built.rows(money.format("user_id in ('buyer', 'tom')")) == [
        ("buyer", 0, 0.0, 2, 80.0),  # the amount of one is out of range
        ("tom", 0, 0.0, 1, 5.0),
    ]
    columns = "purchases, revenue, claimed_purchases, claimed_revenue"
    assert built.rows(f"select {columns} from items where item_id = 'boots'") == [(0, 0.0, 3, 85.0)]
    assert built.rows(f"select conversions, {columns} from daily_metrics where date = '2026-03-02'") == [
        (1, 1, 99.0, 3, 85.0)
    ]
    assert built.rows("select is_converted, funnel_stage, converted_at from sessions where user_id = 'buyer'") == [
        (False, "cart", None)
    ]
    assert built.rows("select strength from user_items where user_id = 'buyer'") == [(0.0,)]
    assert built.rows("select reason, authority from quarantine where event_type = 'purchase'") == [
        ("value_out_of_range", "browser")
    ]


def test_a_setting_takes_the_word_of_browsers(warehouse: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIABLES, "count_browser_conversions", True)
    warehouse.ingest(
        browser(0, "purchase", item_id="boots", value=80.0),
        browser(1, "add_to_cart", item_id="boots"),
        browser(2, "purchase", item_id="boots", value=1e300),
    )
    warehouse.build("users", "user_items", "sessions")
    money = "select purchases, revenue, claimed_purchases, claimed_revenue from users"
    assert warehouse.rows(money) == [(2, 80.0, 2, 80.0)]
    # two purchases and one cart: 8 + 8 + 4
    assert warehouse.rows("select strength, purchases, revenue from user_items") == [(20.0, 2, 80.0)]
    assert warehouse.rows("select is_converted, funnel_stage from sessions") == [(True, "purchase")]


def test_an_answer_is_the_first_record_of_the_service(built: Built) -> None:
    assert built.rows("select recommendation_id, user_id, slot from answers") == [("r1", "tom", "home")]
    left_out = "select event_type, reason, count(*) from quarantine where event_type in ('served', 'exposure')"
    assert sorted(built.rows(f"{left_out} group by all")) == [
        ("exposure", "exposure_without_variant", 1),
        ("exposure", "not_allowed_from_browser", 1),
        ("served", "not_allowed_from_browser", 2),
        ("served", "repeated_answer", 1),
    ]
    assert built.rows("select count(*) from exposures") == [(0,)]


def test_floods_are_left_out_like_bots(built: Built) -> None:
    bots = "select user_id, is_bot from sessions where user_id in ('marked', 'flood', 'buyer') order by 1"
    assert built.rows(bots) == [("buyer", False), ("flood", True), ("marked", True)]
    assert built.rows("select count(*) from users where user_id in ('marked', 'flood')") == [(0,)]


def test_one_visitor_makes_nothing_popular(built: Built) -> None:
    popularity = "select item_id, views, popularity_1d, popularity_7d, popularity_all from items order by 1"
    # of the boots their fan counts three times, `victim` and Ann once each; the scarf has three viewers
    assert built.rows(popularity) == [("boots", 42, 5, 5, 5), ("scarf", 3, 3, 3, 3)]
    ((boots,),) = built.rows("select trend_score from items where item_id = 'boots'")
    assert boots < 5


def test_a_refusal_stands_until_its_like_grants_again(built: Built) -> None:
    consents = dict(built.rows("select user_id, has_personalization_consent from users"))
    expected = {user: granted for user, (_, granted) in STATEMENTS.items()}
    expected |= {"opted out by server": True, "refused twice": True}  # by the grants of the second increment
    assert {user: consents[user] for user in STATEMENTS} == expected
    as_of = {user for (user,) in built.rows(f"select user_id from training_users({AS_OF})")}
    assert {user: user in as_of for user in STATEMENTS} == {
        user: granted for user, (_, granted) in STATEMENTS.items()
    }


def test_a_refused_purpose_is_among_no_consents(built: Built) -> None:
    consents = dict(built.rows("select user_id, consents from users"))
    assert consents["browser over token"] == ["analytics"]
    assert consents["browser alone"] == CONSENTING


def test_an_opt_out_among_preferences_is_a_refusal(built: Built) -> None:
    people = "user_id in ('off', 'on', 'stranger')"
    assert built.rows(f"select user_id, has_personalization_consent from users where {people} order by 1") == [
        ("off", False), ("on", True), ("stranger", True)
    ]  # fmt: skip


def test_a_refusal_in_a_session_of_a_bot_counts(built: Built) -> None:
    refused = "select sessions, has_personalization_consent from users where user_id = 'visited by a bot'"
    assert built.rows(refused) == [(2, False)]


def test_parts_without_a_new_column_are_read(warehouse: Built) -> None:
    warehouse.ingest(server(0, page_url="/a"))
    log = EventLog(warehouse.home)
    (part,) = log.parts()
    path = log.folder / part.path
    pq.write_table(pq.read_table(path).drop_columns(["authority"]), path)
    warehouse.build("stg_events")
    assert warehouse.rows("select user_id, authority from staging.stg_events") == [("ann", "server")]


def test_odd_values_of_browsers_warn_and_stop_no_training(warehouse: Built) -> None:
    odd = [browser(minute, "page_exit", value=1e12) for minute in range(5)]
    warehouse.ingest(*(server(minute) for minute in range(15)), *odd)
    warehouse.build("quarantine", "int_activity_bucketed")

    def passed(name: str) -> bool:
        suite = next(suite for suite in SUITES if suite.name == name)
        figures = Warehouse(warehouse.home.warehouse).read(suite.figures)
        assert len(figures) == 1
        return all(finding.passed for finding in validate(suite, figures, load_settings().warehouse))

    assert (passed("few_events_are_quarantined"), passed("few_browser_events_are_quarantined")) == (True, False)
    warehouse.ingest(*(server(minute, "page_exit", value=1e12) for minute in range(5)))
    warehouse.build("quarantine", "int_activity_bucketed")
    assert not passed("few_events_are_quarantined")
