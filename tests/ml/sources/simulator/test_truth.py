import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from ml.sources.simulator.separation import measure_separation
from ml.sources.simulator.site import Site
from ml.sources.simulator.sizing import settings_for_events

ROOT = Path(__file__).resolve().parents[4]


def test_the_tables_have_the_promised_columns(truth):
    promised = {
        "users": ["user_id", "persona", "engagement_class", "daypart", "timezone", "is_bot"],
        "passers_by": ["user_id", "persona"],
        "items": ["item_id", "appeal", "topics"],
        "signals": ["micro_interaction", "true_lift"],
        "experiments": ["experiment_id", "metric", "true_lift"],
        "contents": ["content", "device_type", "shown_chance", "click_chance"],
    }
    for name, columns in promised.items():
        assert [column for column in truth[name].column_names if column in columns] == columns


def test_users_are_named_once_and_have_six_personas_and_three_classes(truth):
    users = truth["users"].to_pandas()
    assert users["user_id"].is_unique
    people = users[~users["is_bot"]]
    assert people["persona"].nunique() == 6
    assert people["persona"].value_counts(normalize=True).min() > 0.12
    assert set(people["engagement_class"]) == {"frequent", "occasional", "lapsed"}
    assert np.stack(people["interest"]).sum(axis=1) == pytest.approx(np.ones(len(people)), abs=1e-4)


def test_planted_signals_and_experiments_say_their_lift(truth):
    signals = {row["micro_interaction"]: row["true_lift"] for row in truth["signals"].to_pylist()}
    assert signals == {
        "gallery_zoom": 0.5, "review_read": 0.3, "price_hover": 0.0, "coupon_search": 0.0, "scroll_reversal": 0.0,
    }  # fmt: skip
    orders = {(row["first_element"], row["then_element"]): row["true_lift"] for row in truth["orders"].to_pylist()}
    assert orders == {("size_guide", "delivery"): 1.0, ("delivery", "size_guide"): 0.0}
    lifts = {(row["experiment_id"], row["metric"]): row["true_lift"] for row in truth["experiments"].to_pylist()}
    assert lifts["new_checkout", "purchases_per_user"] == 0.2
    assert lifts["newsletter_prompt", "subscription_rate"] == 0.6
    assert lifts["new_font", "purchases_per_user"] == 0.0


def test_no_part_of_the_pipeline_reads_the_truth():
    sources = [
        path
        for folder in ("ml", "serving", "orchestration", "dbt_project/models", "dbt_project/macros")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sql", ".yml") and "simulator" not in path.parts
    ]
    assert len(sources) > 20
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in sources
        if any(
            mark in path.read_text(encoding="utf-8")
            for mark in ("home.truth", "truth_tables", '"truth"', "truth/")
        )
    ]
    written_erased_or_verified = {
        "ml/home.py",
        "orchestration/commands/simulate.py",
        "orchestration/erasure/places.py",
        "orchestration/upkeep/verification.py",
    }
    assert set(readers) <= written_erased_or_verified


def test_a_classifier_trained_on_the_true_personas_is_right_for_90_to_95_percent(site):
    measured = measure_separation(site, days=120)
    assert 0.90 <= measured.accuracy <= 0.95
    assert measured.adjusted_rand >= 0.85


def test_a_wanted_number_of_events_is_met_within_a_tenth(settings):
    start = dt.date(2026, 3, 1)
    sized = settings_for_events(settings.model_copy(update={"days": 20}), 3, start, 300_000)
    total = sum(len(table) for table in Site(sized, 3, start).events(0, 20))
    assert total == pytest.approx(300_000, rel=0.1)
