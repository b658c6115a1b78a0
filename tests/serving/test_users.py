from urllib.parse import quote

import pytest
from bundles import publish
from starlette.testclient import TestClient

from ml.recommenders.newcomers.onboarding import Question
from ml.recommenders.newcomers.welcome import Welcome
from serving.application import application
from serving.tessera import Tessera


@pytest.fixture
def client(config, home):
    publish(home.published)
    with TestClient(application(Tessera(config, seed=1)), raise_server_exceptions=False) as client:
        yield client


def recommended(client, user, **fields):
    reply = client.post("/v1/recommendations", json={"user_id": user, **fields}).json()
    return reply, [item["item_id"] for item in reply["items"]]


def prefer(client, user, **fields):
    return client.put(f"/v1/users/{user}/preferences", json=fields)


def test_muted_topics_are_not_shown(client):
    assert prefer(client, "ann", muted=["sport"]).status_code == 200
    _, items = recommended(client, "ann", k=10)
    assert items
    assert set(items) <= {"i5", "i6", "i7", "i8", "i9"}


def test_what_an_event_states_counts_from_the_next_answer_on(client):
    def state(**properties):
        event = {"event_type": "preference", "user_id": "ann", "properties": properties}
        assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1
        return set(recommended(client, "ann", k=10)[1])

    def stated():
        preferences = client.get("/v1/users/ann").json()["preferences"]
        return {name: preferences[name] for name in ("muted", "interests") if name in preferences}

    assert prefer(client, "ann", interests=["a"]).status_code == 200
    assert state(muted=["sport"]) <= {"i5", "i6", "i7", "i8", "i9"}
    assert stated() == {"interests": ["a"], "muted": ["sport"]}
    assert state(muted=["food"]) <= {"i0", "i1", "i2", "i3", "i4"}
    assert len(state(muted=None)) > 5
    assert stated() == {"interests": ["a"]}


def test_who_turns_personalization_off_gets_a_good_answer_that_is_not_personal(client):
    prefer(client, "ann", opt_out=True)
    reply, items = recommended(client, "ann", k=3)
    assert reply["personalized"] is False
    assert "segment" not in reply
    assert items == ["i5", "i1", "i2"]  # trending and popular, without i0 that ann has seen


def test_who_turns_personalization_off_is_not_trained_on_until_it_is_on_again(client, home):
    prefer(client, "ann", opt_out=True)
    prefer(client, "ann", muted=["food"])
    assert recommended(client, "ann", k=3)[0]["personalized"] is False
    prefer(client, "ann", opt_out=None)
    assert recommended(client, "ann", k=3)[0]["personalized"] is True
    logged = [event["event_type"] for event in client.get("/v1/users/ann/export").json()["events"]]
    assert [kind for kind in logged if kind.startswith("consent_")] == ["consent_withdrawn", "consent_granted"]


def test_preferences_of_an_id_that_the_contract_refuses_are_not_kept(client):
    refused = prefer(client, "x" * 2000, muted=["food"])
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "user_id")


def test_stated_interests_speak_for_a_newcomer(client):
    prefer(client, "newcomer", interests=["food"])
    reply, items = recommended(client, "newcomer", k=5)
    assert items[0] in {"i5", "i6", "i7", "i8", "i9"}
    assert "interests" in {item["source"] for item in reply["items"]}
    assert reply["personalized"] is True


def test_a_change_can_be_tried_without_making_it(client):
    tried = client.put("/v1/users/ann/preferences", params={"preview": "true"}, json={"muted": ["sport"]}).json()
    assert any(item["item_id"] in {"i1", "i2"} for item in tried["before"])
    assert not any(item["item_id"] in {"i1", "i2"} for item in tried["after"])
    assert client.get("/v1/users/ann").json()["preferences"] == {}


def test_a_trial_that_is_misspelt_changes_nothing(client):
    refused = client.put("/v1/users/ann/preferences", params={"preview": "ture"}, json={"muted": ["sport"]})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "preview")
    assert prefer(client, "ann", opt_out="yes").json()["error"]["field"] == "opt_out"
    assert client.get("/v1/users/ann").json()["preferences"] == {}


