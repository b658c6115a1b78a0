"""The console on a small bundle: its figures, its addresses, and that every value stays text."""

import csv
import dataclasses
import datetime as dt
import io
import json
import re
from html import unescape

import pytest
from starlette.testclient import TestClient

from ml.experiments.report.results_file import FILE, ExperimentResults
from ml.home import Home
from ml.monitoring.journal import Entry, Journal
from ml.settings import load_settings
from serving.console.application import console_application
from serving.console.figures.experiments import _p_value
from serving.console.pages import PAGES
from serving.start import ServiceConfig
from tests.serving.console.console_bundle import LAST, SCRIPT, console_rows, publish_with_console

COLUMNS = ("relative_high", "missing")
LOCAL = {"base_url": "http://127.0.0.1", "client": ("127.0.0.1", 50_000)}


@pytest.fixture(scope="module")
def served_home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("console") / "home")
    publish_with_console(home, home.path.with_name("tables"))
    facts = {"since": "2026-05-30T00:00:00+00:00", "severity": "warning"}
    Journal(home).append([Entry("2026-05-31T08:00:00+00:00", "opened", "views", f"Views fell {SCRIPT}", facts)])
    write_experiment(home)
    return home


def write_experiment(home):
    """Write the results of an experiment whose split went wrong."""
    effect = dict.fromkeys(COLUMNS) | {
        "metric": "clicks_per_user", "variant": SCRIPT, "role": "primary", "units": 20, "control_value": 0.5,
        "variant_value": 0.6, "relative_effect": 0.2, "relative_low": 0.05, "corrected_p": 0.01,
    }  # fmt: skip
    results = ExperimentResults(
        "trial", SCRIPT, "2026-05-01T00:00:00+00:00", "2026-06-01T00:00:00+00:00", "2026-05-31T22:30:00+00:00",
        "clicks_per_user", "invalid", [SCRIPT], 20, 0.0001, True, [effect],
    )  # fmt: skip
    folder = home.reports / "experiments" / "trial"
    folder.mkdir(parents=True)
    (folder / FILE).write_text(json.dumps(dataclasses.asdict(results)))


@pytest.fixture(scope="module")
def client(served_home):
    config = ServiceConfig(served_home, load_settings(), bundled=served_home.path / "no-bento")
    return TestClient(console_application(config), **LOCAL)


def charts(page):
    return [json.loads(text) for text in re.findall(r"data-chart='([^']*)'", page)]


def rows(client, address):
    return list(csv.reader(io.StringIO(client.get(address).text)))


