"""Redis goes away and comes back under a running service."""

import shutil

import pytest
from bundles import publish
from starlette.testclient import TestClient

pytest.importorskip("redis", reason="the extra redis is not installed")

from serving.application import application
from serving.tessera import Tessera
from tests.serving.redis_process import on_redis
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


@pytest.fixture
def config_on_redis(config, server):
    return on_redis(config, server.url)


def view(client, user, item):
    return client.post(
        "/v1/events", json={"events": [{"event_type": "page_view", "user_id": user, "item_id": item}]}
    )


def recent(client, user):
    return [entry["item_id"] for entry in client.get(f"/v1/users/{user}").json()["recent"]]


def stored_items(server):
    return [change for _, change in server.client.xrange("tessera:changes") if b'"page_view"' in change[b"c"]]


@pytest.mark.parametrize("is_kept", [True, False], ids=["with what it held", "empty"])
def test_requests_go_on_from_memory_and_no_change_is_lost(config_on_redis, server, home, is_kept):
    publish(home.published)
    with (
        TestClient(application(Tessera(config_on_redis))) as client,
        TestClient(application(Tessera(config_on_redis))) as other,
    ):
        assert view(client, "zoe", "i1").status_code == 202
        assert client.put("/v1/users/ann/preferences", json={"muted": ["food"]}).status_code == 200
        assert recent(client, "zoe") == recent(other, "zoe") == ["i1"]
        server.stop(is_kept)
        # Answers and events go on.
        reply = client.post("/v1/recommendations", json={"user_id": "ann", "slot": "top", "k": 3})
        assert (reply.status_code, len(reply.json()["items"])) == (200, 3)
        assert client.post("/v1/decisions", json={"user_id": "ann", "slot": "top"}).status_code == 200
        assert view(client, "zoe", "i2").status_code == 202
        assert recent(client, "zoe") == ["i2", "i1"]
        # The profile of somebody whom memory does not hold cannot be read: the person may have opted out.
        reply = client.post("/v1/recommendations", json={"user_id": "bob", "k": 3})
        assert (reply.status_code, reply.json()["personalized"]) == (200, False)
        # What must be stored now is refused with the time of the next try.
        for refused in (
            client.put("/v1/users/ann/preferences", json={"muted": []}),
            client.delete("/v1/users/bob"),
            client.get("/v1/users/bob"),
        ):
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert refused.json()["error"]["message"].startswith("the online state is unavailable: Redis: ")
        assert not list((home.path / "erasures").glob("pending/*"))
        wait_until(lambda: client.get("/readyz").status_code == 503)
        assert (
            client.get("/readyz").json()["error"]["message"].startswith("store: the online state is unavailable")
        )
        server.start()
        wait_until(lambda: len(stored_items(server)) == 2)
        wait_until(lambda: recent(other, "zoe") == ["i2", "i1"])
        assert recent(client, "zoe") == ["i2", "i1"]
        assert client.get("/v1/users/ann").json()["preferences"] == {"muted": ["food"]}
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.put("/v1/users/ann/preferences", json={"muted": []}).status_code == 200
        assert client.post("/v1/recommendations", json={"user_id": "bob", "k": 3}).json()["personalized"] is True
    with TestClient(application(Tessera(config_on_redis))) as client:
        assert recent(client, "zoe") == ["i2", "i1"]


def test_what_events_state_while_the_store_is_away_counts_when_it_is_back(config_on_redis, server, home):
    publish(home.published)

    def state(client, user, **properties):
        event = {"event_type": "preference", "user_id": user, "properties": properties}
        assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1

    def stated(client, user):
        return client.get(f"/v1/users/{user}").json().get("preferences", {}).get("muted")

    with TestClient(application(Tessera(config_on_redis))) as client:
        state(client, "ann", muted=["food"])
        assert stated(client, "ann") == ["food"]
        server.stop(is_kept=True)
        state(client, "ann", muted=["sport"])
        state(client, "bob", muted=["sport"])
        server.start()
        wait_until(
            lambda: view(client, "zoe", "i1") and stated(client, "ann") == stated(client, "bob") == ["sport"]
        )
