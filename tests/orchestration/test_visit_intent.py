"""What a run learns of the intent of visits, and that the published bundle tells it."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from ml.bundle import current_version
from ml.home import Home
from ml.sequences.intent.examples import build_examples
from ml.sequences.intent.model import IntentModel
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
