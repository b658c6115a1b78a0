"""The page Settings: what it shows is in force, and a change is seen before it is written."""

import csv
import io
import json
import re
from html import unescape

import pytest
import yaml
from starlette.testclient import TestClient

from serving.application import application
from serving.tessera import Tessera
from tests.serving.console.console_bundle import publish_site
from tests.serving.console.console_reader import ADDRESS, form_token, hidden_fields, send, sign_in_as

SITE = "# Ours.\nports:\n  service: 8000  # the usual one\nprivacy:\n  retention_days: 400\n"


@pytest.fixture
def site(home, tmp_path, config):
    """A home with a site folder of its own."""
    return publish_site(home, tmp_path, config, SITE)


@pytest.fixture
def reader(site):
    """Signs in with a key of a role, or with a secret key."""
    with TestClient(application(Tessera(site, seed=1)), **ADDRESS) as client:
        yield lambda role=None: sign_in_as(client, site.home, role)


def table(client, query=""):
    text = client.get(f"/console/settings/settings.csv{query}").text
    return {row["Setting"]: row for row in csv.DictReader(io.StringIO(text))}


def test_every_setting_stands_there_with_value_default_and_place(reader, site):
    rows = table(reader("viewer"))
    assert len(rows) > 300
    assert {row["What it does, and why"] for row in rows.values()}.isdisjoint({""})
    assert (rows["privacy.retention_days"]["Value"], rows["privacy.retention_days"]["From"]) == (
        "400",
        "site/settings.yaml:5",
    )
    dumped = site.settings.model_dump(mode="json")
    for name, row in rows.items():
        value = dumped
        for part in name.split("."):
            value = value[part]
        text = re.sub(r"^'(?=['=+@-])", "", row["Value"])  # which keeps a spreadsheet from reading a formula
        assert yaml.safe_load(text) == value, name


def test_a_section_and_a_word_choose(reader):
    client = reader("viewer")
    ports = table(client, "?section=ports")
    assert {name.partition(".")[0] for name in ports} == {"ports"}
    assert "privacy.retention_days" in table(client, "?word=Retention")
    assert "No setting has this word" in client.get("/console/settings?word=zzz").text


def test_a_change_is_shown_then_written_and_stands_in_the_history(reader, site):
    client, file = reader(), site.home.site / "settings.yaml"
    shown = send(client, "settings", "propose", name="ports.service", value="8010").text
    assert "-  service: 8000  # the usual one" in shown
    assert "+  service: 8010  # the usual one" in shown
    assert file.read_text() == SITE
    written = send(client, "settings", "apply", **hidden_fields(shown))
    assert written.headers["location"] == "/console/settings?word=ports.service"
    assert file.read_text() == SITE.replace("8000", "8010")
    page = client.get("/console/settings").text
    assert "wait for the next start of the service: ports.service" in page
    line = json.loads((site.home.path / "console" / "changes.jsonl").read_text())
    assert (line["reader"], line["name"], line["before"], line["after"]) == (
        "engineer", "ports.service", "8000", "8010",
    )  # fmt: skip
    assert "engineer" in page


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ports.service", "0", "ports.service"),
        ("ports.servise", "1", "did you mean ports.service"),
        ("ports.service", "[", "not a YAML value"),
        ("ports.service", "8000", "the file already says so"),
        ("privacy.retention_days", "</td><script>alert(1)</script>", "a whole number"),
    ],
)
def test_what_is_not_legal_is_refused_with_its_name(reader, site, name, value, said):
    refused = send(reader(), "settings", "propose", name=name, value=value)
    assert refused.status_code == 422
    assert said in unescape(refused.text)
    assert "<script>alert" not in refused.text
    assert (site.home.site / "settings.yaml").read_text() == SITE


def test_what_was_changed_by_somebody_else_meanwhile_is_not_overwritten(reader, site):
    client, file = reader(), site.home.site / "settings.yaml"
    shown = send(client, "settings", "propose", name="ports.service", value="8010").text
    file.write_text(SITE.replace("400", "30"))
    assert send(client, "settings", "apply", **hidden_fields(shown)).status_code == 409
    assert file.read_text() == SITE.replace("400", "30")


@pytest.mark.parametrize("role", ["viewer", "editor", "privacy-officer"])
def test_nobody_but_a_secret_key_changes_settings(reader, site, role):
    client = reader(role)
    page = client.get("/console/settings").text
    assert "Change a setting" not in page
    token = form_token(client.get("/console/overview").text)
    for action in ("propose", "apply"):
        fields = {"csrf_token": token, "name": "ports.service", "value": "8010"}
        assert client.post(f"/console/settings/{action}", data=fields).status_code == 403
    assert (site.home.site / "settings.yaml").read_text() == SITE
