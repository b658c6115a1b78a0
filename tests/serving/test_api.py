"""Second depth: the whole application in this process."""

import dataclasses
import hashlib
import threading
from collections import Counter

import pytest
from bundles import publication, publish
from starlette.testclient import TestClient

from ml.bundle import write_bundle
from serving.access import Keys
from serving.application import application
from serving.tessera import Tessera


@pytest.fixture
def tessera(config):
    return Tessera(config)


@pytest.fixture
def client(tessera, home):
    publish(home.published)
    with TestClient(application(tessera), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("{", 400, "body"),
        ("[]", 422, "body"),
        ('{"usr": "ann"}', 422, "usr"),
        ('{"user_id": ""}', 422, "user_id"),
        ('{"k": 0}', 422, "k"),
        ('{"k": "many"}', 422, "k"),
        ('{"k": true}', 422, "k"),
        ('{"k": 1000000000}', 422, "k"),
        ('{"context": {"latitude": Infinity}}', 422, "context.latitude"),
        ('{"filter": {"max_price": -1}}', 422, "filter.max_price"),
        ('{"at": "yesterday"}', 422, "at"),
        ('{"at": "2026-01-01T00:00:00"}', 422, "at"),
    ],
)
def test_a_wrong_field_is_named(client, body, status, field):
    reply = client.post("/v1/recommendations", content=body)
    assert (reply.status_code, reply.json()["error"]["field"]) == (status, field)


def test_what_is_not_there_is_a_json_error_too(client):
    assert client.get("/v2").json()["error"]["message"].startswith("there is nothing at /v2")
    assert client.get("/v1/recommendations").status_code == 405
    assert client.get("/v1/users/nobody").json()["error"]["field"] == "user_id"
    assert client.get("/v1/items/nothing/similar").status_code == 404


def test_a_user_sees_what_is_known(client):
    client.post("/v1/events", json={"events": [{"event_type": "page_view", "user_id": "ann", "item_id": "i3"}]})
    known = client.get("/v1/users/ann").json()
    assert (known["segment"], known["persona"]) == ("athletes", "runner")
    assert known["recent"][0]["item_id"] == "i3"
    assert 'tessera_collector_events_total{outcome="accepted"}' in client.get("/metrics").text


def test_similar_items_are_of_one_kind(client):
    reply = client.get("/v1/items/i2/similar", params={"k": 3}).json()
    assert {item["item_id"] for item in reply["items"]} <= {"i0", "i1", "i3", "i4"}
    refused = client.get("/v1/items/i2/similar", params={"k": "x"})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "k")


def test_openapi_describes_every_route(client, tessera):
    described = client.get("/openapi.json").json()["paths"]
    served = {route.path.replace(":any_text", "") for route in application(tessera).routes}
    documented = {path for path in served if path.startswith("/v1") or path in {"/livez", "/readyz", "/metrics"}}
    documented |= {"/i", "/com.snowplowanalytics.snowplow/tp2"}
    assert documented <= set(described)


def test_readiness_says_what_to_do_without_a_bundle(config):
    with TestClient(application(Tessera(config))) as client:
        reply = client.get("/readyz")
        assert reply.status_code == 503
        assert "run `tessera materialize`" in reply.json()["error"]["message"]
        assert client.get("/livez").status_code == 200
        assert client.post("/v1/recommendations", json={"user_id": "x"}).status_code == 200


