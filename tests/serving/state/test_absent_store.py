"""Redis goes away and comes back under a running service."""

import shutil
import socket
import subprocess
import time
from dataclasses import replace

import pytest
from bundles import publish
from starlette.testclient import TestClient

from serving.application import application
from serving.tessera import Tessera

redis = pytest.importorskip("redis", reason="the extra redis is not installed")
pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
WAIT_SECONDS = 30


class RedisProcess:
    """A Redis that can be stopped and started again, with what it held or without."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": ""}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self.process = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL)
        self.client = redis.Redis.from_url(self.url)
        wait_until(self._answers)

    def _answers(self):
        try:
            return self.client.ping()
        except redis.ConnectionError:
            return False

    def stop(self, is_kept):
        if is_kept:
            self.client.save()
        else:
            (self.folder / "dump.rdb").unlink(missing_ok=True)
        self.process.kill()
        self.process.wait()


def wait_until(holds):
    until = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < until, "it did not become true in time"
        time.sleep(0.05)


@pytest.fixture
def server(tmp_path):
    process = RedisProcess(tmp_path)
    yield process
    process.process.kill()
    process.process.wait()


@pytest.fixture
def on_redis(config, server):
    serving = config.settings.serving
    state = serving.state.model_copy(update={"engine": "redis"})
    settings = config.settings.model_copy(update={"serving": serving.model_copy(update={"state": state})})
    return replace(config, settings=settings, redis_url=server.url)


def view(client, user, item):
    return client.post(
        "/v1/events", json={"events": [{"event_type": "page_view", "user_id": user, "item_id": item}]}
    )


def recent(client, user):
    return [entry["item_id"] for entry in client.get(f"/v1/users/{user}").json()["recent"]]


def stored_items(server):
    return [change for _, change in server.client.xrange("tessera:changes") if b'"page_view"' in change[b"c"]]


@pytest.mark.parametrize("is_kept", [True, False], ids=["with what it held", "empty"])
def test_requests_go_on_from_memory_and_no_change_is_lost(on_redis, server, home, is_kept):
    publish(home.published)
    with TestClient(application(Tessera(on_redis))) as client, TestClient(application(Tessera(on_redis))) as other:
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
    with TestClient(application(Tessera(on_redis))) as client:
        assert recent(client, "zoe") == ["i2", "i1"]
