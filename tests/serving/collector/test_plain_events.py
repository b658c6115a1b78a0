import datetime as dt
import gzip
import hashlib
import json
import pickle
from pathlib import Path

import pytest

from ml.events.contract import FIELD_NAMES
from serving.access import Keys
from serving.collector.routes import WITHHELD
from tests.serving.collector.collecting import Site, settings_with

MAPPING = Path(__file__).parents[3] / "serving/collector/MAPPING.md"
CLICK = {"event_type": "click", "anonymous_id": "a"}


def test_events_are_on_disk_with_ids_and_times_filled_in(site):
    answer = site.send("/v1/events", {"events": [CLICK | {"mood": "good", "properties": {"x": 1}}]})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
    (event,) = site.events()
    assert len(event["event_id"]) == 32
    assert event["occurred_at"] == event["received_at"]
    assert event["properties"] == {"mood": "good", "x": 1}
    assert event["source"] == "json"
    assert event["consent"] == ["analytics", "personalization", "location"]


def test_bad_events_are_named_by_index_and_kept_as_dead_letters(site):
    events = [CLICK, CLICK | {"event_type": "nope"}, 3, {"event_type": "click"}]
    answer = site.send("/v1/events", {"events": events})
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 1,
        "rejected": [
            {"index": 1, "error": "event_type: 'nope' is not a type of the contract"},
            {"index": 2, "error": "event: is a int, not an object"},
            {"index": 3, "error": "user_id: user_id or anonymous_id is required"},
        ],
    }
    assert [(row["row"], row["field"], row["source"]) for row in site.letters()] == [
        (1, "event_type", "json"),
        (2, "event", "json"),
        (3, "user_id", "json"),
    ]


@pytest.mark.parametrize(
    "event", [{"event_type": ["click"]}, {"event_type": {}}, {"consent": 5, "properties": {"device_context": {}}}]
)
def test_values_of_a_wrong_type_are_rejected_by_field(site, event):
    answer = site.send("/v1/events", {"events": [CLICK | event]})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)
    assert answer.json()["rejected"][0]["error"].startswith(next(iter(event)))


def test_a_wrong_clock_is_corrected_by_what_it_says_at_sending(site):
    slow = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    event = CLICK | {"occurred_at": slow.isoformat()}
    sent_at = (slow + dt.timedelta(seconds=90)).isoformat()
    site.send("/v1/events", {"events": [event], "sent_at": sent_at})
    (kept,) = site.events()
    assert kept["received_at"] - kept["occurred_at"] == dt.timedelta(seconds=90)


def test_the_receiver_says_when_it_received(site):
    site.send("/v1/events", {"events": [CLICK | {"received_at": "2001-01-01T00:00:00Z"}]})
    assert site.events()[0]["received_at"].year > 2020


