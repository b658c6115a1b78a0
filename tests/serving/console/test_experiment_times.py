"""Experiments that an editor starts and stops on the page Experiments."""

import datetime as dt
import json
from html import unescape

import pytest
from starlette.testclient import TestClient

from ml.experiments.definition.definitions_file import load_experiments
from ml.keys.key_file import KeyFile
from serving.application import application
from serving.tessera import Tessera
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.console.console_reader import ADDRESS, form_token, hidden_fields, send, sign_in_as

NOW = dt.datetime(2026, 6, 10, 12, 30, 15, tzinfo=dt.UTC)
EXPERIMENTS = """# Ours.
version: 1
experiments:
  hero:  # the first one
    hypothesis: A shorter hero brings more clicks.
    unit: anonymous
    variants:
      control: {share: 0.5}
      short: {share: 0.5, payload: {content: short}}
    slots: [hero]
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: 2026-06-01T00:00:00Z
    ends_at: 2026-07-01T00:00:00Z  # a month
  later:
    hypothesis: A longer list brings more clicks.
    unit: user
    variants: {control: {share: 0.5}, long: {share: 0.5}}
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: "2026-08-01T00:00:00+02:00"
    ends_at: 2026-08-15T00:00:00Z
    ramp:
      - {from: 2026-07-31T22:00:00Z, traffic: 0.1}  # carefully
      - {from: 2026-08-03T00:00:00Z, traffic: 1.0}
"""


@pytest.fixture
def reader(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    (home.path / "experiments.yaml").write_text(EXPERIMENTS)
    secret = KeyFile(home).create("secret")[1]
    with TestClient(application(Tessera(config, clock=lambda: NOW, seed=1)), **ADDRESS) as client:
        client.secret = {"Authorization": f"Bearer {secret}"}
        yield lambda role="editor": sign_in_as(client, home, role)


def file_of(home):
    return home.path / "experiments.yaml"


def variant_of(client):
    answer = client.get("/v1/experiments/hero/assignment", params={"anonymous_id": "b"}, headers=client.secret)
    return answer.json()["variant"]


def test_a_running_experiment_is_stopped_and_its_results_stay(reader, home):
    client = reader()
    assert variant_of(client) in ("control", "short")
    shown = send(client, "experiments", "propose", step="stop", experiment="hero", at="").text
    assert "+    ends_at: 2026-06-10T12:30:00Z  # a month" in unescape(shown)
    assert file_of(home).read_text() == EXPERIMENTS
    written = send(client, "experiments", "apply", **hidden_fields(shown))
    assert written.headers["location"] == "/console/experiments"
    assert file_of(home).read_text() == EXPERIMENTS.replace("2026-07-01T00:00:00Z", "2026-06-10T12:30:00Z")
    assert variant_of(client) is None
    page = client.get("/console/experiments").text
    assert '<td class="text">ended</td>' in page
    assert "Stop an experiment" not in page
    line = json.loads((home.path / "console" / "changes.jsonl").read_text())
    assert (line["reader"], line["name"], line["at"]) == ("editor", "hero", NOW.isoformat())
    assert line["before"] == "2026-06-01 00:00 to 2026-07-01 00:00"
    assert line["after"] == "2026-06-01 00:00 to 2026-06-10 12:30"
    assert "2026-06-01 00:00 to 2026-06-10 12:30" in page


def test_a_planned_experiment_starts_now_and_keeps_its_length_and_ramp(reader, home):
    client = reader()
    shown = send(client, "experiments", "propose", step="start", experiment="later", at="")
    send(client, "experiments", "apply", **hidden_fields(shown.text))
    later = load_experiments(file_of(home)).experiments["later"]
    start = NOW.replace(second=0)
    assert (later.starts_at, later.ends_at) == (start, start + dt.timedelta(days=14, hours=2))
    assert [(step.starts_at, step.traffic) for step in later.ramp] == [
        (start, 0.1), (start + dt.timedelta(days=2, hours=2), 1.0),
    ]  # fmt: skip
    text = file_of(home).read_text()
    assert "# carefully" in text
    assert len(text.splitlines()) == len(EXPERIMENTS.splitlines())


def test_an_experiment_can_end_earlier_than_planned_at_a_later_time(reader, home):
    client = reader()
    fields = {"step": "stop", "experiment": "hero", "at": "2026-06-20 18:00"}
    shown = send(client, "experiments", "propose", **fields)
    send(client, "experiments", "apply", **hidden_fields(shown.text))
    ends_at = load_experiments(file_of(home)).experiments["hero"].ends_at
    assert ends_at == dt.datetime(2026, 6, 20, 18, tzinfo=dt.UTC)
    assert variant_of(client) is not None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"experiment": "<script>"}, "there is no experiment '<script>'"),
        ({"experiment": "later"}, "later is not running"),
        ({"step": "start"}, "hero has started already"),
        ({"step": "pause"}, "may be start or stop"),
        ({"at": "2026-07-02 00:00"}, "after its start and before its planned end"),
        ({"at": "2026-06-09 00:00"}, "cannot start or stop in the past"),
        ({"at": "soon"}, "write a time such as"),
    ],
)
def test_what_cannot_be_started_or_stopped_is_refused(reader, home, changed, said):
    fields = {"step": "stop", "experiment": "hero", "at": ""} | changed
    client = reader()
    for action in ("propose", "apply"):
        refused = send(client, "experiments", action, **fields)
        assert refused.status_code == 422
        assert said in unescape(refused.text)
        assert "<script>'" not in refused.text
    assert file_of(home).read_text() == EXPERIMENTS


def test_a_start_that_the_rules_between_experiments_forbid_is_refused_with_its_line(reader, home):
    text = EXPERIMENTS.replace("long: {share: 0.5}", "long: {share: 0.5, payload: {content: long}}")
    file_of(home).write_text(text)
    refused = send(reader(), "experiments", "propose", step="start", experiment="later", at="")
    assert refused.status_code == 422
    assert "changes the content in the same slots and at the same time as hero" in unescape(refused.text)


def test_times_that_stand_elsewhere_are_not_moved(reader, home):
    text = EXPERIMENTS.replace("ends_at: 2026-07-01T00:00:00Z", "<<: {ends_at: 2026-07-01T00:00:00Z}")
    file_of(home).write_text(text)
    refused = send(reader(), "experiments", "propose", step="stop", experiment="hero", at="")
    assert refused.status_code == 422
    assert "change it in the file by hand" in unescape(refused.text)


def test_a_file_that_somebody_changed_meanwhile_is_not_overwritten(reader, home):
    client = reader()
    shown = send(client, "experiments", "propose", step="stop", experiment="hero", at="")
    changed = EXPERIMENTS.replace("a month", "four weeks")
    file_of(home).write_text(changed)
    assert send(client, "experiments", "apply", **hidden_fields(shown.text)).status_code == 409
    assert file_of(home).read_text() == changed


@pytest.mark.parametrize("role", ["viewer", "privacy-officer"])
def test_nobody_but_an_editor_starts_or_stops(reader, home, role):
    client = reader(role)
    page = client.get("/console/experiments").text
    assert "Stop an experiment" not in page
    fields = {"csrf_token": form_token(page), "step": "stop", "experiment": "hero", "at": ""}
    for action in ("propose", "apply"):
        assert client.post(f"/console/experiments/{action}", data=fields).status_code == 403
    forged = fields | {"csrf_token": "x"}
    assert client.post("/console/experiments/propose", data=forged).status_code == 403
    assert file_of(home).read_text() == EXPERIMENTS
