"""What a stranger with the browser key can reach of other people: nothing."""

import dataclasses

import pyarrow as pa
import pytest
from access_keys import BROWSER, KEYS, SECRET
from bundles import publish
from starlette.testclient import TestClient

from serving.application import application
from serving.tessera import Tessera

ALL = ["analytics", "personalization"]
USERS = pa.table(
    {
        "user_id": ["ann", "phone"],
        "is_known": [True, False],
        "segment": ["athletes", "cooks"],
        "persona": ["runner", "baker"],
        "country": ["DE", "FR"],
    }
)


@pytest.fixture
def service(config, home):
    """A service with keys, whose bundle knows the user ann and the device phone."""
    publish(
        home.published, users=USERS, interactions=pa.table({"user_id": ["ann", "phone"], "item_id": ["i0", "i5"]})
    )
    with TestClient(application(Tessera(dataclasses.replace(config, keys=KEYS), seed=1))) as client:
        yield client


def recommend(service, headers, **request):
    answer = service.post("/v1/recommendations", json={"k": 3, **request}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def send(service, headers, *events):
    answer = service.post("/v1/events", json={"events": list(events)}, headers=headers).json()
    assert answer["rejected"] == []
    return answer["accepted"]


def test_a_device_that_calls_itself_as_a_user_gets_a_strangers_answer(service):
    stranger = recommend(service, BROWSER, anonymous_id="nobody")
    answer = recommend(service, BROWSER, anonymous_id="ann")
    assert (answer["personalized"], answer.get("segment")) == (False, None)
    assert [item["item_id"] for item in answer["items"]] == [item["item_id"] for item in stranger["items"]]
    assert recommend(service, SECRET, user_id="ann")["segment"] == "athletes"
    assert recommend(service, SECRET, anonymous_id="ann").get("segment") is None


def test_a_device_is_not_the_user_of_its_name(service):
    assert recommend(service, BROWSER, anonymous_id="phone")["segment"] == "cooks"
    assert recommend(service, SECRET, user_id="phone").get("segment") is None


def test_what_a_device_does_does_not_enter_the_profile_of_the_user_of_its_name(service):
    view = {"event_type": "page_view", "anonymous_id": "ann", "item_id": "i7", "consent": ALL}
    send(service, BROWSER, view, view | {"anonymous_id": "other", "user_id": "ann"})
    send(service, BROWSER, {"event_type": "consent_withdrawn", "anonymous_id": "ann", "user_id": "ann"})
    ann = service.get("/v1/users/ann", headers=SECRET).json()
    assert ann["recent"] == [] or all(item["item_id"] != "i7" for item in ann["recent"])
    assert ann["is_personalized"]
    assert recommend(service, SECRET, user_id="ann")["personalized"]


def test_a_device_is_read_changed_and_erased_by_its_id(service):
    assert service.get("/v1/users/phone", headers=SECRET).json()["segment"] == "cooks"
    path = "/v1/users/phone/preferences?id_type=anonymous"
    muted = service.put(path, json={"muted": ["sport"]}, headers=SECRET)
    assert muted.json() == {"user_id": "phone", "preferences": {"muted": ["sport"]}}
    items = recommend(service, BROWSER, anonymous_id="phone", k=5)["items"]
    assert {item["item_id"] for item in items} == {"i6", "i7", "i8", "i9"}
    assert service.delete("/v1/users/phone", headers=SECRET).status_code == 202
    assert recommend(service, BROWSER, anonymous_id="phone").get("segment") is None


def test_a_refusal_that_the_site_recorded_outlives_the_grant_of_a_browser(service):
    device = {"anonymous_id": "phone"}
    send(service, SECRET, {"event_type": "consent_withdrawn", **device})
    send(service, BROWSER, {"event_type": "consent_granted", "consent": ALL, **device})
    send(service, BROWSER, {"event_type": "page_view", "item_id": "i6", "consent": ALL, **device})
    assert not recommend(service, BROWSER, **device)["personalized"]
    send(service, SECRET, {"event_type": "consent_granted", "consent": ALL, **device})
    assert recommend(service, BROWSER, **device)["personalized"]


def test_a_browser_takes_back_its_own_refusal(service):
    device = {"anonymous_id": "phone"}
    send(service, BROWSER, {"event_type": "consent_withdrawn", **device})
    assert not recommend(service, BROWSER, **device)["personalized"]
    send(service, BROWSER, {"event_type": "consent_granted", "consent": ALL, **device})
    assert recommend(service, BROWSER, **device)["personalized"]


def test_requests_of_a_browser_use_up_no_caps_but_its_own(service, config):
    cap = config.settings.decisions.caps.slot_impressions_per_hour
    request = {"anonymous_id": "phone", "slot": "home", "k": 2}
    first = recommend(service, SECRET, **request)["items"]
    for _ in range(cap):
        recommend(service, BROWSER, **request)
    assert service.post("/v1/recommendations", json=request, headers=BROWSER).status_code == 429
    assert [item["item_id"] for item in recommend(service, SECRET, **request)["items"]] == [
        item["item_id"] for item in first
    ]


def test_a_browser_cannot_set_the_clock(service):
    for at in ("2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"):
        answer = service.post("/v1/recommendations", json={"anonymous_id": "x", "at": at}, headers=BROWSER)
        assert (answer.status_code, answer.json()["error"]["field"]) == (403, "at")


def test_nothing_of_a_user_goes_to_who_named_a_device_as_the_user_is_named(service):
    """Somebody who signs in on such a device exports and erases what is theirs, and the user stays."""
    assert send(service, SECRET, {"event_type": "page_view", "user_id": "bob-1234", "item_id": "i1"}) == 1
    mine = {"event_type": "identify", "user_id": "mallory", "anonymous_id": "bob-1234"}
    assert (
        send(service, SECRET, mine, {"event_type": "page_view", "anonymous_id": "bob-1234", "item_id": "i7"}) == 2
    )
    export = service.get("/v1/users/mallory/export", headers=SECRET).json()
    assert {event.get("user_id") for event in export["events"]} == {"mallory", None}
    described = export["known_by_other_ids"]["bob-1234"]
    assert {entry["item_id"] for entry in described["recent"]} == {"i7"}
    assert service.delete("/v1/users/mallory", headers=SECRET).status_code == 202
    assert send(service, SECRET, {"event_type": "page_view", "anonymous_id": "bob-1234", "item_id": "i1"}) == 0
    assert send(service, SECRET, {"event_type": "page_view", "user_id": "bob-1234", "item_id": "i2"}) == 1
    bob = service.get("/v1/users/bob-1234", headers=SECRET).json()
    assert [entry["item_id"] for entry in bob["recent"]] == ["i2", "i1"]


def test_what_a_new_user_sets_does_not_go_to_a_device_of_the_users_name(service):
    send(
        service, BROWSER, {"event_type": "page_view", "anonymous_id": "newcomer", "item_id": "i1", "consent": ALL}
    )
    put = service.put("/v1/users/newcomer/preferences", json={"opt_out": True}, headers=SECRET)
    assert put.status_code == 200
    send(service, SECRET, {"event_type": "page_view", "user_id": "newcomer", "item_id": "i2"})
    newcomer = service.get("/v1/users/newcomer", headers=SECRET).json()
    assert newcomer["preferences"] == {"opt_out": True}
    assert not newcomer["is_personalized"]
    assert recommend(service, BROWSER, anonymous_id="newcomer")["personalized"]


def test_a_device_alone_is_erased_where_the_caller_says_so(service):
    send(service, SECRET, {"event_type": "page_view", "user_id": "both", "item_id": "i1"})
    send(service, SECRET, {"event_type": "page_view", "anonymous_id": "both", "item_id": "i2"})
    assert service.delete("/v1/users/both?id_type=anonymous", headers=SECRET).status_code == 202
    assert service.get("/v1/users/both?id_type=anonymous", headers=SECRET).status_code == 404
    assert service.get("/v1/users/both", headers=SECRET).json()["recent"][0]["item_id"] == "i1"
    refused = service.get("/v1/users/both?id_type=x", headers=SECRET)
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "id_type")


def test_a_browser_does_not_learn_who_asked_to_be_erased(service, home):
    send(service, SECRET, {"event_type": "page_view", "user_id": "gone-1234", "item_id": "i1"})
    assert service.delete("/v1/users/gone-1234", headers=SECRET).status_code == 202
    view = {"event_type": "page_view", "anonymous_id": "probe", "item_id": "i1", "consent": ALL}
    claims = [view | {"user_id": user} for user in ("gone-1234", "never-1234")]
    answers = [service.post("/v1/events", json={"events": [claim]}, headers=BROWSER).json() for claim in claims]
    assert answers == [{"accepted": 1, "rejected": []}] * 2
    files = [file for file in home.path.rglob("*") if file.is_file() and "pending" not in file.parts]
    assert any(b"never-1234" in file.read_bytes() for file in files)
    assert not any(b"gone-1234" in file.read_bytes() for file in files)
