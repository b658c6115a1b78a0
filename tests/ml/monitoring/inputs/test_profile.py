"""Profiles count every value once, name none that only a few people share, and survive a file."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml.errors import DamagedFileError
from ml.monitoring.inputs.profile import profile_windows
from ml.monitoring.inputs.reference import Reference, cluster_items
from ml.monitoring.inputs.windows import USERS, active_items
from tests.ml.monitoring.inputs.input_sites import END, week, weeks_before

LEAST = 5


def by_name(windows):
    return {profile.name: profile for profile in profile_windows(windows, LEAST)}


def test_counts_are_those_of_pandas():
    windows = weeks_before(np.random.default_rng(0), 500)
    profiles = by_name(windows)
    frame = pd.concat([window.tables["users"].to_pandas() for window in windows])
    country = profiles["users.country"]
    assert dict(zip(country.values, country.counts, strict=False)) == frame["country"].value_counts().to_dict()
    assert (country.counts[-1], country.missing, country.owners) == (0, 0, frame["owner"].nunique())
    items = pd.concat([window.tables["items"].to_pandas() for window in windows])
    tags = profiles["items.tags"]
    assert dict(zip(tags.values, tags.counts, strict=False)) == Counter(
        tag for row in items["tags"] for tag in row
    )
    assert tags.missing == sum(len(row) == 0 for row in items["tags"])
    spend = profiles["users.spend"]
    bins = pd.cut(frame["spend"], [-np.inf, *spend.edges, np.inf]).value_counts(sort=False)
    assert list(spend.counts) == bins.tolist()
    assert len(spend.counts) == 20
    assert max(spend.counts) < 1.3 * min(spend.counts)


def test_a_later_week_is_counted_by_day_in_the_same_bins():
    profiles = by_name(weeks_before(np.random.default_rng(0), 500))
    later = week(np.random.default_rng(1), 300, missing=0.3)
    frame = later.tables["users"].to_pandas()
    counts, missing, owners = profiles["users.device_type"].count(later.tables["users"])
    expected = pd.crosstab(frame["day"], frame["device_type"])[list(profiles["users.device_type"].values)]
    assert counts[:, :-1].tolist() == expected.to_numpy().tolist()
    assert missing.tolist() == frame["device_type"].isna().groupby(frame["day"]).sum().tolist()
    assert owners == 300
    counts, missing, _ = profiles["users.device_type"].count(later.tables["users"].drop_columns(["device_type"]))
    assert (counts.sum(), missing.sum()) == (0, 300)


def test_a_value_of_four_people_is_not_named_and_neither_is_anybodys_number():
    window = week(np.random.default_rng(0), 200)
    users = window.tables[USERS]
    country = pa.array(["XX"] * 4 + ["YY"] * 5 + ["DE"] * 191)
    spend = np.append(np.random.default_rng(0).lognormal(0, 1, 199) * 1234.5678, 987654.321)
    users = users.set_column(users.column_names.index("country"), "country", country)
    users = users.set_column(users.column_names.index("spend"), "spend", pa.array(spend))
    # One person of many rows shares the value with nobody.
    acts = window.tables["interactions"].slice(0, 100)
    acts = acts.append_column("city", pa.array(["Lonely"] * 100)).drop_columns(["owner"])
    acts = acts.append_column("owner", pa.array(["u1"] * 100))
    changed = replace(window, tables={USERS: users, "interactions": acts})
    profiles = by_name([changed])
    assert profiles["users.country"].values == ("DE", "YY")
    assert profiles["users.country"].counts == (191, 5, 4)
    assert profiles["interactions.city"].values == ()
    text = json.dumps([profile.document() for profile in profiles.values()])
    assert "Lonely" not in text
    assert "XX" not in text
    assert not {f"{number}" for number in spend} & {f"{edge}" for edge in profiles["users.spend"].edges}
    assert max(profiles["users.spend"].edges) < 987654
    for owner in users["owner"].to_pylist():
        assert owner not in text


@pytest.mark.parametrize("people", [0, 1, 7])
def test_a_tiny_site_has_a_profile(people):
    profiles = by_name([week(np.random.default_rng(0), people)])
    assert profiles["users.country"].owners == people
    assert sum(profiles["users.spend"].counts) == people


def test_columns_without_values_have_a_profile():
    window = week(np.random.default_rng(0), 50)
    users = window.tables[USERS]
    users = users.append_column("nothing", pa.nulls(50)).append_column("null_text", pa.nulls(50, pa.string()))
    users = users.append_column("nan", pa.array([float("nan")] * 50)).append_column("same", pa.array(["x"] * 50))
    profiles = by_name([replace(window, tables={USERS: users})])
    assert [profiles[f"users.{name}"].missing for name in ("nothing", "null_text", "nan")] == [50, 50, 50]
    assert profiles["users.same"].counts == (50, 0)


def test_a_reference_is_read_as_it_was_written_and_damage_is_named(tmp_path):
    columns = profile_windows(weeks_before(np.random.default_rng(0), 200), LEAST)
    factors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    reference = Reference(END, columns, cluster_items([f"i{place}" for place in range(40)], factors, seed=1))
    reference.save(tmp_path / "reference")
    read = Reference.load(tmp_path / "reference")
    assert read is not None
    assert (read.trained_until, read.columns) == (END, columns)
    assert read.items.table.equals(reference.items.table)
    assert Reference.load(tmp_path / "nowhere") is None
    file = tmp_path / "reference" / "profile.json"
    file.write_bytes(file.read_bytes().replace(b'"users"', b'"usars"', 1))
    with pytest.raises(DamagedFileError, match=r"profile\.json.*differs from its checksum"):
        Reference.load(tmp_path / "reference")


def test_items_of_like_factors_share_a_cluster_and_unknown_ones_are_counted():
    factors = np.repeat(np.eye(8, 5, dtype=np.float32) * 9, 4, axis=0)
    factors[20:] -= 9 * np.arange(1, 13, dtype=np.float32)[:, None] // 4
    items = cluster_items([f"i{place}" for place in range(32)], factors, seed=0)
    clusters = items.table["item_cluster"].to_pylist()
    assert all(len(set(clusters[start : start + 4])) == 1 for start in range(0, 20, 4))
    clicks = pa.table({"owner": ["a"] * 4, "day": [0] * 4, "item_id": ["i0", "new", "i31", "i0"]})
    assert items.unknown_share(clicks) == 0.25
    placed = items.clicks_of(clicks)["item_cluster"].to_pylist()
    assert placed == [clusters[0], clusters[31], clusters[0]]
    without_factors = cluster_items(["i0"], None, seed=0)
    assert len(without_factors.clicks_of(clicks)) == 0
    assert without_factors.unknown_share(clicks) == 0.5


def test_an_item_is_active_on_the_last_day_on_which_somebody_had_to_do_with_it():
    items = pa.table({"owner": ["a", "b", "c"]})
    acts = pa.table({"item_id": ["a", "c", "a"], "day": [1, 2, 5]})
    assert active_items(items, acts).to_pylist() == [{"owner": "a", "day": 5}, {"owner": "c", "day": 2}]
