"""The event log and the catalogue as assets: recover, seal, compact, count."""

from __future__ import annotations

import datetime as dt
import json

import dagster as dg
import pyarrow.compute as pc

from ml.events.dead_letters import DeadLetters
from ml.events.live_dead_letters import recover_dead_letters
from ml.events.live_log import recover_parts
from ml.events.log import EventLog
from ml.events.retention import expire_events
from ml.events.topic import SOURCE as FROM_TOPIC
from ml.events.topic import Backlog, TopicImport, import_topic, measure_backlog
from ml.sources.catalogue import Catalogue
from orchestration.defs.resources import HomeResource

# Readers keep the files of replaced parts open at most as long as one dbt build takes.
KEEP_REPLACED = dt.timedelta(hours=6)


@dg.asset(
    deps=["erased_events"],
    group_name="events",
    kinds={"parquet"},
    description=(
        "The append-only log of accepted events. Materializing it takes in what a Kafka topic holds, seals parts "
        "that stopped writers left open, drops days beyond the retention, merges small parts of a day, and "
        "removes what interrupted runs left behind."
    ),
)
def event_log(home: HomeResource) -> dg.MaterializeResult[None]:
    """Complete, expire and compact the log, and report what it holds."""
    log, settings, now = home.event_log(), home.settings(), dt.datetime.now(dt.UTC)
    taken = TopicImport()
    if settings.kafka.bootstrap_servers:
        taken = import_topic(home.home(), settings.kafka, settings.privacy.default_consent_trusted, now)
    recovered = recover_parts(log)
    log.checks.require_whole(log.parts())  # dbt reads the files without comparing them
    recover_dead_letters(home.home())
    expired = expire_events(home.home(), settings.privacy, now)
    merged = log.compact()
    removed = log.remove_replaced(KEEP_REPLACED, now)
    parts = log.parts()
    if not parts and not expired.events:  # where the last ones expired the tables have to follow
        raise dg.Failure(
            f"{log.folder} has no events. Run `tessera simulate`, or `tessera ingest SOURCE --path P`"
        )
    letters = DeadLetters(home.home())
    return dg.MaterializeResult(
        metadata={
            "events": sum(part.rows for part in parts),
            "parts": len(parts),
            "mebibytes": round(sum(part.bytes for part in parts) / 2**20, 1),
            "taken_in_from_kafka": taken.events,
            "rejected_from_kafka": taken.rejected,
            "waiting_in_kafka": taken.waiting,
            "parts_recovered": len(recovered),
            "events_expired": expired.events,
            "dead_letters_expired": expired.dead_letters,
            "parts_merged_into": len(merged),
            "files_removed": removed,
            "by_source": dg.MetadataValue.md(_table(_events_by_source(log), "source", "events")),
            "dead_letters": dg.MetadataValue.md(_table(letters.counts(), "why a row was rejected", "rows")),
        }
    )


@dg.asset(
    group_name="events",
    kinds={"parquet"},
    description="What the site knows about its items, as snapshots; the newest row of an item counts.",
)
def catalogue(home: HomeResource) -> dg.MaterializeResult[None]:
    """Report the items; they are written by ingest, the simulator and the service."""
    items = Catalogue(home.home()).read()
    described = {
        name: len(items) - items[name].null_count for name in ("title", "category", "price", "published_at")
    }
    categories = pc.value_counts(items["category"]).to_pylist()
    largest = sorted(categories, key=lambda entry: -entry["counts"])[:10]
    return dg.MaterializeResult(
        metadata={
            "items": len(items),
            **{f"with_{name}": count for name, count in described.items()},
            "largest_categories": dg.MetadataValue.md(
                _table({str(entry["values"]): entry["counts"] for entry in largest}, "category", "items")
            ),
        }
    )


def newly_sealed_parts(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run for all that is new; the cursor holds the ids of the parts seen."""
    sealed = {
        part.part_id: part.rows
        for part in home.event_log().parts()
        if part.source and part.source != FROM_TOPIC and not part.replaces  # those of a topic are a run's own
    }
    seen = set(json.loads(context.cursor or "[]"))
    new = sorted(set(sealed) - seen)
    kafka = home.settings().kafka
    waiting = measure_backlog(home.home(), kafka) if kafka.bootstrap_servers else Backlog()
    if not new and not waiting.messages:
        return dg.SkipReason("nothing came since the last run")
    context.update_cursor(json.dumps(sorted(sealed)))
    events = sum(sealed[part_id] for part_id in new) + waiting.messages
    key = [*new[-1:], *(f"{partition}:{end}" for partition, end in sorted(waiting.end.items()))]
    return dg.RunRequest(
        run_key=" ".join(key), tags={"tessera/new_parts": str(len(new)), "tessera/new_events": str(events)}
    )


def _events_by_source(log: EventLog) -> dict[str, int]:
    counts: dict[str, int] = {}
    for part in log.parts():
        counts[part.source] = counts.get(part.source, 0) + part.rows
    return dict(sorted(counts.items(), key=lambda entry: -entry[1]))


def _table(counts: object, name: str, unit: str) -> str:
    assert isinstance(counts, dict)
    rows = "\n".join(f"| {key} | {count:,} |" for key, count in counts.items())
    return f"| {name} | {unit} |\n|---|---:|\n{rows}" if rows else "none"
