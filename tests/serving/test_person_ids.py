"""One grammar of ids, and one rule for e-mail addresses, in events, API and erasure."""

from urllib.parse import quote

import pytest
from bundles import publish
from starlette.testclient import TestClient

from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ErasureReceipts
from ml.privacy.pseudonyms import Pseudonyms
from serving.application import application
from serving.tessera import Tessera

ADDRESS = "ann.person@example.org"


@pytest.fixture
def client(config, home):
    publish(home.published)
    with TestClient(application(Tessera(config, seed=1)), raise_server_exceptions=False) as client:
        yield client


def files_with(home, text):
    return [
        str(file.relative_to(home.path))
        for file in home.path.rglob("*")
        if file.is_file() and text.encode() in file.read_bytes()
    ]


@pytest.mark.parametrize("person", ["team/ann", "a/preferences", "x" * 1000, "é/ ü", "a.b.c", "ann+1"])
def test_any_id_that_an_event_may_have_can_be_read_changed_exported_and_erased(client, home, person):
    path = f"/v1/users/{quote(person, safe='')}"
    event = {"event_type": "page_view", "user_id": person, "item_id": "i1"}
    assert client.post("/v1/events", json={"events": [event]}).json() == {"accepted": 1, "rejected": []}
    assert client.put(f"{path}/preferences", json={"muted": ["sport"]}).json()["user_id"] == person
    assert client.get(path).json()["preferences"] == {"muted": ["sport"]}
    assert client.get(f"{path}/export").json()["user_id"] == person
    receipt = client.delete(path)
    assert receipt.status_code == 202
    assert list(ErasureReceipts(home).pending().values()) == [PersonIds((person,))]
    assert client.get(path).status_code == 404
    assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 0


def test_an_id_that_is_too_long_is_refused_everywhere(client):
    person = "x" * 1025
    event = {"event_type": "page_view", "user_id": person}
    (rejected,) = client.post("/v1/events", json={"events": [event]}).json()["rejected"]
    assert "1,024" in rejected["error"]
    assert client.delete(f"/v1/users/{person}").status_code == 422
    assert client.post("/v1/recommendations", json={"user_id": person}).status_code == 422


def test_an_email_address_as_an_id_is_nowhere_in_the_home(client, home):
    path = f"/v1/users/{quote(ADDRESS)}"
    pseudonym = Pseudonyms(home.path).pseudonymize(ADDRESS)
    event = {"event_type": "page_view", "user_id": ADDRESS, "item_id": "i1"}
    assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1
    assert client.put(f"{path}/preferences", json={"muted": ["sport"]}).json()["user_id"] == pseudonym
    body = {"user_id": ADDRESS, "anonymous_id": ADDRESS, "slot": "home", "k": 3}
    assert client.post("/v1/recommendations", json=body).status_code == 200
    assert client.post("/v1/decisions", json=body).status_code == 200
    assert client.get(path).json()["preferences"] == {"muted": ["sport"]}
    exported = client.get(f"{path}/export").json()
    assert {event.get("user_id") for event in exported["events"]} == {pseudonym}
    assert files_with(home, ADDRESS) == []


def test_an_email_address_is_erased_with_its_pseudonym(client, home):
    client.put(f"/v1/users/{quote(ADDRESS)}/preferences", json={"muted": ["sport"]})
    pseudonym = Pseudonyms(home.path).pseudonymize(ADDRESS)
    assert client.delete(f"/v1/users/{quote(ADDRESS)}").status_code == 202
    assert client.get(f"/v1/users/{quote(pseudonym)}").status_code == 404
    assert client.get(f"/v1/users/{quote(ADDRESS)}").status_code == 404


def test_a_worker_that_did_not_erase_a_person_writes_nothing_more_of_them(client, config, home):
    """The other worker's intake and state still know the person when the erasure begins."""
    view = {"event_type": "page_view", "user_id": "ann-erased", "item_id": "i1"}
    with TestClient(application(Tessera(config, seed=2))) as other:
        other.post("/v1/events", json={"events": [view]})
        assert client.delete("/v1/users/ann-erased").status_code == 202
        assert other.post("/v1/events", json={"events": [view]}).json()["accepted"] == 0
        answer = other.post("/v1/recommendations", json={"user_id": "ann-erased", "slot": "home", "k": 3}).json()
        assert answer["personalized"] is False
        assert other.get("/v1/users/ann-erased").status_code == 404
    assert [name for name in files_with(home, "ann-erased") if not name.startswith("erasures/pending/")] == []
