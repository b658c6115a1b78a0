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


def test_a_person_is_read_changed_and_erased_by_the_id_alone(service):
    assert service.get("/v1/users/phone", headers=SECRET).json()["segment"] == "cooks"
    muted = service.put("/v1/users/phone/preferences", json={"muted": ["sport"]}, headers=SECRET)
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
