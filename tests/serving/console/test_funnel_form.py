"""Funnels that are tried and written on the page Behaviour; the visits are those of `console_bundle`."""

import re
from html import unescape

import pyarrow as pa
import pytest
import yaml
from starlette.testclient import TestClient

from ml.bundle import current_version
from ml.bundle.user_removal import remove_users
from ml.console.published import PublishedTables
from ml.console.visit_steps import VisitSteps
from ml.settings import load_site_settings
from serving.application import application
from serving.tessera import Tessera
from tests.serving.console.console_bundle import SCRIPT, publish_site, publish_with_console
from tests.serving.console.console_reader import ADDRESS, form_token, hidden_fields, send, sign_in_as

SITE = "# Ours.\nwarehouse:\n  site_timezone: Europe/Berlin  # where we are\n"
BUYERS = {"name": "buyers", "step1": "page_view@/start", "step2": "purchase", "per": "session", "hours": "24"}


@pytest.fixture
def site(home, tmp_path, config):
    return publish_site(home, tmp_path, config, SITE)


@pytest.fixture
def reader(site):
    with TestClient(application(Tessera(site, seed=1)), **ADDRESS) as client:
        yield lambda role="editor": sign_in_as(client, site.home, role)


def tried(page):
    """The counted steps of a page: name, entered, per cent of the first, lost."""
    section = re.search(r"<section[^>]*title-tried.*?</section>", page, re.DOTALL)[0]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", section, re.DOTALL)
    return [tuple(unescape(cell) for cell in cells[place : place + 4]) for place in range(0, len(cells), 5)]


START = ("Page view of /start", "2", "100.0", "–")


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, [START, ("Purchase", "1", "50.0", "1")]),
        ({"per": "user"}, [START, ("Purchase", "2", "100.0", "0")]),
        ({"per": "user", "hours": "1"}, [START, ("Purchase", "1", "50.0", "1")]),
        ({"step1": "page_view", "step2": ""}, [("Page view", "3", "100.0", "–")]),
        ({"step2": f"click#{SCRIPT}"}, [START, (f"Click on {SCRIPT}", "1", "50.0", "1")]),
    ],
)
def test_the_counts_appear_as_steps_are_written(reader, fields, counts):
    page = reader("viewer").get("/console/behaviour/part/funnel", params=BUYERS | fields).text
    assert tried(page) == counts
    assert "<script>" not in page


def test_steps_of_the_site_are_offered(reader):
    page = reader().get("/console/behaviour").text
    offered = [unescape(value) for value in re.findall(r'<option value="([^"]*)"></option>', page)]
    assert {"page_view", "purchase", "page_view@/start", f"click#{SCRIPT}"} <= set(offered)
    assert "<script>" not in page


def test_a_funnel_is_shown_then_written_beside_those_in_force(reader, site):
    client, file = reader(), site.home.site / "settings.yaml"
    before = load_site_settings(site.home).settings.warehouse.funnels
    shown = send(client, "behaviour", "propose", **BUYERS).text
    line = "buyers: {per: session, window_hours: 24, steps: [page_view@/start, purchase]}"
    assert f"+    {line}" in unescape(shown)
    assert tried(shown)[1] == ("Purchase", "1", "50.0", "1")
    assert file.read_text() == SITE
    written = send(client, "behaviour", "apply", **hidden_fields(shown))
    assert written.headers["location"] == "/console/settings?word=warehouse.funnels"
    text = file.read_text()
    assert "# where we are" in text
    assert yaml.safe_load(text)["warehouse"]["site_timezone"] == "Europe/Berlin"
    after = load_site_settings(site.home).settings.warehouse.funnels
    assert list(after) == [*before, "buyers"]
    assert {name: after[name] for name in before} == before
    assert after["buyers"].steps == ["page_view@/start", "purchase"]
    assert "buyers" in client.get(written.headers["location"]).text
    again = send(client, "behaviour", "propose", **BUYERS | {"name": "others", "step2": "custom:paid"}).text
    send(client, "behaviour", "apply", **hidden_fields(again))
    assert set(load_site_settings(site.home).settings.warehouse.funnels) == {*before, "buyers", "others"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"step2": "purchsae"}, "step 2: there is no event type 'purchsae'; did you mean purchase?"),
        ({"step2": "bought"}, "write custom:bought for one of your own"),
        ({"step2": "page_view@/start"}, "step 2: page_view@/start stands there already"),
        ({"step2": "click#it's"}, 'step 2: "click#it\'s" is no step'),
        ({"hours": "0"}, "write a whole number from 1 to 8760"),
        ({"hours": "²"}, "write a whole number"),
        ({"per": "device"}, "it may be session, user"),
    ],
)
def test_what_is_wrong_is_said_in_its_place(reader, site, changed, said):
    client = reader()
    assert said in unescape(client.get("/console/behaviour/part/funnel", params=BUYERS | changed).text)
    refused = send(client, "behaviour", "propose", **BUYERS | changed)
    assert refused.status_code == 422
    assert said in unescape(refused.text)
    assert (site.home.site / "settings.yaml").read_text() == SITE


def test_after_an_erasure_nobodys_actions_are_left_to_count(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables", parts={"users": pa.table({"user_id": ["ann", "bob"]})})
    version = current_version(home.published)
    assert VisitSteps.of_tables(PublishedTables(home.published / version)).visits == 4
    new = remove_users(home.published, version, ["ann"])
    assert current_version(home.published) == new != version
    with TestClient(application(Tessera(config, seed=1)), **ADDRESS) as client:
        sign_in_as(client, home, "editor")
        page = client.get("/console/behaviour")
        assert page.status_code == 200
        assert "Make a funnel" not in page.text
        counted = client.get("/console/behaviour/part/funnel", params=BUYERS).text
        assert "no visit is published action by action" in counted


def test_a_page_that_nobody_viewed_is_named(reader):
    client = reader()
    fields = BUYERS | {"step2": "page_view@<script>"}
    page = client.get("/console/behaviour/part/funnel", params=fields).text
    assert "no page '<script>' is published" in unescape(page)
    assert "<script>" not in page


@pytest.mark.parametrize("changed", [{"name": "Two Words"}, {"name": ""}, {"step2": ""}])
def test_what_cannot_be_a_funnel_is_not_written(reader, site, changed):
    refused = send(reader(), "behaviour", "propose", **BUYERS | changed)
    assert refused.status_code == 422
    assert (site.home.site / "settings.yaml").read_text() == SITE


@pytest.mark.parametrize("role", ["viewer", "privacy-officer"])
def test_nobody_but_an_editor_keeps_a_funnel(reader, site, role):
    client = reader(role)
    page = client.get("/console/behaviour").text
    assert "Try a funnel" in page
    assert "Make a funnel" not in page
    token = form_token(page)
    assert tried(send(client, "behaviour", "try", token, **BUYERS).text)[0][1] == "2"
    for action in ("propose", "apply"):
        assert send(client, "behaviour", action, token, **BUYERS).status_code == 403
    assert (site.home.site / "settings.yaml").read_text() == SITE
