"""An event that validation accepts, whatever its type, sender and JSON, builds all marts and is accounted for."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.events.contract import AUTHORITIES, CONSENT_PURPOSES, DEVICE_TYPES, EVENT_TYPES
from ml.events.log import EventLog
from ml.events.validation import validate_events, validate_records
from orchestration.warehouse.expectations import SUITES, validate
from orchestration.warehouse.warehouse import Warehouse
from tests.dbt_project.built import START, VARIABLES, Built, warehouse_in
from tests.dbt_project.test_expectations import SETTINGS
from tests.dbt_project.test_increments import assert_same_as_full_refresh

EVENTS = 4_000
IDS = (
    *("ann", "bob", "phone", "kiosk", "", "it's", 'quo"te', "a:b", "anonymous:ann", "server:x"),
    *("ünï☃", "a|b", "%25", "\\", "\t"),
)
TEXTS = (
    *IDS,
    *("null", "NaN", "true", "x" * 100_000),
    *("/a?utm_campaign=%27&utm_medium=", "https://site/a?utm_campaign=s"),
)
NUMBERS = (0, -1, 1, 50, 1e300, -1e300, 1e-300, 5e-324, 99.5, 86_401.0, 2**63, -(2**63), 1.7976931348623157e308)
MOMENTS = (0, 1, 2, 31, 95, 1_441, 20_000)  # minutes after START
FAR = (dt.datetime(2000, 1, 1, tzinfo=dt.UTC), START + dt.timedelta(days=14, hours=1))
KEYS = (
    *("purposes", "opt_out", "interests", "muted", "quiet_hours", "from", "to", "suspected", "channel"),
    *("items", "teams", "slot", "role", "unit_id", "unit_type", "segment", "agrees"),
    *("element", "has_effect", "query", "scroll_depth", "$.a"),
)
MALFORMED = (
    '{"scroll_depth": NaN}',
    '{"scroll_depth": 1e999, "channel": "\\ud800"}',
    '{"query": "\\udc00", "element": "\\ud800"}',
    '{"suspected": "\\ud800", "suspected": false}',
    '{"slot": "\\u0000", "items": "\\ud83d"}',
    '{"scroll_depth": -Infinity, "scroll_depth": "inf"}',
    '{"a": ' + "9" * 400 + "}",
    '{"a": ' * 300 + "1" + "}" * 300,
)


def json_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind in (1, 2):
        return rng.choice(TEXTS)
    if kind in (3, 4):
        return rng.choice(NUMBERS)
    if kind == 5:
        return [json_value(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {rng.choice(KEYS): json_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def record(rng: random.Random, number: int) -> dict[str, Any]:
    """Fields of any value that the contract allows, and of some that it does not."""
    moment = rng.choice(FAR) if rng.random() < 0.02 else START + dt.timedelta(minutes=rng.choice(MOMENTS))
    sent: dict[str, Any] = {
        "event_id": rng.choice(IDS) if rng.random() < 0.05 else f"e{number}",
        "event_type": rng.choice([*EVENT_TYPES, *EVENT_TYPES, "custom:odd", "no type"]),
        "occurred_at": moment.isoformat(),
        "received_at": (START + dt.timedelta(days=14, seconds=number)).isoformat(),
        "value": rng.choice([None, *NUMBERS]),
        "authority": rng.choice([None, *AUTHORITIES]),
        "consent": rng.choice([None, [], list(CONSENT_PURPOSES), ["personalization"]]),
        "device_type": rng.choice([None, None, *DEVICE_TYPES]) if rng.random() < 0.3 else None,
        "timezone": rng.choice([None, "Europe/Berlin", "Mars/Phobos", "", "UTC", "x" * 999]),
        "properties": {rng.choice(KEYS): json_value(rng) for _ in range(rng.randrange(4))},
        "screen_width": rng.choice([None, 0, 2**31 - 1]),
        "country": rng.choice([None, "DE", "XX"]),
    }
    for name in (
        "user_id",
        "anonymous_id",
        "item_id",
        "recommendation_id",
        "experiment_id",
        "variant",
        "session_id",
    ):
        sent[name] = rng.choice([None, *IDS])
    for name in ("page_url", "page_title", "referrer", "language", "region", "city", "os", "browser"):
        sent[name] = rng.choice([None, *TEXTS]) if rng.random() < 0.5 else None
    return {name: value for name, value in sent.items() if value is not None}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """A log of odd events in two parts, the second of which is built as an increment."""
    rng = random.Random(14)
    warehouse = warehouse_in(tmp_path_factory.mktemp("odd") / "home", manifest)
    warehouse.describe(ann={"category": "a'b", "tags": ["x"], "price": 1.0})
    now = START + dt.timedelta(days=14, minutes=5)
    records = [record(rng, number) for number in range(EVENTS)]
    # people of whom nothing is odd, so that there is something to learn from
    records += [
        {
            "event_id": f"{user} {item}",
            "event_type": "page_view",
            "occurred_at": START.isoformat(),
            "received_at": now.isoformat(),
            "user_id": user,
            "item_id": item,
            "consent": list(CONSENT_PURPOSES),
        }
        for user in ("reader", "buyer")
        for item in ("ann", "hat")
    ]
    for number, half in enumerate((records[: EVENTS // 2], records[EVENTS // 2 :])):
        valid, _ = validate_records(half, now)
        texts = [
            rng.choice(MALFORMED) if rng.random() < 0.1 else text
            for text in valid.accepted["properties"].to_pylist()
        ]
        place = valid.accepted.schema.get_field_index("properties")
        from_file = validate_events(valid.accepted.set_column(place, "properties", [texts]), now).accepted
        with EventLog(warehouse.home).ingest("odd", str(number)) as writer:
            writer.write(from_file)
        warehouse.build()
    return warehouse


def logged(built: Built) -> list[dict[str, Any]]:
    log = EventLog(built.home)
    return [row for table in log.read(log.parts()) for row in table.to_pylist()]


def sender_and_id(row: Mapping[str, Any]) -> tuple[Any, ...]:
    if row["authority"] not in ("browser", "signed"):
        return (row["event_id"],)
    claimed = row["user_id"] if row["authority"] == "browser" else None
    device = row["anonymous_id"] or claimed
    return ("device", device, row["event_id"]) if device else ("user", row["user_id"], row["event_id"])


def counted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ranks = {"service": 0, "server": 1, None: 1, "signed": 2, "browser": 3}
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (ranks[row["authority"]], row["received_at"])):
        first.setdefault(sender_and_id(row), row)
    return list(first.values())


def reason(row: Mapping[str, Any]) -> str | None:
    claim, kind = row["authority"] in ("browser", "signed"), row["event_type"]
    if (claim and kind in ("served", "erased", "exposure")) or (
        row["authority"] == "browser" and kind == "preference"
    ):
        return "not_allowed_from_browser"
    if row["authority"] == "browser" and row["user_id"] is not None:
        return "user_claimed_by_browser"
    if kind == "exposure" and (row["experiment_id"] is None or row["variant"] is None):
        return "exposure_without_variant"
    if kind == "served" and row["recommendation_id"] is None:
        return "answer_without_id"
    least, most = VARIABLES["value_limits"].get(kind, (float("-inf"), float("inf")))
    return "value_out_of_range" if row["value"] is not None and not least <= row["value"] <= most else None


def test_every_event_counts_once_in_sessions_or_is_a_repeat(built: Built) -> None:
    rows = logged(built)
    assert len(rows) > EVENTS * 0.6
    repeats = len(rows) - len(counted(rows))
    assert repeats > 20
    assert built.rows("select count(*) from staging.stg_event_repeats") == [(repeats,)]
    assert built.rows("select sum(events) from sessions") == [(len(rows) - repeats,)]


def test_every_odd_event_stands_in_quarantine_with_its_reason(built: Built) -> None:
    rows = counted(logged(built))
    expected = Counter(reason(row) for row in rows)
    answers = Counter(
        row["recommendation_id"] for row in rows if row["event_type"] == "served" and reason(row) is None
    )
    expected["repeated_answer"] = sum(answers.values()) - len(answers)
    del expected[None]
    assert dict(built.rows("select reason, count(*) from quarantine group by all")) == dict(expected)
    assert len(expected) == 6
    ((served,),) = built.rows("select count(*) from answers")
    assert 0 < served <= len(answers)  # answers to bots are left out


def test_keys_and_identities_of_all_marts_hold(built: Built) -> None:
    ran = built.run(["test", "--select", "test_type:data", "--exclude", "tag:after_segmentation"])
    assert len(ran.results) > 60


@pytest.mark.parametrize("suite", [suite.name for suite in SUITES if suite.is_blocking])
def test_nothing_but_the_share_of_odd_events_stops_training(built: Built, suite: str) -> None:
    chosen = next(other for other in SUITES if other.name == suite)
    findings = validate(chosen, Warehouse(built.home.warehouse).read(chosen.figures), SETTINGS)
    outside = [finding.figure for finding in findings if not finding.passed]
    assert outside == (["quarantined_share"] if suite == "few_events_are_quarantined" else [])


def test_no_number_of_a_mart_is_infinite(built: Built) -> None:
    marts = (
        "sessions",
        "users",
        "items",
        "user_items",
        "daily_metrics",
        "interactions",
        "page_views",
        "user_days",
    )
    for mart in marts:
        columns = built.rows(
            f"select column_name from duckdb_columns() where table_name = '{mart}' and data_type = 'DOUBLE'"
        )
        assert columns
        odd = " or ".join(f"not isfinite({name}) or abs({name}) > 1e15" for (name,) in columns)
        assert built.rows(f"select count(*) from {mart} where {odd}") == [(0,)], mart
    assert built.rows("select max(scroll_depth), min(engaged_seconds) from sessions") == [(99.5, 0.0)]


def test_an_increment_of_odd_events_is_one_build_in_full(built: Built) -> None:
    assert_same_as_full_refresh(built)
