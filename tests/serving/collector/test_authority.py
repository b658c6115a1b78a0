"""What a sender may say, through each protocol: with a browser key, with a secret key, and without keys."""

import json

import pytest

from ml.events.contract import EVENT_TYPES
from ml.privacy.pseudonyms import Pseudonyms
from serving.access import Keys
from serving.collector.authority import BROWSER_TYPES
from tests.serving.collector.collecting import Site, settings_with
from tests.serving.identities import SECRET as IDENTITY_SECRET
from tests.serving.identities import sign

BROWSER = {"Authorization": "Bearer public"}
SECRET = {"Authorization": "Bearer quiet"}
ALL = ["analytics", "personalization", "location"]
CLICK = {"event_type": "click", "anonymous_id": "a", "consent": ALL}
TRACKER = "/com.snowplowanalytics.snowplow/tp2"


@pytest.fixture
def site(tmp_path):
    """A site with a browser key, a secret key, and a secret for identity tokens."""
    keys = Keys(browser=frozenset({"public"}), secret=frozenset({"quiet"}))
    return Site(tmp_path / "home", keys=keys, identity_secrets=(IDENTITY_SECRET,))


def test_the_collector_says_who_vouches_whatever_the_sender_says(site):
    forged = CLICK | {"authority": "service", "claimed_user_id": "ann", "suspected": "x"}
    forged |= {"properties": {"authority": "service", "suspected": "y", "claimed_user_id": "ann"}}
    with site.open() as client:
        for headers in (BROWSER, SECRET):
            client.post("/v1/events", json={"events": [forged]}, headers=headers)
    events = site.events()
    assert sorted(event["authority"] for event in events) == ["browser", "server"]
    assert all(not {"suspected", "claimed_user_id"} & set(event["properties"]) for event in events)


def test_what_the_service_records_is_its_own_word(site):
    with site.open() as client:
        collector = client.app.state.collector
        record = {"event_type": "erased", "anonymous_id": "h", "authority": "browser"}
        assert client.portal.call(collector.record, [record]) == []
    assert [event["authority"] for event in site.events()] == ["service"]


def test_without_keys_events_count_as_those_of_a_server(tmp_path):
    site = Site(tmp_path / "home")
    site.send("/v1/events", {"events": [CLICK | {"user_id": "ann"}]})
    assert [(event["authority"], event["user_id"]) for event in site.events()] == [("server", "ann")]


@pytest.mark.parametrize("event_type", [*EVENT_TYPES, "custom:zoom"])
def test_a_browser_key_sends_only_what_a_visitor_does(site, event_type):
    answer = site.send("/v1/events", {"events": [CLICK | {"event_type": event_type}]}, headers=BROWSER).json()
    if event_type in BROWSER_TYPES or event_type == "custom:zoom":
        assert answer == {"accepted": 1, "rejected": []}
        return
    assert event_type in {"served", "erased", "exposure", "preference"}
    assert answer["accepted"] == 0
    error = answer["rejected"][0]["error"]
    assert error.startswith(f"event_type: '{event_type}' is ")
    assert ("written by the service alone" in error) == (event_type in {"served", "erased"})
    assert ("which may send page_view, " in error) == (event_type in {"exposure", "preference"})
    assert site.events() == []
    assert [(letter["field"], letter["payload"]) for letter in site.letters()] == [("event_type", "")]


@pytest.mark.parametrize("keys", [Keys(), Keys(secret=frozenset({"quiet"}))], ids=["open", "secret"])
@pytest.mark.parametrize("event_type", ["served", "erased"])
def test_nobody_writes_the_records_of_the_service(tmp_path, keys, event_type):
    site = Site(tmp_path / "home", keys=keys)
    event = CLICK | {"event_type": event_type, "recommendation_id": "r-1"}
    answer = site.send("/v1/events", {"events": [event, CLICK]}, headers=SECRET).json()
    assert answer["accepted"] == 1
    assert answer["rejected"] == [
        {"index": 0, "error": f"event_type: '{event_type}' is written by the service alone"}
    ]


def test_nobody_writes_them_through_other_protocols_either(site):
    event = {"schema": "iglu:io.tessera/event/jsonschema/1-0-0", "data": {"event_type": "served"}}
    wrapped = {"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0", "data": event}
    payload = {"e": "ue", "duid": "a", "ue_pr": json.dumps(wrapped)}
    with site.open() as client:
        tracked = client.post(TRACKER, json={"data": [payload]}, headers=SECRET).json()
        called = client.post("/v1/track", json={"anonymousId": "a", "event": "served"}, headers=SECRET).json()
    for answer in (tracked, called):
        assert answer["rejected"][0]["error"].endswith("is written by the service alone")
    assert site.events() == []


@pytest.mark.parametrize("event_type", ["page_view", "identify", "consent_withdrawn", "purchase"])
def test_a_user_that_a_browser_names_is_a_claim_on_its_device(site, event_type):
    event = CLICK | {"event_type": event_type, "user_id": "ann", "properties": {"plan": "pro"}}
    site.send("/v1/events", {"events": [event]}, headers=BROWSER)
    (kept,) = site.events()
    assert "user_id" not in kept
    assert (kept["anonymous_id"], kept["authority"]) == ("a", "browser")
    assert kept["properties"]["claimed_user_id"] == "ann"
    assert kept["properties"]["plan"] == "pro"


