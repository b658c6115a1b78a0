"""Rules that an editor writes on the page Decisions."""

from html import unescape

import pytest
import yaml
from starlette.testclient import TestClient

from ml.keys.key_file import KeyFile
from serving.application import application
from serving.tessera import Tessera
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.console.console_reader import ADDRESS, form_token, hidden_fields, send, sign_in_as

RULES = "# Ours.\nrules:\n  - id: usual\n    slots: [hero]\n    then: {content: welcome}  # for all\n"
USUAL = {
    "id": "phones",
    "when": 'device_type == "mobile"',
    "slot": "hero",
    "effect": "content",
    "what": "short",
    "priority": "10",
}


@pytest.fixture
def reader(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    (home.path / "rules.yaml").write_text(RULES)
    secret = KeyFile(home).create("secret")[1]
    with TestClient(application(Tessera(config, seed=1)), **ADDRESS) as client:
        client.secret = {"Authorization": f"Bearer {secret}"}
        yield lambda role="editor": sign_in_as(client, home, role)


def decide(client, device):
    body = {"slot": "hero", "anonymous_id": "b", "context": {"device_type": device}}
    return client.post("/v1/decisions", json=body, headers=client.secret).json()


def test_a_rule_is_shown_then_written_and_counts_at_once(reader, home):
    client, file = reader(), home.path / "rules.yaml"
    assert decide(client, "mobile")["actions"]["content"] == "welcome"
    shown = send(client, "decisions", "propose", **USUAL)
    assert "+  - id: phones" in unescape(shown.text)
    assert file.read_text() == RULES
    assert send(client, "decisions", "apply", **hidden_fields(shown.text)).status_code == 303
    assert file.read_text().startswith(RULES)
    assert yaml.safe_load(file.read_text())["rules"][1] == {
        "id": "phones",
        "slots": ["hero"],
        "when": USUAL["when"],
        "priority": 10,
        "then": {"content": "short"},
    }
    assert decide(client, "mobile")["actions"]["content"] == "short"
    assert decide(client, "desktop")["actions"]["content"] == "welcome"
    assert "show the content short" in client.get("/console/decisions").text


@pytest.mark.parametrize(
    ("effect", "strength", "boost"),
    [
        ("raise_topic", "1.5", {"topic": "short", "by": 1.5}),
        ("lower_topic", "5", {"topic": "short", "by": -5.0}),
        ("lower_item", "0.5", {"item": "short", "by": -0.5}),
    ],
)
def test_topics_and_items_are_raised_and_lowered(reader, home, effect, strength, boost):
    client = reader()
    shown = send(client, "decisions", "propose", **USUAL | {"effect": effect, "strength": strength, "slot": ""})
    send(client, "decisions", "apply", **hidden_fields(shown.text))
    assert yaml.safe_load((home.path / "rules.yaml").read_text())["rules"][1]["then"] == {"boost": [boost]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": "usual"}, "stands here again"),
        ({"id": "Two Words"}, "id"),
        ({"when": "device == 1"}, "unknown name 'device'"),
        ({"hours": "late"}, "is not a span"),
        ({"what": ""}, "say which"),
        ({"effect": "explode"}, "it may be"),
        ({"priority": "nan"}, "not a number"),
        ({"effect": "raise_topic", "strength": "9"}, "less than or equal to 5"),
    ],
)
def test_what_cannot_be_a_rule_is_refused(reader, home, changed, said):
    refused = send(reader(), "decisions", "propose", **USUAL | changed)
    assert refused.status_code == 422
    assert said in unescape(refused.text)
    assert (home.path / "rules.yaml").read_text() == RULES


def test_a_condition_is_checked_as_one_writes(reader):
    client = reader()
    check = "/console/decisions/part/condition"
    assert "unknown name 'devise'" in unescape(client.get(check, params={"when": "devise == 1"}).text)
    assert "role=" not in client.get(check, params={"when": USUAL["when"]}).text.replace('role="region"', "")


@pytest.mark.parametrize("role", ["viewer", "privacy-officer"])
def test_nobody_but_an_editor_writes_a_rule(reader, home, role):
    client = reader(role)
    page = client.get("/console/decisions").text
    assert "Write a rule" not in page
    token = form_token(page)
    for action in ("propose", "apply"):
        answer = client.post(f"/console/decisions/{action}", data={"csrf_token": token, **USUAL})
        assert answer.status_code == 403
    assert (home.path / "rules.yaml").read_text() == RULES
