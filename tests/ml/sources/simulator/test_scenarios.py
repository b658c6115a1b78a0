import datetime as dt

import pyarrow as pa
import pytest

from ml.home import Home
from ml.sources.simulator import Scenario, ScenarioSite, Site, read_recorded_site, simulate_into_home
from ml.sources.simulator.texts import item_ids
from ml.sources.simulator.topics import CATEGORY_NAMES

START = dt.date(2026, 3, 1)
DAYS = 20


@pytest.fixture(scope="module")
def events_of(settings):
    """Events of a scenario on one site of 250 users, as a frame, with the site."""
    sized = settings.model_copy(update={"users": 250, "days": DAYS, "items": 240, "new_items_per_day": 10})
    simulated = {}

    def simulate(scenario):
        if scenario not in simulated:
            site = ScenarioSite(sized, 11, START, scenario)
            simulated[scenario] = site, pa.concat_tables(site.events(0, DAYS)).to_pandas()
        return simulated[scenario]

    return simulate


def test_nothing_differs_before_the_change(events_of):
    _, quiet = events_of(Scenario.QUIET)
    assert len(quiet) > 5_000
    for scenario in Scenario:
        site, events = events_of(scenario)
        before = events[events["occurred_at"] < site.starts_at]["event_id"].dropna()
        expected = quiet[quiet["occurred_at"] < site.starts_at]["event_id"].dropna()
        assert sorted(before) == sorted(expected), scenario


def test_a_broken_tracker_loses_one_field_on_one_browser(events_of):
    site, broken = events_of(Scenario.BROKEN_TRACKER)
    _, quiet = events_of(Scenario.QUIET)
    (truth,) = [row for row in site.truth(DAYS).to_pylist() if row["what"] == "broken_tracker"]
    assert (truth["dimension"], truth["ends_at"]) == ("browser", None)
    concerned = (quiet["browser"] == truth["slice"]) & (quiet["occurred_at"] >= truth["starts_at"])
    assert quiet[concerned][truth["field"]].notna().sum() > 50
    assert broken[concerned][truth["field"]].isna().all()
    assert broken[~concerned][truth["field"]].equals(quiet[~concerned][truth["field"]])


def test_a_change_of_taste_moves_views_to_the_category_that_the_truth_names(events_of):
    def share(scenario):
        site, events = events_of(scenario)
        items = site.items(DAYS)
        category = dict(zip(item_ids(items).to_pylist(), items.category, strict=True))
        later = events[(events["event_type"] == "page_view") & (events["occurred_at"] >= site.starts_at)]
        viewed = later["item_id"].dropna().map(category)
        return (viewed == site.category).mean(), site

    (quiet, _), (changed, site) = share(Scenario.QUIET), share(Scenario.TASTE_CHANGE)
    assert changed > quiet + 0.1
    assert site.truth(DAYS).to_pylist()[-1]["slice"] == CATEGORY_NAMES[site.category]


def test_a_slow_change_of_taste_reaches_the_same_people_one_after_the_other(settings):
    site = ScenarioSite(settings, 11, START, Scenario.SLOW_TASTE_CHANGE)
    users = site.population(10)
    changed = [
        (site._with_taste(users, site.change_day + day).interest != users.interest).any(axis=1)
        for day in (0, 10, 27)
    ]
    assert (changed[0] <= changed[1]).all()
    assert (changed[1] <= changed[2]).all()
    assert [mask.mean() for mask in changed] == pytest.approx([0.018, 0.196, 0.5], abs=0.04)


def test_a_new_device_takes_its_share_of_people(events_of):
    site, events = events_of(Scenario.NEW_DEVICE)
    _, quiet = events_of(Scenario.QUIET)
    later = events["occurred_at"] >= site.starts_at
    before = quiet[later].drop_duplicates("anonymous_id")["device_type"]
    after = events[later].drop_duplicates("anonymous_id")["device_type"]
    assert (after == "tv").mean() - (before == "tv").mean() == pytest.approx(3 / 16, abs=0.06)
    assert (after == "bot").sum() == (before == "bot").sum()


def test_a_worse_champion_has_a_version_of_its_own_and_loses_clicks(events_of):
    site, events = events_of(Scenario.WORSE_CHAMPION)
    _, quiet = events_of(Scenario.QUIET)
    later = events[events["occurred_at"] >= site.starts_at]
    served = later[(later["event_type"] == "served") & ~later["properties"].str.contains('"decision"')]
    assert len(served) > 50
    assert served["properties"].str.contains('"model_version":"simulator-worse"').all()

    def clicks(frame):
        of_answers = frame["recommendation_id"].isin(served["recommendation_id"])
        return (of_answers & (frame["event_type"] == "click")).sum()

    assert clicks(events) / clicks(quiet) == pytest.approx(0.5, abs=0.15)


def test_campaign_days_bring_strangers_and_stand_in_the_truth(events_of):
    site, events = events_of(Scenario.QUIET)
    (campaign,) = site.truth(DAYS).to_pylist()
    assert campaign["what"] == "campaign_day"
    strangers = events[events["user_id"].isna()].groupby(events["occurred_at"].dt.date)["anonymous_id"].nunique()
    assert strangers.idxmax() == campaign["starts_at"].date()
    assert strangers.max() > 1.5 * strangers.median()


def test_a_home_remembers_the_scenario(small_settings, tmp_path):
    home = Home(tmp_path)
    site = ScenarioSite(small_settings, 4, START, Scenario.BROKEN_TRACKER)
    simulate_into_home(home, site, START, START + dt.timedelta(days=1))
    remembered, _ = read_recorded_site(home)
    assert isinstance(remembered, ScenarioSite)
    assert remembered.scenario is Scenario.BROKEN_TRACKER
    assert (home.truth / "scenario.parquet").exists()


def test_a_site_without_a_scenario_is_recorded_as_ever(small_settings, tmp_path):
    home = Home(tmp_path)
    simulate_into_home(home, Site(small_settings, 4, START), START, START + dt.timedelta(days=1))
    assert "scenario" not in (home.truth / "site.json").read_text(encoding="utf-8")
    assert not (home.truth / "scenario.parquet").exists()
    assert type(read_recorded_site(home)[0]) is Site
