"""The event log as the changes that activity is made of."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ml.decisions.activity.activity import CONSENTS, Change, exposure_detail
from ml.events.contract import CONSENT_PURPOSES
from ml.events.live_log import read_open
from ml.events.log import EventLog

COLUMNS = (
    "user_id", "anonymous_id", "event_type", "occurred_at", "item_id", "session_id", "country", "region",
    "device_type", "properties", "consent", "recommendation_id", "experiment_id", "variant",
)  # fmt: skip
DETAILED = frozenset({"impression", "exposure", *CONSENTS})


def changes_of(events: pa.Table) -> list[Change]:
    """The activity's view of canonical events, in their order; the service's own `served` are left out.

    Args:
        events: at least COLUMNS of the event contract.
    """
    columns = [events[name].to_pylist() for name in COLUMNS]
    changes = []
    for user, anonymous, kind, at, item, session, country, region, device, text, consent, answer, *trial in zip(
        *columns, strict=True
    ):
        if kind == "served":
            continue
        change = Change(
            user or anonymous, kind, at.timestamp(), item, session, country, region, device, reacts_to=answer
        )
        if kind in DETAILED:
            properties = orjson.loads(text) if text else {}
            change.slot = _text(properties.get("slot"))
            change.campaign = _text(properties.get("campaign"))
            if kind == "exposure" and all(trial):
                experiment, variant = trial
                change.detail = exposure_detail(experiment, properties.get("unit_id") or change.user, variant)
            if kind in CONSENTS:
                change.detail = orjson.dumps(_purposes(kind, consent, properties)).decode()
        changes.append(change)
    return changes


def newest_changes(log: EventLog, limit: int) -> list[Change]:
    """The newest `limit` events of the log by `occurred_at`, oldest first.

    Parts are read from the newest by arrival until twice as many events are at hand.
    """
    opened = list(read_open(log))
    tables = [pa.Table.from_batches(opened).select(COLUMNS)] if opened else []
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
    return changes_of(table.take(order[max(0, len(table) - limit) :]))


def _purposes(event_type: str, consent: list[str] | None, properties: dict[str, Any]) -> list[str]:
    """Purposes that a consent event grants or withdraws; a withdrawal that names none withdraws all of them."""
    if event_type == "consent_granted":
        return consent or []
    named = properties.get("purposes")
    return named if isinstance(named, list) else list(CONSENT_PURPOSES)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
