"""Every model says on Spark what it says on DuckDB, row for row, and its tests pass on both."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.events.log import EventLog
from tests.dbt_project import test_attention, test_visits
from tests.dbt_project.built import event, warehouse_in
from tests.dbt_project.engines import OPTIONS, Engines, parsed_for_spark
from tests.dbt_project.people import CLICKERS_AND_BUYERS, DEAD_CLICK, EVENTS, ITEMS

MISSING = [
    requirement
    for requirement, installed in (
        ("pyspark and dbt-spark (the extra `spark`)", importlib.util.find_spec("pyspark")),
        ("Java", shutil.which("java")),
    )
    if not installed
]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} missing: `make extras`")

# Spark plans each of these for five to ten seconds. Their cases lie in the log as well, whose rows are compared.
SLOW_UNIT_TESTS = [
    f"{model},test_type:unit"
    for model in ("int_session_buckets", "int_page_engagement", "int_view_repeats", "sessions")
]
DAY = 24 * 60
NEWEST = 351_210  # minutes: the last event of `people`
ANSWER = {"slot": "home", "model_version": "m1", "items": ["boots"], "propensities": [0.0006, 1.0, 0.25]}
# What `people` lack: rows for the marts that monitoring watches, for quarantine, experiments and other currencies.
OTHERS = (
    *[
        event(NEWEST - day * DAY, user_id=user, item_id=item, page_url=f"/{item}", source="web")
        for day in (40, 33, 20, 2, 1, 0)
        for user, item in (("returns", "boots"), ("switches", "boots" if day > 9 else "scarf"))
    ],
    event(NEWEST + 0.5, "served", user_id="returns", recommendation_id="r", properties=ANSWER),
    event(NEWEST + 0.6, "served", user_id="returns", recommendation_id="r", properties=ANSWER),
    event(NEWEST + 1, "click", user_id="returns", recommendation_id="r", item_id="boots"),
    event(NEWEST + 2, "click", user_id="returns", recommendation_id="r"),
    event(NEWEST + 3, "segment_feedback", user_id="returns", properties={"segment": "walkers", "agrees": "true"}),
    event(0, anonymous_id="liar", user_id="ann", authority="browser", page_url="/a"),
    event(0, "purchase", user_id="rich", value=1e300),
    *[event(day * DAY, "exposure", user_id="tested", experiment_id="e", variant="b") for day in (1, 2)],
    event(DAY + 1, "purchase", user_id="tested", value=0.285, properties={"currency": "EUR"}),
    event(DAY + 2, "purchase", user_id="tested", value=20.0, properties={"currency": "CLF"}),
    event(3 * DAY, "click", user_id="tested", timezone="Asia/Kolkata", properties=DEAD_CLICK),
    event(3 * DAY + 1, user_id="tested", timezone="Nowhere/Town", page_url="https://site/ä?utm_source=ü&utm_campaign=%"),
    event(3 * DAY + 2, "consent_granted", user_id="tested", consent=["personalization", "analytics"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Iterator[Engines]:
    """Three parts of events, a repeat across them; all models built by DuckDB, and built and tested by Spark."""
    from pyspark.sql import SparkSession

    built = warehouse_in(tmp_path_factory.mktemp("engines") / "home", manifest)
    built.describe(**ITEMS)
    half = len(EVENTS) // 2
    built.ingest(*EVENTS[:half])
    built.ingest(*EVENTS[half:], *CLICKERS_AND_BUYERS, *OTHERS, {**EVENTS[0], "value": 3.0})
    built.ingest(*test_visits.FIRST, *test_visits.SECOND, *test_attention.FIRST, *test_attention.SECOND_PART)
    built.build()
    folder = built.home.path / "spark"
    options = OPTIONS | {"spark.sql.warehouse.dir": str(folder)}
    session = SparkSession.builder.master("local[1]").config(map=options).getOrCreate()
    both = Engines(built, session, parsed_for_spark(folder / "dbt", built))
    both.run_on_spark(["build", "--exclude", *SLOW_UNIT_TESTS])  # with contracts, data tests and unit tests
    yield both
    session.stop()


def names_of_models(manifest: Manifest, *folders: str) -> dict[str, str]:
    """Models below the folders, each with its relation in DuckDB; worklists of increments are left out."""
    return {
        node.name: f"{node.schema}.{node.name}"
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.fqn[1] in folders and not node.name.endswith("_touched")
    }


def test_the_engines_agree_on_every_row_of_every_mart(engines: Engines, manifest: Manifest) -> None:
    marts = names_of_models(manifest, "marts", "segmented")
    compared = {name: engines.differences(name, place, f"tessera.{name}") for name, place in marts.items()}
    assert [line for _, lines in compared.values() for line in lines] == []
    assert [name for name, (rows, _) in compared.items() if not rows] == []


def test_the_engines_agree_on_what_marts_are_made_of(engines: Engines, manifest: Manifest) -> None:
    models = names_of_models(manifest, "staging", "intermediate", "features")
    compared = [engines.differences(name, place, f"tessera.{name}") for name, place in models.items()]
    assert [line for _, lines in compared for line in lines] == []


def test_the_engines_agree_on_the_frames_as_of_a_moment(engines: Engines, manifest: Manifest) -> None:
    moment = "2026-06-01 00:00:00"
    engines.run_on_spark(["run-operation", "set_training_moment", "--args", f"{{as_of: '{moment}'}}"])
    frames = names_of_models(manifest, "training")
    compared = {
        name: engines.differences(name, f"{place}(timestamp '{moment}')", f"tessera.{name}")
        for name, place in frames.items()
    }
    assert [line for _, lines in compared.values() for line in lines] == []
    assert 0 not in (compared["training_users"][0], compared["training_interactions"][0])


def test_a_difference_is_named(engines: Engines) -> None:
    changed = "(select * exclude (clicks), clicks + (user_id = 'ann')::bigint as clicks from users)"
    _, lines = engines.differences("users", changed, "tessera.users")
    assert lines == ["users.clicks: 1 in DuckDB, 0 in Spark"]


def test_a_home_without_a_catalogue_has_no_items(tmp_path: Path, engines: Engines, manifest: Manifest) -> None:
    built = warehouse_in(tmp_path / "home", manifest)
    built.ingest(EVENTS[0])
    other = replace(engines, warehouse=built)
    other.run_on_spark(["run", "--select", "stg_item_descriptions", "stg_items"])
    assert other.rows("select count(*) from tessera.stg_items") == [(0,)]


def test_a_log_whose_parts_all_lack_a_new_column_is_read(
    tmp_path: Path, engines: Engines, manifest: Manifest
) -> None:
    built = warehouse_in(tmp_path / "home", manifest)
    built.ingest(EVENTS[0])
    log = EventLog(built.home)
    (part,) = log.parts()
    path = log.folder / part.path
    pq.write_table(pq.read_table(path).drop_columns(["authority"]), path)
    models = [
        "stg_event_parts",
        "stg_event_keys",
        "stg_event_repeat_candidates",
        "stg_event_repeats",
        "stg_events",
    ]
    other = replace(engines, warehouse=built)
    other.run_on_spark(["run", "--select", *models])
    assert other.rows("select user_id, authority from tessera.stg_events") == [("silent", "server")]