@pytest.mark.parametrize("properties", ['{"plan": "pro"}', None, {}])
def test_a_claim_is_kept_however_the_properties_are_written(site, properties):
    site.send("/v1/events", {"events": [CLICK | {"user_id": 12, "properties": properties}]}, headers=BROWSER)
    (kept,) = site.events()
    assert "user_id" not in kept
    assert kept["properties"]["claimed_user_id"] == "12"


@pytest.mark.parametrize(
    "properties", ['{"x": NaN}', "[1]", '{"x": "\\ud800"}', '{"a":' * 60 + "1" + "}" * 60, [1], 7]
)
def test_odd_properties_are_rejected_and_carry_no_user_into_the_log(site, properties):
    event = CLICK | {"user_id": "ann", "properties": properties}
    answer = site.send("/v1/events", {"events": [event]}, headers=BROWSER).json()
    assert answer["accepted"] == 0
    assert answer["rejected"][0]["error"].startswith("properties: ")


def test_a_user_without_a_device_gets_one_for_the_day(site):
    with site.open() as client:
        for agent in ("one", "one", "another"):
            body = {"events": [{"event_type": "click", "user_id": "ann", "consent": ALL}]}
            client.post("/v1/events", json=body, headers=BROWSER | {"User-Agent": agent})
    devices = [event["anonymous_id"] for event in site.events()]
    assert all(device.startswith("h:") for device in devices)
    assert len(set(devices)) == 2


