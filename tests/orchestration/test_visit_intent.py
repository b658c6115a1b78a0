"""What a run learns of the intent of visits, and that the published bundle tells it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow.compute as pc
import pytest
import yaml

from ml.bundle import current_version
from ml.home import Home
from ml.sequences.intent.examples import build_examples
from ml.sequences.intent.model import DESCRIPTION_FILE, IntentModel
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.defs.sequences import visit_intent
from orchestration.product_files import DBT_PROJECT_FOLDER
from orchestration.warehouse.visits import read_actions
from orchestration.warehouse.warehouse import Warehouse


def test_the_bundle_holds_the_model_that_was_learned(materialized_home: Home) -> None:
    learned = IntentModel.load(materialized_home.models / "intent")
    published = IntentModel.load(
        materialized_home.published / str(current_version(materialized_home.published)) / "intent"
    )
    assert learned.goal == "purchase"
    assert {"page_view", "scroll", "custom:gallery_zoom"} <= set(learned.signals)
    assert {"leave", "return"} <= learned.chances.keys()
    probe = np.zeros((1, len(learned.signals) + 100), dtype=np.float32)
    np.testing.assert_array_equal(learned.tell_all(probe), published.tell_all(probe))


def test_only_people_who_consent_are_learned_from(materialized_home: Home) -> None:
    warehouse = Warehouse(materialized_home.warehouse)
    actions, products = read_actions(warehouse.read, 10_000_000)
    consenting = warehouse.read("select user_id from users where has_personalization_consent")
    everybody = warehouse.read("select distinct user_id from visit_events")
    people = set(actions.column("user_id").to_pylist())
    assert people <= set(consenting.column("user_id").to_pylist())
    assert people < set(everybody.column("user_id").to_pylist())
    priced = warehouse.read("select count(*) as n from items where price > 0").column("n")[0].as_py()
    assert len(products) == priced > 0


def test_the_labels_of_whole_visits_are_those_of_the_marts(materialized_home: Home) -> None:
    warehouse = Warehouse(materialized_home.warehouse)
    actions, products = read_actions(warehouse.read, 10_000_000)
    examples = build_examples(actions, (), products.__contains__, "purchase")
    counted = warehouse.read(
        "select count(*) as visits, count(*) filter (sessions.purchases > 0) as converted from sessions"
        " join users using (user_id) where has_personalization_consent and sessions.session_key in"
        " (select session_key from visit_events group by session_key having count(*) >= 3)"
    ).to_pylist()[0]
    after_three = examples.take(examples.lengths == 3)
    assert len(np.unique(after_three.visits)) == len(after_three) == counted["visits"]
    # who bought within the first three actions has nothing left to tell
    converted = np.nansum(after_three.labels[:, 0]) + np.isnan(after_three.labels[:, 0]).sum()
    assert converted == counted["converted"] > 0


def test_the_newest_visits_are_read_where_there_are_more(materialized_home: Home) -> None:
    warehouse = Warehouse(materialized_home.warehouse)
    newest, _ = read_actions(warehouse.read, 500)
    everything, _ = read_actions(warehouse.read, 10_000_000)
    assert newest.num_rows == 500
    assert everything.num_rows > 500
    since = pc.min(newest.column("occurred_at"))
    later = everything.filter(pc.greater_equal(everything.column("occurred_at"), since))
    assert later.num_rows < 700


COUNTED = """
    with actions as (
        select
            visit_events.*, row_number() over visit as place,
            min(occurred_at) over (partition by session_key) as began_at,
            max(occurred_at) over (partition by session_key) as ended_at
        from visit_events join users using (user_id)
        where has_personalization_consent and (event_type <> 'purchase' or is_purchase)
        window visit as (partition by session_key order by occurred_at, event_id)
    ),
    visits as (
        select
            session_key, any_value(began_at) as began_at, any_value(ended_at) as ended_at, max(place) as length,
            count(*) filter (event_type = 'page_view' and place > 5) as later_views,
            count(*) filter (event_type = 'purchase' and place <= 5) as earlier_purchases,
            count(*) filter (event_type = 'purchase' and place > 5) as later_purchases
        from actions group by session_key
    )
    select
        began_at::date as date, count(*) as visits, avg((later_views = 0)::int) as leave,
        count(*) filter (earlier_purchases = 0) as buyers,
        avg((later_purchases > 0)::int) filter (earlier_purchases = 0) as convert
    from visits
    where length >= 5 and began_at > timestamp '{since}'
        and ended_at <= (select max(occurred_at) from actions) - interval 30 minutes
    group by 1
