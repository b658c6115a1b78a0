"""Two services, each with a home of its own, that share one Redis: who is erased on one is erased on both."""

import shutil
from dataclasses import replace

import pytest
from bundles import publish
from starlette.testclient import TestClient

pytest.importorskip("redis", reason="the extra redis is not installed")

from ml.erasure.receipts import ErasureReceipts
from ml.events.log import EventLog
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import Pseudonyms
from serving.application import application
from serving.privacy.erasure import follow_erasures
from serving.state.online import OnlineState
from serving.state.store import StoreUnavailableError
from serving.state.store_engine import StateError
from serving.tessera import Tessera
from serving.upkeep import regular_checks
from tests.serving.redis_process import on_redis
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
ALL = ["analytics", "personalization", "location"]


@pytest.fixture
def configs(config, server, tmp_path):
    """Two machines: homes with the same key, the same bundle, and the same Redis."""
    here = on_redis(config, server.url)
    serving = here.settings.serving.model_copy(update={"bundle_check_seconds": 0.1})
    here = replace(here, settings=here.settings.model_copy(update={"serving": serving}))
    there = replace(here, home=Home(tmp_path / "there"))
    Pseudonyms(here.home.path).fingerprint()
    there.home.path.mkdir()
    for name in ("site.key", "site.key.check"):
        shutil.copy2(here.home.path / name, there.home.path / name)
    for machine in (here, there):
        publish(machine.home.published)
    return here, there


def send(client, **event):
    answer = client.post("/v1/events", json={"events": [{"event_type": "page_view", "item_id": "i1", **event}]})
    assert answer.status_code == 202
    return answer.json()["accepted"]


def test_who_is_erased_on_one_machine_is_refused_and_erased_on_the_other(configs):
    here, there = configs
    with TestClient(application(Tessera(here))) as first, TestClient(application(Tessera(there))) as second:
        assert send(first, user_id="ann", anonymous_id="phone") == 1
        assert send(second, user_id="ann", anonymous_id="laptop") == 1  # which the first machine never saw
        assert send(second, anonymous_id="laptop", item_id="i2") == 1
        assert send(second, user_id="bob") == 1
        assert second.get("/v1/users/ann").json()["recent"]
        assert first.delete("/v1/users/ann").status_code == 202
        # Without any request to the second machine, which has to follow by itself.
        wait_until(
            lambda: {"ann", "phone", "laptop"} <= {x for x in names() if ErasedIds(there.home).has_device(x)}
        )
        wait_until(lambda: ErasedIds(here.home).has_device("laptop"))
        for client in (first, second):
            for event in ({"user_id": "ann"}, {"anonymous_id": "phone"}, {"anonymous_id": "laptop"}):
                assert send(client, **event) == 0
            assert client.put("/v1/users/ann/preferences", json={"muted": ["food"]}).status_code == 404
            assert client.get("/v1/users/ann").status_code == 404
            for request in ({"user_id": "ann"}, {"anonymous_id": "laptop"}):
                reply = client.post("/v1/recommendations", json={**request, "k": 3}).json()
                assert (reply["personalized"], reply.get("segment")) == (False, None)
            assert send(client, user_id="bob") == 1
        wait_until(lambda: ErasureReceipts(there.home).pending())
        assert [sorted(ids.all) for ids in ErasureReceipts(there.home).pending().values()] == [["ann", "laptop"]]
        assert [sorted(ids.all) for ids in ErasureReceipts(here.home).pending().values()] == [["ann", "phone"]]
    people = {
        (event["user_id"], event["anonymous_id"])
        for batch in EventLog(there.home).read(columns=["user_id", "anonymous_id"])
        for event in batch.to_pylist()
    }
    assert people == {("bob", None)}


def names():
    return ("ann", "phone", "laptop", "bob")


def test_erased_ids_come_back_to_a_redis_that_lost_them(configs, server):
    here, there = configs
    with TestClient(application(Tessera(here))) as first:
        assert send(first, user_id="ann") == 1
        assert first.delete("/v1/users/ann").status_code == 202
        server.stop(is_kept=False)
        server.start()
        wait_until(lambda: server.client.hget("tessera:documents", "erased_ids"))
        with TestClient(application(Tessera(there))) as second:
            assert send(second, user_id="ann") == 0


def test_an_erasure_that_the_store_cuts_short_is_finished(configs, monkeypatch):
    here, there = configs
    with TestClient(application(Tessera(here))) as first:
        assert send(first, user_id="ann", anonymous_id="phone") == 1
        second = Tessera(there)
        reached, forget = [], OnlineState.forget

        def fail_at_first(state, user):
            if state is second.state:
                reached.append(user)
                if len(reached) == 1:
                    raise StoreUnavailableError("the store is away")
            return forget(state, user)

        monkeypatch.setattr(OnlineState, "forget", fail_at_first)
        with TestClient(application(second)) as client:
            assert send(client, user_id="ann", anonymous_id="laptop") == 1
            assert first.delete("/v1/users/ann").status_code == 202
            desk = ErasureReceipts(there.home)
            wait_until(lambda: desk.pending() and not desk.pending("online state"))
            (receipt_id,) = desk.pending()

            def removed_from(place):
                return {entry["place"]: entry for entry in desk.receipt(receipt_id)["places"]}[place].get(
                    "removed"
                )

            wait_until(lambda: removed_from("dead letters") is not None)
            assert removed_from("event log") == 1  # and not once for each attempt


def test_an_erasure_that_comes_while_others_are_followed_is_followed_too(config, monkeypatch):
    publish(config.home.published)
    tessera = Tessera(config)

    async def follow_while_another_comes(tessera, desk):
        await follow_erasures(tessera, desk)
        if not followed:
            tessera.must_erase_again = True
        followed.append(tessera)

    followed = []
    monkeypatch.setattr(regular_checks, "follow_erasures", follow_while_another_comes)
    serving = config.settings.serving.model_copy(update={"bundle_check_seconds": 0.05})
    tessera.settings = serving
    with TestClient(application(tessera)):
        tessera.must_erase_again = True
        wait_until(lambda: len(followed) == 2)
    assert tessera.must_erase_again is False


def test_a_machine_with_another_key_does_not_start(configs):
    here, there = configs
    for name in ("site.key", "site.key.check"):
        (there.home.path / name).unlink()
    with TestClient(application(Tessera(here))):
        pass
    with (
        pytest.raises(StateError, match=r"copy site\.key and site\.key\.check"),
        TestClient(application(Tessera(there))),
    ):
        pass