def test_what_is_set_can_be_taken_back_and_a_wrong_value_is_named(client):
    prefer(client, "ann", muted=["sport"], quiet_hours={"from": 22, "to": 7})
    assert prefer(client, "ann", muted=None).json()["preferences"] == {"quiet_hours": {"from": 22, "to": 7}}
    refused = prefer(client, "ann", quiet_hours={"from": 25, "to": 7})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "quiet_hours.from")


def test_not_interested_means_never_again(client):
    client.post(
        "/v1/events", json={"events": [{"event_type": "not_interested", "user_id": "ann", "item_id": "i1"}]}
    )
    assert "i1" not in recommended(client, "ann", k=10)[1]


def test_an_export_holds_state_and_events(client):
    client.post("/v1/events", json={"events": [{"event_type": "page_view", "user_id": "ann", "item_id": "i3"}]})
    export = client.get("/v1/users/ann/export").json()
    assert export["known"]["segment"] == "athletes"
    assert [(event["event_type"], event["item_id"]) for event in export["events"]] == [("page_view", "i3")]


def test_an_export_holds_what_a_device_of_the_person_alone_did(client):
    events = [
        {"event_type": "page_view", "anonymous_id": "phone", "item_id": "i5"},
        {"event_type": "identify", "anonymous_id": "phone", "user_id": "ann"},
        {"event_type": "identify", "anonymous_id": "family-tv", "user_id": "ann"},
        {"event_type": "identify", "anonymous_id": "family-tv", "user_id": "bob"},
        {"event_type": "page_view", "anonymous_id": "family-tv", "item_id": "i9"},
    ]
    assert client.post("/v1/events", json={"events": events}).json()["accepted"] == 5
    export = client.get("/v1/users/ann/export").json()
    assert export["other_ids"] == ["phone"]
    assert {event.get("item_id") for event in export["events"]} == {"i5", None}
    assert [item["item_id"] for item in export["known_by_other_ids"]["phone"]["recent"]] == ["i5"]


def test_when_an_erasure_is_answered_no_file_with_events_of_before_is_open(client, home):
    client.post("/v1/events", json={"events": [{"event_type": "page_view", "user_id": "zoe", "item_id": "i3"}]})
    assert list(home.events.glob("open/*.open"))
    client.delete("/v1/users/zoe")
    assert not list(home.events.glob("open/*.open"))


def test_an_erasure_clears_the_state_at_once_and_opens_a_receipt(client, home):
    client.post("/v1/events", json={"events": [{"event_type": "page_view", "user_id": "zoe", "item_id": "i3"}]})
    prefer(client, "zoe", muted=["food"])
    assert b"zoe" in home.state_db.read_bytes() + home.state_db.with_name("state.db-wal").read_bytes()
    reply = client.delete("/v1/users/zoe")
    assert reply.status_code == 202
    assert client.get("/v1/users/zoe").status_code == 404
    assert b"zoe" not in home.state_db.read_bytes() + home.state_db.with_name("state.db-wal").read_bytes()
    receipt = client.get(f"/v1/erasures/{reply.json()['receipt_id']}").json()
    status = {place["place"]: place["status"] for place in receipt["places"]}
    assert status["online state"] == "verified"
    assert status["event log"] == "pending"
    assert "zoe" not in str(receipt)
    assert client.get("/v1/erasures/unknown").status_code == 404


def test_onboarding_asks_for_topics(client):
    (question,) = client.get("/v1/onboarding").json()["questions"]
    assert set(question["choices"]) == {"sport", "food"}
    assert question["question"] == "Which of these topics would you like to see more of?"
    assert "ranked higher for you" in question["used_for"]
    assert client.get("/v1/onboarding", params={"user_id": "ann"}).json()["next"] is None  # nothing was measured
    assert client.get("/v1/onboarding", params={"user_id": ""}).json()["error"]["field"] == "user_id"


