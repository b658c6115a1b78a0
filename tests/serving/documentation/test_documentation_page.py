"""The page /docs in Chromium: every call can be tried there, offline, with examples that work."""

import dataclasses
import datetime as dt
import re

import pytest
from access_keys import KEYS
from bundles import publish
from starlette.testclient import TestClient

from ml.events.contract import EVENT_TYPES
from ml.home import Home
from ml.settings import load_settings
from serving.application import application
from serving.documentation.openapi import openapi
from serving.documentation.operations import TASKS
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.chromium import chromium, watched_page
from tests.serving.served import served

SECONDS = 60_000
TRIED = (("Recommend", "recommend"), ("Send events", "send_events"), ("People", "describe_person"))


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documented")
    home = Home(folder / "home")
    publish(home.published)
    config = ServiceConfig(home=home, settings=load_settings(), bundled=folder / "no-bento")
    with served(application(Tessera(config, seed=1))) as address:
        yield address


def test_a_reader_tries_calls_with_the_examples_of_the_page(browser, url):
    with watched_page(browser, viewport={"width": 1200, "height": 900}) as (page, requested, errors):
        page.goto(f"{url}/docs")
        page.wait_for_selector(".opblock-tag", timeout=SECONDS)
        assert [tag.get_attribute("data-tag") for tag in page.query_selector_all(".opblock-tag")] == list(TASKS)
        for task, name in TRIED:
            block = page.locator(f"#operations-{task.replace(' ', '_')}-{name}")
            block.locator(".opblock-summary-control").click()
            block.locator("button.execute").click()
            block.locator(".live-responses-table .response-col_status").first.wait_for(timeout=SECONDS)
            status = block.locator(".live-responses-table .response-col_status").last.inner_text()
            assert re.match(r"20[02]\b", status), (name, status)
        assert not errors
        assert {address.split("/", 3)[2] for address in requested if not address.startswith("data:")} == {
            url.removeprefix("http://")
        }


def test_the_page_names_every_event_type_with_the_unit_of_its_value(browser, url):
    with watched_page(browser) as (page, _, _):
        page.goto(f"{url}/docs")
        table = page.locator("#operations-tag-Send_events table")
        table.wait_for(timeout=SECONDS)
        rows = dict(row.split("\t")[:2] for row in table.inner_text().splitlines()[1:])
    assert rows["page_ping"] == "seconds"
    assert rows["hover"] == "milliseconds"
    assert rows["purchase"].startswith("amount")
    assert rows["page_view"] == "not used"
    assert set(rows) == set(EVENT_TYPES) - {"erased", "served"} | {"custom:<name>"}


def test_the_own_calls_come_before_those_of_other_trackers():
    paths = list(openapi()["paths"])
    assert paths[0] == "/v1/recommendations"
    foreign = {"/i", "/com.snowplowanalytics.snowplow/tp2", "/v1/batch", "/v1/track"}
    first = min(paths.index(path) for path in foreign)
    assert paths.index("/v1/events") < first
    assert paths.index("/v1/users/{user_id}") < first


def test_every_answer_and_every_error_has_a_schema():
    for path, operations in openapi()["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                assert answer["content"], (path, method, status)
                assert all(media["schema"] for media in answer["content"].values())
                assert len(answer["description"]) > 5


def test_a_service_with_keys_names_no_person_in_its_description(tmp_path):
    home = Home(tmp_path / "home")
    publish(home.published)
    config = ServiceConfig(home=home, settings=load_settings(), bundled=tmp_path / "no-bento")
    with TestClient(application(Tessera(config))) as client:
        assert "ann" in str(client.get("/openapi.json").json()["paths"]["/v1/recommendations"])
    with TestClient(application(Tessera(dataclasses.replace(config, keys=KEYS)))) as client:
        examples = client.get("/openapi.json").json()["paths"]["/v1/recommendations"]["post"]["requestBody"]
        assert "ann" not in str(examples["content"]["application/json"]["examples"])


def test_the_examples_of_trackers_become_events(tmp_path):
    home = Home(tmp_path / "home")
    publish(home.published)
    config = ServiceConfig(home=home, settings=load_settings(), bundled=tmp_path / "no-bento")
    with TestClient(application(Tessera(config))) as client:
        posted, fetched = {}, {}
        for path, operations in client.get("/openapi.json").json()["paths"].items():
            for method, operation in operations.items():
                if operation["tags"][0] not in ("Segment libraries", "Snowplow trackers"):
                    continue
                if method == "get":
                    query = {given["name"]: given["example"] for given in operation["parameters"]}
                    fetched[path] = client.get(path, params=query).status_code
                else:
                    (example,) = operation["requestBody"]["content"]["application/json"]["examples"].values()
                    posted[path] = client.post(path, json=example["value"]).json()
    assert {path for path, answer in posted.items() if answer.get("rejected")} == set()
    assert posted["/v1/batch"]["accepted"] == 2
    assert set(fetched.values()) == {200}


def test_the_example_of_an_assignment_is_an_experiment_that_runs(tmp_path):
    home = Home(tmp_path / "home")
    publish(home.published)
    today = dt.datetime.now(dt.UTC).date()
    trial = (
        "{{hypothesis: more clicks, unit: user, primary_metric: clicks_per_user, minimum_detectable_effect: 0.05, "
        "variants: {{control: {{share: 0.5}}, new: {{share: 0.5}}}}, "
        "starts_at: {0}T00:00:00Z, ends_at: {1}T00:00:00Z}}"
    )
    days = {"a-planned": (50, 80), "b-running": (-20, 20), "c-ended": (-80, -50)}
    lines = [
        f"  {name}: {trial.format(*(today + dt.timedelta(days=day) for day in span))}"
        for name, span in days.items()
    ]
    (home.path / "experiments.yaml").write_text("\n".join(["version: 1", "experiments:", *lines]))
    config = ServiceConfig(home=home, settings=load_settings(), bundled=tmp_path / "no-bento")
    with TestClient(application(Tessera(config))) as client:
        described = client.get("/openapi.json").json()["paths"]["/v1/experiments/{experiment_id}/assignment"][
            "get"
        ]
        names = {parameter["name"]: parameter.get("example") for parameter in described["parameters"]}
        assert names["experiment_id"] == "b-running"
        assigned = client.get("/v1/experiments/b-running/assignment", params={"user_id": names["user_id"]})
        assert assigned.json()["variant"] in ("control", "new")
