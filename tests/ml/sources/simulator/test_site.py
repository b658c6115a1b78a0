import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml.events.contract import EVENT_SCHEMA, EVENT_TYPES
from ml.events.validation import validate_events
from ml.sources.simulator import Site
from ml.sources.simulator.browsing import build_item_sampler
from ml.sources.simulator.items import hourly_weights

START = dt.date(2026, 3, 1)
NOW = dt.datetime(2026, 6, 29, tzinfo=dt.UTC)


def rows(table):
    return sorted(table.to_pylist(), key=repr)


def test_the_same_seed_gives_the_same_events(small_settings):
    first, again, other = (pa.concat_tables(Site(small_settings, seed, START).events(0, 5)) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not set(first["event_id"].to_pylist()) & set(other["event_id"].to_pylist()) - {None}


def test_days_that_follow_each_other_give_what_one_long_stretch_gives(small_settings):
    whole = pa.concat_tables(Site(small_settings, 3, START).events(0, 9))
    parts = [pa.concat_tables(Site(small_settings, 3, START).events(a, b)) for a, b in ((0, 4), (4, 5), (5, 9))]
    assert rows(pa.concat_tables(parts)) == rows(whole)


def test_a_later_plan_to_look_further_changes_nothing_before(small_settings):
    site = Site(small_settings, 3, START)
    assert site.catalogue(0, 6).slice(0, len(site.catalogue(0, 4))).equals(site.catalogue(0, 4))
    assert site.catalogue(4, 6)["item_id"].to_pylist() == site.catalogue(0, 6)["item_id"].to_pylist()[-20:]


def test_events_arrive_within_the_stretch_and_day_after_day(site, events):
    received = events["received_at"].to_numpy().astype("datetime64[D]")
    assert (np.diff(received) >= np.timedelta64(0)).all()
    assert received[0] == np.datetime64("2026-03-01")
    assert received[-1] == np.datetime64("2026-06-28")


def test_nothing_arrives_before_it_happened(sound):
    waited = pc.subtract(sound["received_at"], sound["occurred_at"])
    assert pc.min(pc.cast(waited, pa.int64())).as_py() >= 200_000


def test_sound_events_keep_the_contract_to_the_letter(events):
    checked = validate_events(events, NOW)
    assert checked.accepted.schema.equals(EVENT_SCHEMA)
    assert len(checked.rejected) / len(events) == pytest.approx(0.001, abs=0.0002)
    assert set(checked.rejected["field"].to_pylist()) == {
        "event_id", "event_type", "user_id", "occurred_at", "value", "device_type", "country", "network_type",
    }  # fmt: skip


def test_every_type_of_the_contract_occurs_but_the_receipts_of_erasure(events):
    found = set(pc.unique(events["event_type"]).to_pylist())
    assert set(EVENT_TYPES) - found == {"erased"}
    trouble = {"custom:rage_click", "custom:dead_click", "custom:scroll_reversal"}
    assert {name for name in found if name and name.startswith("custom:")} == {"custom:gallery_zoom", *trouble}


def test_every_column_of_the_contract_but_the_collectors_is_filled_somewhere(events):
    assert [name for name in EVENT_SCHEMA.names if events[name].null_count == len(events)] == ["authority"]


def test_values_have_the_unit_of_their_type(sound):
    with_value = set(pc.unique(sound.filter(pc.is_valid(sound["value"]))["event_type"]).to_pylist())
    assert with_value == {name for name, kind in EVENT_TYPES.items() if kind.unit}
    bounds = {"scroll": (0, 100), "video_progress": (25, 100), "rating": (1, 5), "page_ping": (20, 20)}
    for name, (low, high) in bounds.items():
        values = pc.min_max(sound.filter(pc.equal(sound["event_type"], name))["value"]).as_py()
        assert low <= values["min"] <= values["max"] <= high, name


def test_repeated_events_are_the_planned_share_and_equal_but_for_their_arrival(events):
    ids = pc.drop_null(events["event_id"]).to_pandas()
    repeats = ids[ids.duplicated()]
    assert len(repeats) / len(ids) == pytest.approx(0.004, abs=0.0005)
    assert not repeats.duplicated().any()
    pair = events.filter(pc.equal(events["event_id"], repeats.iloc[0])).to_pylist()
    changed = {name for name in pair[0] if pair[0][name] != pair[1][name]}
    assert changed == {"received_at"}


def test_late_sessions_are_the_planned_share_and_later_by_up_to_three_days(sound):
    waited = pc.cast(pc.subtract(sound["received_at"], sound["occurred_at"]), pa.int64())
    hours = waited.to_numpy() / 3_600_000_000
    assert (hours > 0.9).mean() == pytest.approx(0.01, abs=0.003)
    assert 60 < hours.max() < 73


def test_new_items_come_every_day_and_nobody_sees_them_before(site, events):
    items = site.catalogue(0, 120)
    published = dict(zip(items["item_id"].to_pylist(), items["published_at"].to_pylist(), strict=True))
    days = {moment.date() for moment in published.values()}
    assert {START + dt.timedelta(days=day) for day in range(120)} <= days
    views = events.filter(pc.equal(events["event_type"], "page_view")).select(["item_id", "occurred_at"])
    early = [
        row for row in views.to_pylist()
        if row["item_id"] and row["occurred_at"] < published[row["item_id"]]
    ]  # fmt: skip
    assert early == []


def test_a_topic_without_items_is_refused(small_settings):
    site = Site(small_settings, 1, START)
    items = site.items(1).head(20)
    with pytest.raises(ValueError, match="every topic needs an item"):
        build_item_sampler(items, hourly_weights(items, small_settings, site.start_ms))