def test_onboarding_asks_about_an_item_by_its_name(client):
    *_, question = client.get("/v1/onboarding", params={"item_id": "i1"}).json()["questions"]
    assert question["question"] == "Would you like to see more like “Title i1” in sport?"
    assert question["choices"] == ["like", "not_interested"]
    assert "“Title i1”" in question["used_for"]
    refused = client.get("/v1/onboarding", params={"item_id": "gone"})
    assert (refused.status_code, refused.json()["error"]["field"]) == (404, "item_id")


def test_a_segment_is_asked_about_only_where_the_person_consents_to_one(client):
    def about_segment(user):
        questions = client.get("/v1/onboarding", params={"user_id": user}).json()["questions"]
        return [question for question in questions if question["id"] == "segment"]

    (question,) = about_segment("ann")
    segment = client.get("/v1/users/ann").json()["segment"]
    assert f"“{segment}”" in question["question"]
    assert f"“{segment}”" in question["used_for"]
    prefer(client, "ann", opt_out=True)
    assert about_segment("ann") == []
    assert about_segment("a stranger") == []


def test_the_next_question_is_what_helps_this_person_most(config, home, tmp_path):
    topics = (Question("topic", "category:food", (5,), 0.9), Question("topic", "category:sport", (0,), 0.5))
    Welcome(topics, {0: 0.1, 1: 0.2, 2: 0.21, 10: 0.22}, {"location": 0.05}).save(tmp_path / "welcome.json")
    publish(home.published, files={"welcome.json": tmp_path / "welcome.json"})
    with TestClient(application(Tessera(config, seed=1))) as client:

        def next_question(user):
            question = client.get("/v1/onboarding", params={"user_id": user}).json()["next"]
            if question is None:
                return None
            subject = question["field"].split(":")[-1]
            assert subject in question["question"]
            assert question["question"].endswith("?")
            assert "rank" in question["used_for"]
            return question["field"], question["answer_with"].split()[0]

        assert client.get("/v1/onboarding").json()["questions"][0]["choices"] == ["food", "sport"]
        assert next_question("new") == ("category:food", "PUT")
        prefer(client, "new", interests=["food"])
        assert next_question("new") == ("location", "POST")  # where the second topic would bring .01 more
        prefer(client, "ann", interests=["food", "sport"])
        assert next_question("ann") is None  # her country is known, and both topics are


def test_a_decision_names_the_rule_that_chose_it(client):
    at = "2026-03-02T08:00:00Z"
    body = {
        "anonymous_id": "a",
        "slot": "hero",
        "at": at,
        "context": {"device_type": "mobile", "network_type": "3g"},
    }
    decided = client.post("/v1/decisions", json=body, headers={"accept": "image/webp,*/*"}).json()
    assert (decided["content"], decided["rule"]) == ("breakfast-deals", "breakfast-deals")
    assert decided["actions"]["image_size"] == "small"
    assert decided["actions"]["image_format"] == "webp"
    assert decided["propensity"] == 1.0
    evening = client.post("/v1/decisions", json={**body, "at": "2026-03-02T20:00:00Z"}).json()
    assert evening["rule"] == "hero-learns"
    assert evening["content"] in {"editors-choice", "most-read", "new-today"}
    assert 0 < evening["propensity"] < 1
    assert client.post("/v1/decisions", json={"anonymous_id": "a"}).json()["error"]["field"] == "slot"


def test_a_wrong_context_is_named(client):
    reply = client.post("/v1/recommendations", json={"context": {"country": 7}})
    assert (reply.status_code, reply.json()["error"]["field"]) == (422, "context.country")


@pytest.mark.parametrize("user_id", ["a/b", "line\nbreak", "a/preferences", "\u202e"])
def test_an_id_of_any_characters_is_set_read_and_erased(client, user_id):
    path = f"/v1/users/{quote(user_id, safe='')}"
    assert client.put(f"{path}/preferences", json={"muted": ["sport"]}).json()["user_id"] == user_id
    assert client.get(path).json()["preferences"] == {"muted": ["sport"]}
    assert client.delete(path).status_code == 202
    assert client.get(path).status_code == 404
