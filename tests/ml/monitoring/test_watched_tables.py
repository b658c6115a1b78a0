"""The series of a site stand on whole days, whatever hours the marts bring."""

import datetime as dt

import pyarrow as pa
import pytest

from ml.monitoring.series import Subject
from ml.monitoring.watched_tables import watched_site
from ml.settings.operation import MonitoringSettings

MONDAY = dt.datetime(2026, 9, 7)
LAST = MONDAY + dt.timedelta(days=13, hours=23)


@pytest.mark.parametrize("stray", [MONDAY - dt.timedelta(hours=1), LAST + dt.timedelta(hours=1)])
def test_answers_outside_of_the_days_of_events_are_left_out(stray):
    """On a Monday the first answers lie in the hour before the first event, which stopped the run."""
    hours = [MONDAY + dt.timedelta(hours=n) for n in range(14 * 24)]
    events = {
        "hour": hours,
        "event_type": ["page_view"] * len(hours),
        "dimension": ["everything"] * len(hours),
        "slice": [""] * len(hours),
        **{name: [9] * len(hours) for name in ("events", "devices", "with_item_id")},
    }
    answered = [*hours, stray]
    answers = {
        "hour": answered,
        "slot": ["home"] * len(answered),
        "model_version": ["1"] * len(answered),
        "audience": ["known"] * len(answered),
        "answers": [5] * len(answered),
        "clicked_answers": [2] * len(answered),
    }
    days = {"date": [], "category": [], "audience": [], "views": [], "familiar_views": [], "viewers": []}
    types = [pa.date32(), pa.string(), pa.string(), pa.int64(), pa.int64(), pa.int64()]
    views = pa.table({name: pa.array([], kind) for name, kind in zip(days, types, strict=True)})
    site = watched_site(pa.table(events), pa.table(answers), views, MonitoringSettings(least_trials_a_day=1))
    quality = [series for series in site.series if series.subject is Subject.QUALITY]
    assert quality
    assert {series.size.sum() for series in quality} == {5 * len(hours)}


def test_the_newest_model_is_watched_on_the_slots_that_it_fills():
    """From the second Monday on, version 2 fills the slot home, and version 1 goes on in the slot hero."""
    hours = [MONDAY + dt.timedelta(hours=n) for n in range(14 * 24)]
    answers = pa.Table.from_pylist(
        [
            {
                "hour": hour, "slot": slot, "audience": audience, "answers": 10, "clicked_answers": clicked,
                "model_version": "2" if slot == "home" and hour >= MONDAY + dt.timedelta(days=7) else "1",
            }
            for hour in hours
            for slot, clicked in (("home", 6), ("hero", 1))
            for audience in ("known", "anonymous")
        ]
    )  # fmt: skip
    events = {"hour": hours, "event_type": ["page_view"] * len(hours), "dimension": ["everything"] * len(hours)}
    events |= {"slice": [""] * len(hours), **{name: [9] * len(hours) for name in ("events", "devices")}}
    names = {"date": pa.date32(), "category": pa.string(), "audience": pa.string()}
    names |= dict.fromkeys(("views", "familiar_views", "viewers"), pa.int64())
    views = pa.table({name: pa.array([], kind) for name, kind in names.items()})
    site = watched_site(pa.table(events), answers, views, MonitoringSettings(least_trials_a_day=1))
    quality = {
        series.measure: series for series in site.series if series.subject is Subject.QUALITY and not series.slice
    }
    of_all, of_newest = quality["clicked answers"], quality["clicked answers of the newest model"]
    assert of_all.trials.tolist() == [[40.0] * 24] * 14
    assert of_newest.trials.tolist() == [[40.0] * 24] * 7 + [[20.0] * 24] * 7
    assert of_newest.counts.tolist() == [[14.0] * 24] * 7 + [[12.0] * 24] * 7
    assert [divmod(int(place), 24) for place in of_all.likely_onsets.ravel().nonzero()[0]] == [(0, 0), (7, 0)]
