"""Who asks for an assignment sees the variant, so the service logs the exposure, once a unit."""

import dataclasses
import json

import pytest
from access_keys import BROWSER, KEYS
from bundles import AS_OF, publish
from identities import SECRET, sign
from starlette.testclient import TestClient

from ml.events.log import EventLog
from serving.application import application
from serving.privacy.identity_token import HEADER
from serving.tessera import Tessera

DEFINITIONS = """\
version: 1
experiments:
  trial:
    hypothesis: It brings more clicks a user
    unit: {unit}
    variants: {{control: {{share: 0.5}}, new: {{share: 0.5}}}}
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: {start}
    ends_at: 2026-04-01T00:00:00Z
    overrides: {{ann: new, bob: control}}
"""
PATH = "/v1/experiments/trial/assignment"


@pytest.fixture
def ask(config, home):
    """Ask for assignments with parameters and headers, close the service, and return the answers."""

    def run(*calls, unit="user", start="2026-03-01T00:00:00Z", opted_out=(), keys=None):
        if not home.published.exists():
            publish(home.published)
        (home.path / "experiments.yaml").write_text(DEFINITIONS.format(unit=unit, start=start))
        keyed = dataclasses.replace(config, keys=keys, identity_secrets=(SECRET,)) if keys else config
        tessera = Tessera(keyed, clock=lambda: AS_OF, seed=1)
        with TestClient(application(tessera)) as client:
            for person in opted_out:
                tessera.state.put_profile(person, {"opt_out": True}, AS_OF.timestamp())
            return [client.get(PATH, params=params, headers=headers).json() for params, headers in calls]

    return run


def exposures(home):
    rows = [row for batch in EventLog(home).read() for row in batch.to_pylist()]
    return [row for row in rows if row["event_type"] == "exposure"]


def test_the_call_is_the_exposure_once_a_unit_by_the_service(ask, home):
    answers = ask(({"user_id": "ann"}, {}), ({"user_id": "ann"}, {}), ({"user_id": "bob"}, {}))
    assert [(answer["variant"], answer["exposed"]) for answer in answers] == [
        ("new", True), ("new", True), ("control", True),
    ]  # fmt: skip
    rows = exposures(home)
    assert [(row["user_id"], row["experiment_id"], row["variant"], row["authority"]) for row in rows] == [
        ("ann", "trial", "new", "service"),
        ("bob", "trial", "control", "service"),
    ]
    assert json.loads(rows[0]["properties"]) == {"unit_type": "user", "unit_id": "ann", "segment": "athletes"}


def test_a_look_logs_nothing(ask, home):
    (answer,) = ask(({"user_id": "ann", "expose": "false"}, {}))
    assert (answer["variant"], answer["exposed"]) == ("new", False)
    assert exposures(home) == []


def test_who_is_not_shown_a_variant_is_not_exposed(ask, home):
    (out,) = ask(({"user_id": "ann"}, {}), opted_out=["ann"])
    (early,) = ask(({"user_id": "carl"}, {}), start="2026-03-20T00:00:00Z")
    assert (out["exposed"], early["variant"], early["exposed"]) == (False, None, False)
    assert exposures(home) == []


def test_a_session_needs_somebody_to_belong_to(ask, home):
    alone, with_browser = ask(
        ({"session_id": "s1"}, {}), ({"session_id": "s1", "anonymous_id": "device"}, {}), unit="session"
    )
    assert (alone["exposed"], with_browser["exposed"]) == (False, True)
    (row,) = exposures(home)
    assert (row["anonymous_id"], json.loads(row["properties"])["unit_id"]) == ("device", "s1")


def test_an_address_as_user_id_is_logged_as_its_pseudonym(ask, home):
    (answer,) = ask(({"user_id": "eve@example.org"}, {}))
    (row,) = exposures(home)
    assert answer["exposed"]
    assert "example.org" not in json.dumps(row, default=str)
    assert json.loads(row["properties"])["unit_id"] == row["user_id"]


def test_a_browser_links_no_device_to_a_user_by_asking(ask, home):
    forged, device, signed = (
        {"user_id": "ann"},
        {"anonymous_id": "device"},
        {"user_id": "ann", "anonymous_id": "device"},
    )
    token = BROWSER | {HEADER: sign("ann")}
    answers = ask((forged, BROWSER), (device, BROWSER), (signed, token), keys=KEYS)
    assert "error" in answers[0]
    assert "error" in answers[1]  # the experiment assigns by user_id
    assert answers[2]["exposed"]
    (row,) = exposures(home)
    assert (row["user_id"], row["anonymous_id"]) == ("ann", None)


def test_a_device_of_its_own_is_exposed_with_a_browser_key(ask, home):
    (answer,) = ask(({"anonymous_id": "device"}, BROWSER), unit="anonymous", keys=KEYS)
    assert answer["exposed"]
    (row,) = exposures(home)
    assert (row["anonymous_id"], row["authority"], row["variant"]) == ("device", "service", answer["variant"])