def test_a_new_bundle_is_taken_over_and_a_bad_one_is_refused(client, tessera, home):
    def ready():
        return client.get("/readyz").json()["bundle"]

    assert ready() == "v1"
    promotion = {"promotion": {"kind": "improvement"}}
    write_bundle(home.published, publication(model_version="champion-2", details=promotion), "v2")
    assert client.portal.call(tessera.load_newer_bundle) in (True, False)
    assert (ready(), client.get("/readyz").json()["model_version"]) == ("v2", "champion-2")
    bad = write_bundle(home.published, publication(), "v3")
    (bad / "items.parquet").write_bytes(b"cut")
    client.portal.call(tessera.load_newer_bundle)
    assert ready() == "v2"
    assert "items.parquet" in tessera.published_bundles.refused["v3"]
    wrong = tessera.config.home.path / "welcome.json"
    wrong.write_text('{"topics": 7}', encoding="utf-8")
    write_bundle(home.published, publication(files={"welcome.json": wrong}), "v4")  # whole, and yet of no use
    client.portal.call(tessera.load_newer_bundle)
    assert ready() == "v2"

    models = client.get("/v1/models").json()
    assert (models["champion"]["bundle"], models["champion"]["why"]) == ("v2", {"kind": "improvement"})
    assert [(entry["event"], entry["bundle"]) for entry in models["log"]] == [
        ("refused", "v4"), ("refused", "v3"), ("taken", "v2"), ("taken", "v1"),
    ]  # fmt: skip
    assert models["champion"]["since"] == models["log"][2]["at"]
    assert "items.parquet" in models["log"][1]["why"]["reasons"][0]


def test_the_promotion_log_survives_a_restart_and_names_a_bundle_once(config, home):
    publish(home.published)
    for _ in range(2):
        with TestClient(application(Tessera(config))) as client:
            log = client.get("/v1/models").json()["log"]
            assert "tessera_resident_bytes" in client.get("/metrics").text
    assert [(entry["bundle"], entry["model_version"]) for entry in log] == [("v1", "champion-1")]


def test_keys_decide_who_may_ask(config):
    hashed = "sha256:" + hashlib.sha256(b"t").hexdigest()
    locked = dataclasses.replace(config, keys=Keys(browser=frozenset({"b"}), secret=frozenset({"s", hashed})))
    with TestClient(application(Tessera(locked))) as client:

        def status(key, **body):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return client.post("/v1/recommendations", json=body, headers=headers).status_code

        assert status(None, user_id="ann") == 401
        assert status("wrong", user_id="ann") == 401
        assert status("b", user_id="ann") == 403
        assert status("b", anonymous_id="a1") == 200
        assert status("s", user_id="ann") == 200
        assert status("t", user_id="ann") == 200
        assert status(hashed, user_id="ann") == 401  # a digest is no key
        assert client.get("/v1/users/ann", headers={"Authorization": "Bearer b"}).status_code == 403
        assert client.get("/livez").status_code == 200


def test_without_keys_other_machines_are_refused(config):
    with TestClient(application(Tessera(config)), client=("192.0.2.7", 4242)) as client:
        reply = client.post("/v1/recommendations", json={"user_id": "x"})
        assert reply.status_code == 403
        assert "loopback" in reply.json()["error"]["message"]


def test_no_request_fails_while_bundles_are_swapped(client, tessera, home):
    stop, statuses = threading.Event(), Counter()

    def keep_asking():
        while not stop.is_set():
            statuses[client.post("/v1/recommendations", json={"user_id": "ann"}).status_code] += 1

    asking = threading.Thread(target=keep_asking)
    asking.start()
    for number in range(2, 7):
        write_bundle(home.published, publication(model_version=f"champion-{number}"), f"v{number}")
        client.portal.call(tessera.load_newer_bundle)
        assert client.get("/readyz").json()["model_version"] == f"champion-{number}"
    stop.set()
    asking.join()
    assert set(statuses) == {200}


def test_a_full_queue_costs_the_record_of_an_answer_and_not_the_answer(config, home):
    publish(home.published)
    narrow = config.settings.collector.model_copy(update={"max_queued_events": 1, "group_wait_ms": 300.0})
    stuck = dataclasses.replace(config, settings=config.settings.model_copy(update={"collector": narrow}))
    tessera = Tessera(stuck)
    with TestClient(application(tessera), raise_server_exceptions=False) as client:
        answers = [client.post("/v1/recommendations", json={"user_id": "ann"}) for _ in range(3)]
        refused = tessera.collector.counts.refused
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert refused > 0
