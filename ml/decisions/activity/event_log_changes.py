"""Reads the event log as state changes."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ml.decisions.activity.state_change import CONSENTS, StateChange, describe_exposure
from ml.events.contract import CONSENT_PURPOSES
from ml.events.live_log import read_open_parts
from ml.events.log import EventLog

COLUMNS = (
    "user_id", "anonymous_id", "event_type", "occurred_at", "item_id", "session_id", "country", "region",
    "device_type", "properties", "consent", "recommendation_id", "experiment_id", "variant",
)  # fmt: skip
DETAILED = frozenset({"impression", "exposure", *CONSENTS})


def read_changes(events: pa.Table) -> list[StateChange]:
    """Turn canonical events into state changes, in their order. The service's `served` events are left out.

    Args:
        events: At least COLUMNS of the event contract.
    """
    rows = zip(*(events[name].to_pylist() for name in COLUMNS), strict=True)
    changes = []
    for user, anonymous, kind, at, item, session, *place, text, consent, answer, experiment, variant in rows:
        if kind == "served":
            continue
        country, region, device = place
        change = StateChange(
            user or anonymous, kind, at.timestamp(), item, session, country, region, device, reacts_to=answer
        )
        if kind in DETAILED:
            properties = orjson.loads(text) if text else {}
            change.slot = _text_or_none(properties.get("slot"))
            change.campaign = _text_or_none(properties.get("campaign"))
            if kind == "exposure" and experiment and variant:
                change.detail = describe_exposure(experiment, properties.get("unit_id") or change.user, variant)
            if kind in CONSENTS:
                change.detail = orjson.dumps(_read_purposes(kind, consent, properties)).decode()
        changes.append(change)
    return changes


def read_newest_changes(log: EventLog, limit: int) -> list[StateChange]:
    """Return the newest `limit` events of the log by `occurred_at` as state changes, oldest first.

    Parts are read from the newest by arrival until they hold twice as many events.
    """
    batches_being_written = list(read_open_parts(log))
    tables = [pa.Table.from_batches(batches_being_written).select(COLUMNS)] if batches_being_written else []
    rows = sum(len(table) for table in tables)
    for part in sorted(log.parts(), key=lambda part: part.received_max, reverse=True):
        if rows >= 2 * limit:
            break
        batches = list(log.read([part], COLUMNS))
        if batches:
            tables.append(pa.Table.from_batches(batches))
            rows += len(tables[-1])
    if not tables:
        return []
    table = pa.concat_tables(tables)
    order = pc.sort_indices(table, sort_keys=[("occurred_at", "ascending")])
    return read_changes(table.take(order[max(0, len(table) - limit) :]))


def _read_purposes(event_type: str, consent: list[str] | None, properties: dict[str, Any]) -> list[str]:
    """Return the purposes that a consent event grants or withdraws.

    A withdrawal that names no purposes withdraws all of them.
    """
    if event_type == "consent_granted":
        return consent or []
    purposes = properties.get("purposes")
    return purposes if isinstance(purposes, list) else list(CONSENT_PURPOSES)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