"""
"""Visits of five actions and more by the date in UTC, that of the site, and what came after the fifth action."""


def counted_days(home: Home, since: dt.datetime) -> dict[tuple[dt.date, str], tuple[int, float]]:
    """Days of the targets that were learned; of a small site, conversions are too rare."""
    learned = IntentModel.load(home.models / "intent").chances
    counted = {}
    for row in Warehouse(home.warehouse).read(COUNTED.format(since=since)).to_pylist():
        for target, visits in (("leave", row["visits"]), ("convert", row["buyers"])):
            if target in learned and visits >= 30:
                counted[row["date"], target] = visits, row[target]
    return counted


def days_after_five(home: Home, *, is_held_out: bool) -> dict[tuple[dt.date, str], tuple[int, float]]:
    rows = Warehouse(home.warehouse).read("intent_days").to_pylist()
    return {
        (row["date"], row["target"]): (row["visits"], row["share"])
        for row in rows
        if row["actions"] == 5 and row["is_held_out"] == is_held_out and row["target"] != "return"
    }


def assert_equal_days(
    judged: dict[tuple[dt.date, str], tuple[int, float]], counted: dict[tuple[dt.date, str], tuple[int, float]]
) -> None:
    assert judged.keys() == counted.keys()
    assert len(judged) > 0
    for key, (visits, share) in counted.items():
        assert judged[key] == (visits, pytest.approx(share))


def learn_again(home: Home) -> dict[str, Any]:
    place = HomeResource(path=str(home.path))
    resources = {
        "home": place,
        "warehouse": WarehouseResource(home=place),
        "registry": RegistryResource(home=place),
    }
    result = dg.materialize([visit_intent], resources=resources)
    assert result.success
    (event,) = result.asset_materializations_for_node("visit_intent")
    return {name: value.value for name, value in event.metadata.items()}


def published_description(home: Home) -> Path:
    return home.published / str(current_version(home.published)) / "intent" / DESCRIPTION_FILE


def test_without_a_model_before_only_held_out_visits_are_judged(materialized_home: Home) -> None:
    assert days_after_five(materialized_home, is_held_out=False) == {}
    held = days_after_five(materialized_home, is_held_out=True)
    first = min(date for date, _ in held)
    counted = counted_days(materialized_home, dt.datetime.combine(first, dt.time()) + dt.timedelta(days=1))
    assert_equal_days({key: value for key, value in held.items() if key[0] > first}, counted)
    model = IntentModel.load(materialized_home.models / "intent")
    newest = Warehouse(materialized_home.warehouse).read(
        "select max(occurred_at) as at from visit_events join users using (user_id)"
        " where has_personalization_consent"
    )
    assert model.read_until == newest["at"][0].as_py()


def test_the_published_model_is_judged_by_the_visits_since_its_training(changing_home: Home) -> None:
    file = published_description(changing_home)
    description = json.loads(file.read_text(encoding="utf-8"))
    since = dt.datetime.fromisoformat(description["read_until"]) - dt.timedelta(days=5)
    file.write_text(json.dumps(description | {"read_until": since.isoformat()}), encoding="utf-8")
    assert learn_again(changing_home)["published_model"] == "judged"
    judged, counted = days_after_five(changing_home, is_held_out=False), counted_days(changing_home, since)
    assert_equal_days(judged, counted)
    assert len({date for date, _ in judged}) >= 4
    rows = Warehouse(changing_home.warehouse).read("intent_days").to_pylist()
    assert {row["read_until"] for row in rows if not row["is_held_out"]} == {since}


def test_a_model_that_cannot_be_judged_is_named_and_the_next_is_learned(changing_home: Home) -> None:
    file = published_description(changing_home)
    description = json.loads(file.read_text(encoding="utf-8"))
    for change, reason in (
        ({"read_until": None}, "did not write down until when"),
        ({"goal": "signup"}, "converted by signup, those of the settings by purchase"),
        ({"features": []}, "train again"),
    ):
        file.write_text(json.dumps(description | change), encoding="utf-8")
        assert reason in learn_again(changing_home)["published_model"]
        assert days_after_five(changing_home, is_held_out=False) == {}


def test_the_table_has_the_columns_that_the_reference_describes(materialized_home: Home) -> None:
    document = yaml.safe_load((DBT_PROJECT_FOLDER / "models/monitoring/_sources.yml").read_text(encoding="utf-8"))
    (described,) = [
        table for source in document["sources"] for table in source["tables"] if table["name"] == "intent_days"
    ]
    columns = Warehouse(materialized_home.warehouse).read(
        "select column_name as name, lower(data_type) as data_type, comment as description"
        " from duckdb_columns() where table_name = 'intent_days' order by column_index"
    )
    assert columns.to_pylist() == described["columns"]