@pytest.mark.parametrize("page", PAGES)
def test_every_value_of_every_page_stays_text(client, page):
    answer = client.get(f"/console/{page}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    # The others show nothing without the service, and settings hold nothing of the site's visitors.
    if (PAGES[page].ask is None or page in ("models", "behaviour")) and page != "settings":
        assert "&lt;script&gt;" in answer.text
    assert re.findall(r"<[^>]+ style=|<[^>]+ on\w+=|javascript:", answer.text) == []
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_start_leads_to_the_overview(client):
    assert client.get("/", follow_redirects=False).headers["location"] == "/console/overview"
    assert client.get("/console").url.path == "/console/overview"


def test_the_overview_shows_the_last_whole_day_in_the_time_of_the_site(client):
    page = client.get("/console/overview").text  # events reach until 23:30 in Berlin
    assert "Sunday, 2026-05-31" in page
    assert '<dt>Visits</dt><dd class="value">3</dd>' in page
    assert '<dt>Revenue</dt><dd class="value">9.50 EUR</dd>' in page
    assert "33.3%" in page
    assert "too few people for an interval" in page
    assert "2026-05-02 00:30" in page  # the model is in use since 22:30 UTC


def test_what_moved_the_visits_is_the_change_of_each_part(client):
    address = f"/console/overview/movers.csv?from={LAST}&to={LAST}"
    parts = [f"Segment: {SCRIPT}", "Device: mobile", "Country: DE", "Source: =search"]
    assert rows(client, address)[1:] == [[part, "3", "1", "2"] for part in parts]
    assert [row[0] for row in rows(client, f"{address}&device=mobile")[1:]] == [parts[0], *parts[2:]]


def test_a_day_that_is_not_over_is_not_compared(tmp_path):
    home = Home(tmp_path / "home")
    about = console_rows()["about"][0] | {"last_event_at": dt.datetime(2026, 5, 31, 10)}
    publish_with_console(home, tmp_path / "tables", about=[about])
    config = ServiceConfig(home, load_settings(), bundled=tmp_path / "no-bento")
    page = TestClient(console_application(config), **LOCAL).get("/console/overview").text
    assert "Saturday, 2026-05-30" in page
    assert "2026-05-31 is not over: events reach until 12:00" in page


def test_each_chart_has_its_numbers_as_a_table_and_as_a_file(client):
    for name in PAGES:
        page = client.get(f"/console/{name}").text
        for section in re.findall(r"<section.*?</section>", page, re.DOTALL):
            if "data-chart" in section:
                assert "<table>" in section
                file = unescape(re.search(r'href="([^"]+\.csv[^"]*)"', section)[1])
                assert len(rows(client, file)) > 1


def test_chances_of_visits_stand_beside_what_came_of_them(client):
    listed = rows(client, "/console/models/intent-leave.csv")
    assert [row[:2] for row in listed[1:]] == [
        [day, actions] for day in ("2026-05-30", "2026-05-31") for actions in ("3", "5", "10")
    ]
    assert listed[1][2:] == ["40.0", "25.0", "'-25 to -5", "0.05", "0.04", "20.0", "40", "2026-05-30 00:30"]
    assert [row[7] for row in rows(client, "/console/models/intent-convert.csv")[1:]] == [""] * 6
    (leave,) = [
        chart
        for section in re.findall(r"<section.*?</section>", client.get("/console/models").text, re.DOTALL)
        if "Chance to leave" in section
        for chart in charts(section)
    ]
    assert leave["x"] == ["2026-05-30", "2026-05-31"]
    assert [series["values"] for series in leave["series"]] == [[40.0, 40.0], [25.0, 25.0]]
    assert "No day was judged yet" in client.get("/console/models").text  # nobody knows who returned


def test_of_two_models_of_a_day_the_one_that_answered_is_shown(tmp_path):
    home = Home(tmp_path / "home")
    row = console_rows()["intent_days"][0] | {"is_held_out": False}
    models = [
        row | {"read_until": dt.datetime(2026, 5, day), "is_held_out": is_held_out, "visits": visits}
        for day, is_held_out, visits in ((20, False, 31), (28, False, 32), (31, True, 33))
    ]
    publish_with_console(home, tmp_path / "tables", intent_days=models)
    config = ServiceConfig(home, load_settings(), bundled=tmp_path / "no-bento")
    listed = rows(TestClient(console_application(config), **LOCAL), "/console/models/intent-convert.csv")
    assert [line[8] for line in listed[1:]] == ["32"]


def test_no_text_of_a_file_is_a_formula(client):
    assert rows(client, "/console/audience/channel.csv")[1][0] == "'=search"
    assert "'=1+1" in [row[1] for row in rows(client, "/console/behaviour/pages.csv")]


def test_campaigns_are_listed_and_the_small_ones_stand_last(client):
    campaigns = rows(client, "/console/audience/campaigns.csv")
    assert campaigns[0][:4] == ["Campaign", "Source", "Visits", "Page views"]
    assert [row[:4] for row in campaigns[1:]] == [
        ["Without a campaign's name", "mail", "1", "2"],
        [SCRIPT, "mail", "1", "2"],
        ["Other campaigns", "", "1", "2"],
    ]


def test_clicks_in_vain_are_listed_by_page_with_their_share_of_the_views(client):
    assert rows(client, "/console/behaviour/vain-clicks.csv")[1:] == [
        [SCRIPT, "2", "9", "2", "1", "150.0"],
        ["Other pages", "1", "0", "1", "0", "100.0"],
    ]
    actions = rows(client, "/console/behaviour/actions.csv")[1:]
    assert actions[:2] == [["Click", "9", "225.0"], [SCRIPT, "5", "125.0"]]


def test_items_have_means_of_the_views_of_which_something_is_known(client):
    assert rows(client, "/console/behaviour/items.csv")[1:] == [[SCRIPT, "i1", "4", "2.5", "75.0", "1", "1"]]


def test_only_actions_that_were_found_to_change_conversion_are_listed(client):
    figures = ["40", "20.0", "60.0", "50.0", "10.0", "90.0"]
    assert rows(client, "/console/behaviour/signals.csv")[1:] == [
        ["Click: zoom", "everybody", *figures],
        ["Click: zoom, then hover: reviews", SCRIPT, *figures],
    ]


def test_an_experiment_whose_split_is_wrong_says_that_nothing_can_be_interpreted(client):
    decision = rows(client, "/console/experiments/decisions.csv")[1]
    assert decision[1:5] == ["invalid", SCRIPT, "20", "wrong: no effect can be interpreted"]
    assert decision[5:] == ["2026-05-01", "2026-06-01", "2026-06-01"]
    effect = rows(client, "/console/experiments/effects-trial.csv")[1]
    assert effect == ["clicks per user", SCRIPT, "primary", "0.5", "0.6", "20.0", "5.0", "", "0.01", "20", ""]


@pytest.mark.parametrize(("p", "shown"), [(1.2e-6, "< .0001"), (0.0001, 0.0001), (0.34567, 0.3457), (None, None)])
def test_a_small_p_value_is_not_rounded_to_nothing(p, shown):
    assert _p_value(p) == shown


def test_paths_of_the_chart_add_up_to_the_visits(client):
    (sankey,) = [chart for chart in charts(client.get("/console/behaviour").text) if chart["kind"] == "sankey"]
    out_of_start = sum(link["value"] for link in sankey["links"] if link["source"] == "0 -2")
    assert out_of_start == 3
    names = {node["key"]: (node["name"], node["value"]) for node in sankey["nodes"]}
    assert names["0 -2"] == ("Start", 3)
    assert names["1 0"] == ("Other pages", 1)
    assert names["2 -1"] == ("Left", 1)
    assert names["2 2"] == ("=1+1", 2)


def test_paths_around_a_page_name_it(client):
    paths = rows(client, "/console/behaviour/paths.csv?page=2")
    assert paths == [
        ["Step", "From", "To", "Moves"], ["0", SCRIPT, "'=1+1", "2"], ["1", "'=1+1", "Left", "2"],
    ]  # fmt: skip


def test_filters_and_dates_stand_in_the_address(client):
    address = f"/console/audience/device.csv?from={LAST}&to={LAST}"
    assert rows(client, address)[1][:3] == ["mobile", "3", "3"]
    assert rows(client, f"{address}&country=DE")[1][0] == "mobile"
    assert len(rows(client, f"{address}&country=FR")) == 1
    page = client.get("/console/audience?country=FR").text
    assert '<option value="FR" selected>' in page
    assert "Nothing was counted" in page


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from is"), ("from=2026-06-01&to=2026-05-01", "comes after"),
        ("compare=x", "compare is"), ("by=x", "by is"), ("page=99", "no page"), ("to=0001-01-01", "from 1970"),
        (f"segment={'x' * 300}", "longer"), ("from=1970-01-01&to=2026-05-31", "choose fewer"),
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_says_what_would(client, query, field):
    answer = client.get(f"/console/behaviour?{query}")
    assert answer.status_code == 422
    assert field in answer.text


def test_files_of_pages_are_compressed_and_kept_by_browsers(client):
    page = client.get("/console/overview").text
    files = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page)
    packed = [client.get(file) for file in files]
    plain = [client.get(file, headers={"Accept-Encoding": "identity"}) for file in files]
    assert [answer.content for answer in packed] == [answer.content for answer in plain]
    assert {answer.headers["cache-control"] for answer in packed} == {"public, max-age=31536000, immutable"}
    sent = sum(int(answer.headers["content-length"]) for answer in packed) + len(page)
    assert len(files) == 4
    assert sent < 320 * 1024 < sum(len(answer.content) for answer in plain)


