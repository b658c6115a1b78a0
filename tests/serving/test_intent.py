"""The intent of the visit that runs: in decisions and descriptions, for those who consent, and for nobody else."""

import datetime as dt

import numpy as np
import pytest
from bundles import AS_OF, publish
from starlette.testclient import TestClient

from ml.sequences.actions import find_signals
from ml.sequences.intent.examples import build_examples
from ml.sequences.intent.model import study_intent
from serving.application import application
from serving.tessera import Tessera
from tests.ml.sequences.intent.site_of_visits import draw_visits

NOW = AS_OF + dt.timedelta(minutes=5)
RULES = """
rules:
  - id: rescue
    slots: [hero]
    when: intent.convert > 0.3
    then: {offer: free-delivery}
"""


@pytest.fixture(scope="session")
def intent_folder(tmp_path_factory):
    actions, _ = draw_visits(2000, 1)
    examples = build_examples(actions, find_signals(actions, 5), lambda item: True, "purchase")
    folder = tmp_path_factory.mktemp("intent") / "intent"
    study_intent(examples, "purchase", 1).model.save(folder)
    return folder


@pytest.fixture
def client(config, home, intent_folder):
    publish(home.published, files={"intent": intent_folder})
    (home.path / "rules.yaml").write_text(RULES)
    tessera = Tessera(config, clock=lambda: NOW, seed=1)
    with TestClient(application(tessera), raise_server_exceptions=False) as client:
        yield client


def act(client, user, *kinds, **fields):
    events = [
        {
            "event_type": kind,
            "user_id": user,
            "item_id": "i1",
            "occurred_at": (AS_OF + dt.timedelta(seconds=10 * place)).isoformat(),
            "properties": {"element": element} if element else {},
            **({"value": 50.0} if kind == "scroll" else {}),
            **fields,
        }
        for place, (kind, element) in enumerate(kinds)
    ]
    reply = client.post("/v1/events", json={"events": events})
    assert reply.json()["accepted"] == len(events), reply.text


def offer(client, user):
    return client.post("/v1/decisions", json={"user_id": user, "slot": "hero"}).json()["actions"].get("offer")


PLAN = (("page_view", None), ("click", "plan"), ("scroll", None))
OTHER = (("page_view", None), ("scroll", None), ("scroll", None))


def test_a_rule_acts_on_the_intent_of_the_running_visit(client):
    act(client, "ann", *PLAN)
    act(client, "bob", *OTHER)
    assert (offer(client, "ann"), offer(client, "bob"), offer(client, "nobody")) == ("free-delivery", None, None)


def test_a_description_tells_the_chances(client):
    act(client, "ann", *PLAN)
    told = client.get("/v1/users/ann").json()["intent"]
    assert told["convert"] == pytest.approx(0.6, abs=0.12)
    assert client.get("/v1/users/bob").json()["intent"] == {}  # no visit runs


def test_each_action_changes_the_chances_and_a_conversion_ends_them(client):
    act(client, "ann", *PLAN[:1])
    before = client.get("/v1/users/ann").json()["intent"]["convert"]
    act(client, "ann", ("click", "plan"))
    assert client.get("/v1/users/ann").json()["intent"]["convert"] > before
    act(client, "ann", ("purchase", None), value=3.0)
    assert "convert" not in client.get("/v1/users/ann").json()["intent"]


def test_of_somebody_who_does_not_consent_nothing_is_told(client):
    act(client, "ann", *PLAN)
    client.put("/v1/users/ann/preferences", json={"opt_out": True})
    assert offer(client, "ann") is None
    assert client.get("/v1/users/ann").json()["intent"] == {}


def test_an_erased_person_has_no_running_visit(client):
    act(client, "ann", *PLAN)
    assert client.delete("/v1/users/ann").status_code == 202
    assert offer(client, "ann") is None


def test_a_bundle_with_a_chance_that_is_no_number_is_refused(config, home, intent_folder, tmp_path):
    damaged = tmp_path / "intent"
    damaged.mkdir()
    (damaged / "intent.json").write_bytes((intent_folder / "intent.json").read_bytes())
    arrays = dict(np.load(intent_folder / "trees.npz"))
    arrays["convert.value"] = np.full_like(arrays["convert.value"], np.nan)
    np.savez(damaged / "trees.npz", **arrays)
    publish(home.published, files={"intent": damaged})
    tessera = Tessera(config, clock=lambda: NOW)
    with TestClient(application(tessera)):
        assert tessera.champion.bundle_version is None