def test_the_same_event_id_twice_stays_two_rows_of_one_event(site):
    """The log appends; the warehouse keeps one row an id."""
    site.send("/v1/events", {"events": [CLICK | {"event_id": "e"}, CLICK | {"event_id": "e"}]})
    assert [event["event_id"] for event in site.events()] == ["e", "e"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"[]", 400, "expected"),
        (b'{"events": {}}', 400, "expected"),
        (b"[" * 3000, 400, "not JSON"),
        (b'{"events": [' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"]}", 400, "nested deeper than 32"),
        (b'{"events": ["' + b"x" * 20_000 + b'"]}', 400, "more than 16384 characters"),
        (b'{"events": [' + b",".join([b"1"] * 2_001) + b"]}", 413, "at most 2000"),
        (b" " * 1_000_001, 413, "larger than 1000000"),
        (b'{"events": [NaN]}', 400, "not JSON"),
        (b'{"events": ["\\ud800"]}', 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_the_reason(site, body, status, message):
    with site.open() as client:
        answer = client.post("/v1/events", content=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]
    assert site.events() == []


def test_gzip_is_read_and_bombs_are_not(site):
    headers = {"Content-Encoding": "gzip"}
    packed = gzip.compress(json.dumps({"events": [CLICK]}).encode())
    bomb = gzip.compress(b" " * 30_000_000)
    with site.open() as client:
        assert client.post("/v1/events", content=packed, headers=headers).status_code == 202
        refused = client.post("/v1/events", content=bomb, headers=headers)
        cut = client.post("/v1/events", content=packed[:-9], headers=headers)
        broken = client.post("/v1/events", content=b"no gzip", headers=headers)
        other = client.post("/v1/events", content=packed, headers={"Content-Encoding": "br"})
    assert len(bomb) < 40_000
    assert (refused.status_code, cut.status_code, broken.status_code, other.status_code) == (413, 400, 400, 415)
    assert len(site.events()) == 1


class TestKeys:
    @pytest.fixture
    def site(self, tmp_path):
        digest = "sha256:0ffe1abd1a08215353c233d6e009613e95eec4253832a761af28ff37ac5a150c"  # of "1111"
        keys = Keys(browser=frozenset({"public"}), secret=frozenset({"quiet", digest}))
        return Site(tmp_path / "home", settings_with(), keys)

    @pytest.mark.parametrize(
        ("headers", "query", "status"),
        [
            ({}, "", 401),
            ({"Authorization": "Bearer wrong"}, "", 401),
            ({"Authorization": "Basic !!!"}, "", 401),
            ({"Authorization": "Bearer quiet"}, "", 202),
            ({"Authorization": "Bearer 1111"}, "", 202),
            ({"Authorization": "Basic cXVpZXQ6"}, "", 202),
            ({"Authorization": "Bearer public"}, "", 202),
            ({}, "?key=public", 202),
        ],
    )
    def test_a_key_is_found_wherever_a_tracker_puts_it(self, site, headers, query, status):
        answer = site.send(f"/v1/events{query}", {"events": [CLICK]}, headers=headers)
        assert answer.status_code == status

    def test_a_digest_is_no_key(self, site):
        digest = "0ffe1abd1a08215353c233d6e009613e95eec4253832a761af28ff37ac5a150c"
        for key in (digest, f"sha256:{digest}"):
            headers = {"Authorization": f"Bearer {key}"}
            assert site.send("/v1/events", {"events": [CLICK]}, headers=headers).status_code == 401

    def test_the_ring_holds_no_key(self, site):
        with site.open() as client:
            held = pickle.dumps(client.app.state.collector.keys)
        assert b"quiet" not in held
        assert hashlib.sha256(b"quiet").hexdigest().encode() in held

    def test_browsers_grant_nothing_until_asked_and_servers_everything(self, site):
        with site.open() as client:
            public = client.post(
                "/v1/events", json={"events": [CLICK]}, headers={"Authorization": "Bearer public"}
            )
            client.post("/v1/events", json={"events": [CLICK]}, headers={"Authorization": "Bearer quiet"})
        assert public.json() == {"accepted": 0, "rejected": [], "withheld": 1, "warnings": [WITHHELD]}
        assert len(site.events()) == 1
        totals = [json.loads(line) for line in (site.path / "withheld_totals.jsonl").read_text().splitlines()]
        assert [(row["event_type"], row["events"]) for row in totals] == [("click", 1)]


def test_without_keys_only_this_machine_is_answered(site):
    with site.open() as client:
        answer = type(client)(client.app, client=("203.0.113.9", 5)).post("/v1/events", json={"events": []})
    assert answer.status_code == 403


def test_a_browser_key_that_sends_too_much_is_told_when_to_come_back(tmp_path):
    settings = settings_with(collector={"browser_burst_events": 10, "browser_events_per_second": 1.0})
    site = Site(tmp_path / "home", settings, Keys(browser=frozenset({"public"})))
    headers = {"Authorization": "Bearer public"}
    granted = CLICK | {"consent": ["analytics"]}
    with site.open() as client:
        first = client.post("/v1/events", json={"events": [granted] * 10}, headers=headers)
        second = client.post("/v1/events", json={"events": [granted] * 5}, headers=headers)
    assert (first.status_code, second.status_code) == (202, 429)
    assert second.headers["Retry-After"] in ("5", "4")
    assert len(site.events()) == 10


class TestCors:
    @pytest.fixture
    def site(self, tmp_path):
        return Site(tmp_path / "home", settings_with(collector={"cors_origins": ("https://shop.example",)}))

    def test_pages_of_a_listed_site_may_post(self, site):
        headers = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
        with site.open() as client:
            preflight = client.options("/v1/events", headers=headers)
            answer = client.post("/v1/events", json={"events": []}, headers=headers)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
        for one in (preflight, answer):
            assert one.headers["Access-Control-Allow-Origin"] == "https://shop.example"

    def test_pages_of_other_sites_may_not(self, site):
        headers = {"Origin": "https://evil.example"}
        with site.open() as client:
            for answer in (
                client.options("/v1/events", headers=headers),
                client.post("/v1/events", headers=headers),
            ):
                assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_table_of_mappings_has_every_field_of_the_contract_and_every_protocol():
    rows = [line.split("|")[1:-1] for line in MAPPING.read_text().splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    fields = {name.strip() for row in rows[2:] for name in row[0].split(",")}
    assert fields == set(FIELD_NAMES)