def test_made_up_sources_fill_no_list(config, home, tmp_path):
    row = console_rows()["visits"][0]
    many = [row | {"channel": f"made-up-{number}"} for number in range(1_000)]
    visitors = [
        row | {"channel": visit["channel"] if "channel" in row["counted_by"] else ""}
        for row in console_rows()["visitors"]
        for visit in (many if "channel" in row["counted_by"] else many[:1])
    ]
    publish_with_console(home, tmp_path / "tables", visits=many, visitors=visitors)
    client = TestClient(console_application(config), **LOCAL)
    page = client.get("/console/audience?channel=made-up-999").text
    assert page.count('<option value="made-up-') == 101
    assert '<option value="made-up-999" selected>' in page
    assert len(rows(client, "/console/audience/channel.csv")) == 1_001


def test_what_is_not_there_is_not_found(client):
    assert client.get("/console/nowhere").status_code == 404
    assert client.get("/console/overview/nothing.csv").status_code == 404
    assert client.get("/console/static/x/secrets.py").status_code == 404


def test_a_home_without_a_bundle_says_what_to_do(config, home):
    page = TestClient(console_application(config), **LOCAL).get("/console/overview").text
    assert "<code>tessera materialize</code>" in page


def test_a_bundle_without_tables_says_what_to_do(config, two_versions):
    page = TestClient(console_application(config), **LOCAL).get("/console/overview").text
    assert "earlier version" in page


def test_a_site_without_visits_says_so(config, home, tmp_path):
    about = console_rows()["about"][0] | {"first_date": None, "last_date": None, "last_event_at": None}
    empty = {name: [] for name in console_rows()} | {"about": [about]}
    publish_with_console(home, tmp_path / "tables", **empty)
    for name in PAGES:
        assert (
            "Nobody has visited" in TestClient(console_application(config), **LOCAL).get(f"/console/{name}").text
        )


def test_a_new_bundle_is_shown_without_a_restart(config, home, tmp_path):
    client = TestClient(console_application(config), **LOCAL)
    assert "Nothing is published" in client.get("/console/overview").text
    publish_with_console(home, tmp_path / "tables")
    assert "<dt>Visits</dt>" in client.get("/console/overview").text


@pytest.mark.parametrize("page", ["overview", "behaviour", "audience"])
def test_the_next_reader_of_the_same_dates_reads_no_table(client, monkeypatch, page):
    first = client.get(f"/console/{page}?from={LAST}&to={LAST}").text
    monkeypatch.setattr("ml.console.published.PublishedTables.read", None)
    assert client.get(f"/console/{page}?to={LAST}&from={LAST}").text == first
    with pytest.raises(TypeError):
        client.get(f"/console/{page}?from={LAST}&to={LAST}&country=XX")


def test_another_machine_gets_nothing_without_keys(config):
    client = TestClient(console_application(config), base_url="http://127.0.0.1", client=("192.0.2.7", 50_000))
    for path in ("/", "/console/overview", "/console/overview/days.csv", "/console/sign-in"):
        assert client.get(path, follow_redirects=False).status_code == 403
