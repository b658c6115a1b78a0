import datetime as dt
import json
import stat

import pytest

from ml.privacy.pseudonyms import Pseudonyms
from serving.collector.privacy.device_context import coarsen_device_context
from serving.collector.routes import WITHHELD
from tests.serving.collector.collecting import CHROME, Site, settings_with

PERSON = {"event_type": "click", "user_id": "u", "anonymous_id": "a"}
ALL = ["analytics", "personalization", "location"]


def kept(tmp_path, event, headers=None, **privacy):
    site = Site(tmp_path / "home", settings_with(privacy=privacy))
    answer = site.send("/v1/events", {"events": [event]}, headers=headers or {})
    events = site.events()
    return answer.json(), (events[0] if events else None), site


def test_without_analytics_nothing_is_kept_but_a_count(tmp_path):
    answer, event, site = kept(tmp_path, PERSON | {"consent": ["personalization"], "properties": {"x": "secret"}})
    assert answer == {"accepted": 0, "rejected": [], "withheld": 1, "warnings": [WITHHELD]}
    assert event is None
    (line,) = (site.path / "withheld_totals.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)) == ["date", "event_type", "events"]
    assert not any(b"secret" in file.read_bytes() for file in site.path.rglob("*") if file.is_file())


def test_without_personalization_no_known_user_is_in_the_log(tmp_path):
    _, event, _ = kept(tmp_path, PERSON | {"consent": ["analytics"]})
    assert "user_id" not in event
    assert (event["anonymous_id"], event["consent"]) == ("a", ["analytics"])


def test_a_user_without_anonymous_id_gets_one_for_the_day(tmp_path):
    _, event, _ = kept(tmp_path, {"event_type": "click", "user_id": "u", "consent": ["analytics"]})
    assert "user_id" not in event
    assert event["anonymous_id"].startswith("h:")


def test_without_personalization_nobody_is_identified(tmp_path):
    answer, event, _ = kept(tmp_path, PERSON | {"event_type": "identify", "consent": ["analytics"]})
    assert (answer["withheld"], event) == (1, None)


def test_a_withdrawal_reaches_the_log_with_the_person_it_is_of(tmp_path):
    _, event, _ = kept(tmp_path, PERSON | {"event_type": "consent_withdrawn", "consent": []})
    assert (event["user_id"], event["consent"]) == ("u", [])


def test_without_location_no_place_finer_than_the_country_is_kept(tmp_path):
    place = {"country": "DE", "region": "DE-BE", "city": "Berlin", "latitude": 52.5, "longitude": 13.4}
    _, event, _ = kept(tmp_path, PERSON | place | {"consent": ["analytics", "personalization"]})
    assert event["country"] == "DE"
    assert not {"region", "city"} & set(event)
    assert "latitude" not in event.get("properties", {})


def test_a_granted_position_is_kept_rounded(tmp_path):
    _, event, _ = kept(tmp_path, PERSON | {"latitude": 52.5163, "longitude": 13.3777, "consent": ALL})
    assert event["properties"] == {"latitude": 52.5, "longitude": 13.4}
    assert (event["timezone"], event["country"]) == ("Europe/Berlin", "DE")


@pytest.mark.parametrize(
    ("rule", "consent"), [("ignore", ALL), ("no_personalization", ["analytics"]), ("no_analytics", None)]
)
@pytest.mark.parametrize(("header", "knob"), [("Sec-GPC", "global_privacy_control"), ("DNT", "do_not_track")])
def test_signals_of_the_browser_are_honoured_by_setting(tmp_path, header, knob, rule, consent):
    _, event, _ = kept(tmp_path, PERSON, {header: "1"}, **{knob: rule})
    assert (event and event["consent"]) == consent


def test_an_unknown_purpose_is_an_error(tmp_path):
    answer, _, _ = kept(tmp_path, PERSON | {"consent": ["analytics", "everything"]})
    assert "consent" in answer["rejected"][0]["error"]


def test_personal_data_is_hashed_with_the_key_of_the_site(tmp_path):
    event = PERSON | {
        "page_url": "https://shop.example/?mail=ann%40shop.example",
        "properties": {
            "email": "Ann@shop.example",
            "form": {"phone_number": "+44 1"},
            "note": "write to ann@shop.example",
        },
    }
    _, found, site = kept(tmp_path, event)
    pseudonym = Pseudonyms(site.path).pseudonymize("ann@shop.example")
    properties = found["properties"]
    assert properties["email"] == pseudonym
    assert properties["note"] == f"write to {pseudonym}"
    assert properties["form"]["phone_number"].startswith("h:")
    assert found["page_url"] == f"https://shop.example/?mail={pseudonym}"
    assert Pseudonyms(tmp_path / "elsewhere").pseudonymize("ann@shop.example") != pseudonym
    assert stat.S_IMODE((site.path / "site.key").stat().st_mode) == 0o600


def test_a_pseudonym_is_never_hashed_twice(tmp_path):
    pseudonyms = Pseudonyms(tmp_path)
    once = pseudonyms.pseudonymize("ann@shop.example")
    assert pseudonyms.pseudonymize(once) == once
    _, event, _ = kept(tmp_path, PERSON | {"properties": {"email": once}})
    assert event["properties"]["email"] == once


def test_an_e_mail_address_as_user_id_becomes_a_pseudonym(tmp_path):
    _, event, site = kept(tmp_path, PERSON | {"user_id": "ann@shop.example"})
    assert event["user_id"] == Pseudonyms(site.path).pseudonymize("ann@shop.example")


def test_personal_data_is_dropped_or_refused_by_rule(tmp_path):
    event = PERSON | {"properties": {"email": "ann@shop.example", "first_name": "Ann", "plan": "pro"}}
    _, dropped, _ = kept(tmp_path, event, email="drop")
    assert dropped["properties"] == {"plan": "pro"}
    answer, _, site = kept(tmp_path / "other", event, email="refuse")
    assert answer["rejected"] == [{"index": 0, "error": "email: holds an e-mail address, which this site refuses"}]
    (letter,) = site.letters()
    assert (letter["field"], letter["payload"]) == ("email", "")


def test_dead_letters_hold_no_personal_data_either(tmp_path):
    _, _, site = kept(tmp_path, PERSON | {"event_type": "nope", "properties": {"email": "ann@shop.example"}})
    assert "ann@" not in str(site.letters())


def test_the_address_is_dropped_truncated_or_kept_by_rule(tmp_path):
    for rule, expected in (("drop", None), ("truncate", "200.147.3.0"), ("keep", "200.147.3.157")):
        event = PERSON | {"address": "200.147.3.157", "properties": {"x": 1}}
        _, found, _ = kept(tmp_path / rule, event, address=rule)
        assert found["properties"].get("ip") == expected
        assert found["country"] == "BR"


def test_cookieless_ids_hold_for_a_day_and_a_browser(tmp_path):
    event = {"event_type": "click", "session_id": "s", "user_agent": CHROME, "address": "200.147.3.157"}
    site = Site(tmp_path / "home", settings_with(privacy={"cookieless": "always"}))
    with site.open() as client:
        events = [event, event | {"anonymous_id": "a"}, event | {"user_agent": CHROME + " x"}]
        client.post("/v1/events", json={"events": events})
    ids = {}
    for found in site.events():
        ids.setdefault(found["anonymous_id"], []).append(found)
        assert not {"user_id", "session_id"} & set(found)
    assert sorted(len(group) for group in ids.values()) == [1, 2]


def test_an_id_of_a_day_is_another_the_next_day(tmp_path):
    pseudonyms = Pseudonyms(tmp_path)
    monday = dt.date(2024, 1, 1)
    first = pseudonyms.visitor_id(monday, "8.8.8.0", CHROME)
    assert pseudonyms.visitor_id(monday, "8.8.8.0", CHROME) == first
    assert pseudonyms.visitor_id(dt.date(2024, 1, 2), "8.8.8.0", CHROME) != first


def test_without_cookieless_mode_an_event_needs_somebody(tmp_path):
    answer, _, _ = kept(tmp_path, {"event_type": "click"})
    assert answer["rejected"][0]["error"].startswith("user_id")


def test_sensors_are_kept_as_words_and_only_with_consent(tmp_path):
    sensors = {"orientation": 80, "battery_level": 0.137, "acceleration": 0.2, "gyroscope": [1, 2, 3]}
    assert coarsen_device_context(sensors) == {"orientation": "landscape", "battery": "low", "motion": "still"}
    event = PERSON | {"properties": {"device_context": sensors}}
    _, event_with, _ = kept(tmp_path / "1", event | {"consent": ALL})
    _, event_without, _ = kept(tmp_path / "2", event | {"consent": ["analytics"]})
    assert event_with["properties"]["device_context"]["battery"] == "low"
    assert "device_context" not in event_without.get("properties", {})