def test_claims_of_other_protocols_are_kept_alike(site):
    consent = {"schema": "iglu:io.tessera/consent/jsonschema/1-0-0", "data": {"purposes": ALL}}
    contexts = {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": [consent]}
    payload = {"e": "pv", "eid": "1", "duid": "a", "uid": "ann", "co": json.dumps(contexts)}
    granted = {"consent": {"categoryPreferences": dict.fromkeys(ALL, True)}}
    identify = {"userId": "ann", "anonymousId": "a", "messageId": "2", "context": granted}
    alias = {"userId": "ann", "previousId": "b", "messageId": "3", "context": granted}
    with site.open() as client:
        assert client.post(TRACKER, json={"data": [payload]}, headers=BROWSER).json()["accepted"] == 1
        assert client.post("/v1/identify", json=identify, headers=BROWSER).json()["accepted"] == 1
        assert client.post("/v1/alias", json=alias, headers=BROWSER).json()["accepted"] == 1
    events = {event["event_id"]: event for event in site.events()}
    assert {name: event["anonymous_id"] for name, event in events.items()} == {"1": "a", "2": "a", "3": "b"}
    for event in events.values():
        assert "user_id" not in event
        assert event["properties"]["claimed_user_id"] == "ann"


def test_a_claimed_e_mail_address_is_a_pseudonym(site):
    site.send("/v1/events", {"events": [CLICK | {"user_id": "ann@shop.example"}]}, headers=BROWSER)
    (kept,) = site.events()
    assert kept["properties"]["claimed_user_id"] == Pseudonyms(site.path).pseudonymize("ann@shop.example")


def test_without_personalization_no_claim_is_kept(site):
    events = [CLICK | {"user_id": "ann", "consent": ["analytics"]}]
    events += [CLICK | {"event_type": "identify", "user_id": "ann", "consent": ["analytics"]}]
    answer = site.send("/v1/events", {"events": events}, headers=BROWSER).json()
    assert (answer["accepted"], answer["withheld"]) == (1, 1)
    (kept,) = site.events()
    assert "ann" not in str(kept)


def test_a_claim_of_an_erased_person_is_left_out_of_the_event(site):
    with site.open() as client:
        client.app.state.collector.erased.add(["ann", "12"])
        people = {"1": "ann", "2": 12, "3": "bob"}
        events = [CLICK | {"event_id": event_id, "user_id": user_id} for event_id, user_id in people.items()]
        body = {"events": events}
        answer = client.post("/v1/events", json=body, headers=BROWSER).json()
    assert answer == {"accepted": 3, "rejected": []}
    assert [event["properties"].get("claimed_user_id") for event in site.events()] == [None, None, "bob"]


@pytest.mark.parametrize("value", [1e300, -1e7, 10**18, 1_000_000.5])
def test_a_browser_sends_no_value_beyond_the_bound(site, value):
    event = CLICK | {"event_type": "purchase", "value": value}
    body = json.dumps({"events": [event, CLICK | {"event_type": "purchase", "value": -1_000_000}]})
    with site.open() as client:
        answer = client.post("/v1/events", content=body, headers=BROWSER)
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"][0]["error"].startswith("value: ")


def test_a_server_sends_what_a_browser_may_not(tmp_path):
    keys = Keys(browser=frozenset({"public"}), secret=frozenset({"quiet"}))
    site = Site(tmp_path / "home", settings_with(collector={"max_browser_value": 10.0}), keys)
    events = [
        CLICK | {"event_type": "purchase", "user_id": "ann", "value": 11},
        CLICK | {"event_type": "exposure", "experiment_id": "e", "variant": "v"},
        CLICK | {"event_type": "preference", "user_id": "ann", "properties": {"muted": ["sport"]}},
    ]
    answer = site.send("/v1/events", {"events": events}, headers=SECRET).json()
    assert answer == {"accepted": 3, "rejected": []}


class TestIdentityTokens:
    """Events with a browser key, and a token of the site's server for the user ann on the device a."""

    def test_a_token_makes_the_user_a_fact_and_keeps_the_device_that_it_names(self, site):
        events = [CLICK | {"user_id": "ann"}, CLICK | {"event_type": "identify", "user_id": "ann"}]
        token = sign("ann", anonymous_id="a")
        answer = site.send("/v1/events", {"events": events, "identity_token": token}, headers=BROWSER).json()
        assert answer == {"accepted": 2, "rejected": []}
        for event in site.events():
            assert (event["authority"], event["user_id"], event["anonymous_id"]) == ("signed", "ann", "a")
        assert token not in str(site.events())

    @pytest.mark.parametrize("claims", [{}, {"anonymous_id": "b"}])
    def test_another_device_than_the_tokens_is_claimed(self, site, claims):
        body = {"events": [CLICK | {"user_id": "ann"}], "identity_token": sign("ann", **claims)}
        site.send("/v1/events", body, headers=BROWSER)
        (event,) = site.events()
        assert (event["authority"], event["user_id"]) == ("signed", "ann")
        assert "anonymous_id" not in event
        assert event["properties"]["claimed_anonymous_id"] == "a"

    def test_another_user_than_the_tokens_is_claimed(self, site):
        events = [CLICK | {"user_id": "bob"}, CLICK]
        site.send("/v1/events", {"events": events}, headers=BROWSER | {"Tessera-Identity": sign("ann")})
        kept = site.events()
        assert [event["authority"] for event in kept] == ["browser", "browser"]
        assert {event.get("properties", {}).get("claimed_user_id") for event in kept} == {"bob", None}
        assert all("user_id" not in event for event in kept)

    @pytest.mark.parametrize("token", ["x.y.z", 7, {"a": 1}, "expired"])
    def test_with_a_bad_token_events_are_claims_and_the_answer_warns(self, site, token):
        token = sign("ann", minutes=-5) if token == "expired" else token
        body = {"events": [CLICK | {"user_id": "ann"}] * 2, "identity_token": token}
        answer = site.send("/v1/events", body, headers=BROWSER).json()
        assert answer["accepted"] == 2
        (warning,) = answer["warnings"]
        assert warning.startswith("identity_token: ")
        assert {event["authority"] for event in site.events()} == {"browser"}

    def test_segment_carries_the_token_in_the_context_and_snowplow_in_a_header(self, site):
        token = sign("ann", anonymous_id="a")
        granted = {"categoryPreferences": dict.fromkeys(ALL, True)}
        context = {"consent": granted, "identity_token": token}
        message = {"type": "track", "event": "Signed Up", "userId": "ann", "anonymousId": "a"}
        consent = {"schema": "iglu:io.tessera/consent/jsonschema/1-0-0", "data": {"purposes": ALL}}
        contexts = {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": [consent]}
        payload = {"e": "pv", "duid": "a", "uid": "ann", "co": json.dumps(contexts)}
        with site.open() as client:
            client.post("/v1/batch", json={"batch": [message], "context": context}, headers=BROWSER)
            client.post(TRACKER, json={"data": [payload]}, headers=BROWSER | {"Tessera-Identity": token})
        events = site.events()
        assert [(event["authority"], event["user_id"]) for event in events] == [("signed", "ann")] * 2
        assert token not in str(events)

    def test_with_a_token_a_page_states_the_preferences_of_its_user_alone(self, site):
        event = CLICK | {"event_type": "preference", "user_id": "ann", "properties": {"muted": ["sport"]}}
        answers = {}
        with site.open() as client:
            for user in ("ann", "bob"):
                body = {"events": [event], "identity_token": sign(user)}
                answers[user] = client.post("/v1/events", json=body, headers=BROWSER).json()
        assert answers["ann"]["accepted"] == 1
        assert "preference with an identity token" in answers["bob"]["rejected"][0]["error"]

    def test_money_stays_bounded_and_foreign_types_stay_refused(self, site):
        events = [CLICK | {"event_type": "purchase", "user_id": "ann", "value": 1e7}]
        events += [CLICK | {"event_type": "exposure", "user_id": "ann"}]
        body = {"events": events, "identity_token": sign("ann")}
        answer = site.send("/v1/events", body, headers=BROWSER).json()
        assert [row["error"].split(":")[0] for row in answer["rejected"]] == ["value", "event_type"]

    def test_a_secret_key_needs_no_token(self, site):
        body = {"events": [CLICK | {"user_id": "ann"}], "identity_token": "x.y.z"}
        answer = site.send("/v1/events", body, headers=SECRET).json()
        assert answer == {"accepted": 1, "rejected": []}
        assert site.events()[0]["authority"] == "server"
