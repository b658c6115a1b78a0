"""Reads the event log as state changes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ml.decisions.activity.state_change import ANSWERED, CONSENTS, StateChange, describe_exposure
from ml.events.contract import SUSPECTED, TIMESTAMP
from ml.events.live_log import read_open_parts
from ml.events.log import EventLog
from ml.events.personalization_consent import LOCATION, PERSONALIZATION, read_decided_purposes
from ml.events.quarantine import Quarantine
from ml.privacy.person_key import person_key
from ml.sequences.intent.running_visit import LONGEST_ELEMENT, WITH_ELEMENT

COLUMNS = (
    "user_id", "anonymous_id", "event_type", "occurred_at", "item_id", "session_id", "country", "region",
    "device_type", "properties", "consent", "recommendation_id", "experiment_id", "variant", "event_id",
    "authority", "value", "language", "received_at",
)  # fmt: skip
MOST_KEPT = 6  # times as many events as are asked for are in memory at most
TIMES = ("occurred_at", "received_at")
EPOCH, MICROSECOND = dt.datetime(1970, 1, 1), dt.timedelta(microseconds=1)
FIRST_TIME, LAST_TIME = ((moment - EPOCH) // MICROSECOND for moment in (dt.datetime.min, dt.datetime.max))
"""The times that Python can represent, as microseconds since 1970."""
SHOWN_NAMES = ("content", "variant", "banner", "offer")
"""Properties that name what a slot showed; the first that is there counts."""
DETAILED = frozenset({"impression", "exposure", ANSWERED, *CONSENTS})


def read_changes(
    events: pa.Table, quarantine: Quarantine, where: str, *, with_answers: bool = False
) -> list[StateChange]:
    """Turn canonical events into state changes, in their order.

    The service's `served` events are left out, and so are those of visitors whom the collector suspects, and
    refunds, which are no reaction to an item. With `with_answers`, the slots of answers are kept, as changes of
    the type ANSWERED.

    An event that cannot be turned into a change is set aside, and the others are read.

    Args:
        events: At least COLUMNS of the event contract.
        quarantine: Where an event that cannot be read is recorded.
        where: Who reads, for the quarantine.
        with_answers: Whether the answers are not known already.
    """
    if not with_answers:  # most of what a busy service writes are its own answers
        events = events.filter(pc.not_equal(events["event_type"], "served"))
    changes: list[StateChange] = []
    if not len(events):
        return changes
    for row in _read_rows(events, quarantine, where):
        (
            user, anonymous, kind, at, item, session, country, region, device,
            text, consent, answer, experiment, variant, event_id, authority, value, language, received_at,
        ) = row  # fmt: skip
        if kind == "purchase" and value is not None and value < 0:
            continue
        if kind == "served":
            if not (authority == "service" and answer):
                continue
            kind, consent = ANSWERED, None  # the service's record states nothing about the person
        try:
            if authority == "browser" and text and SUSPECTED in text and orjson.loads(text).get(SUSPECTED):
                continue
            if authority == "browser" and kind == "preference":
                continue  # a browser cannot state preferences
            person = person_key(user, anonymous)
            if person is None:
                raise ValueError("the event names nobody")
            # A clock that is ahead must not make what it says the newest, and the others old.
            happened_at = float(at if received_at is None else min(at, received_at))
            change = StateChange(
                person, kind, happened_at, item, session, country, region, device,
                None, None, None, answer, event_id, authority,
                None if consent is None else PERSONALIZATION in consent,
                person_key(None, anonymous) if user and authority != "browser" else None,
                None, language, None if consent is None else LOCATION in consent, None, value,
            )  # fmt: skip
            if text and kind in WITH_ELEMENT:
                element = _text_or_none(orjson.loads(text).get("element"))
                change.element = element[:LONGEST_ELEMENT] if element else None
            if kind in DETAILED:
                _add_details(
                    change, user or anonymous, orjson.loads(text) if text else {}, consent, experiment, variant
                )
            changes.append(change)
        except Exception as error:  # noqa: BLE001  # whatever a record holds, the records after it are read
            quarantine.set_aside(event_id, error, where)
    return changes


def read_newest_changes(log: EventLog, limit: int, quarantine: Quarantine, where: str) -> list[StateChange]:
    """Return the newest `limit` events of the log by `occurred_at` as state changes, oldest first.

    Parts are read from the newest by arrival until they hold twice as many events.

    Args:
        log: The log.
        limit: The number of events at most.
        quarantine: Where an event that cannot be read is recorded.
        where: Who reads, for the quarantine.
    """
    log.erased.refresh()
    batches_being_written = list(read_open_parts(log))
    tables = [pa.Table.from_batches(batches_being_written).select(COLUMNS)] if batches_being_written else []
    rows = sum(len(table) for table in tables)
    for part in sorted(log.parts(), key=lambda part: part.received_max, reverse=True):
        if rows >= 2 * limit:
            break
        for batch in log.read([part], COLUMNS):
            tables.append(pa.Table.from_batches([batch]))
            rows += len(batch)
            if sum(map(len, tables)) > MOST_KEPT * limit:  # a part may be a file of years
                tables = [_newest(log.erased.without(pa.concat_tables(tables)), limit)]
    if not tables:
        return []
    log.erased.refresh()
    newest = _newest(log.erased.without(pa.concat_tables(tables)), limit)
    return read_changes(newest, quarantine, where, with_answers=True)


def _newest(events: pa.Table, count: int) -> pa.Table:
    """Return the newest events, the oldest of them first."""
    order = pc.sort_indices(events, sort_keys=[("occurred_at", "ascending")])
    return events.take(order[max(0, len(events) - count) :])


def _read_rows(events: pa.Table, quarantine: Quarantine, where: str) -> list[tuple[Any, ...]]:
    """Return the values of COLUMNS of each event that Python can represent, times as Unix seconds."""
    try:
        return list(zip(*_list_values(events), strict=True))
    except (ValueError, pa.ArrowException):  # a time outside Python's years, bytes that are no text
        rows: list[tuple[Any, ...]] = []
        for number in range(len(events)):
            event = events.slice(number, 1)
            try:
                rows += zip(*_list_values(event), strict=True)
            except (ValueError, pa.ArrowException) as error:
                quarantine.set_aside(str(event["event_id"][0]), error, where)
        return rows


def _list_values(events: pa.Table) -> list[list[Any]]:
    """Return the values of each of COLUMNS; times as Unix seconds, since making objects of them takes the longest.

    Raises:
        ValueError: A time is outside Python's years.
    """
    return [_unix_seconds(events[name]) if name in TIMES else events[name].to_pylist() for name in COLUMNS]


def _unix_seconds(times: pa.ChunkedArray) -> list[float | None]:
    microseconds = times.cast(TIMESTAMP).cast(pa.int64()).to_pylist()
    if any(value is not None and not FIRST_TIME <= value <= LAST_TIME for value in microseconds):
        raise ValueError("a time is outside the years 1 to 9999")
    return [None if value is None else value / 1e6 for value in microseconds]


def _add_details(
    change: StateChange,
    unit_id: str,
    properties: dict[str, Any],
    consent: list[str] | None,
    experiment: str | None,
    variant: str | None,
) -> None:
    """Add what the properties, the consent and the experiment of an event say, in place."""
    change.slot = _text_or_none(properties.get("slot"))
    change.campaign = _text_or_none(properties.get("campaign"))
    shown = properties.get("decision") if change.event_type == ANSWERED else {"variant": variant, **properties}
    if isinstance(shown, dict) and change.event_type in (ANSWERED, "impression"):
        change.content = next((text for name in SHOWN_NAMES if (text := _text_or_none(shown.get(name)))), None)
    if change.event_type == "exposure" and experiment and variant:
        change.detail = describe_exposure(experiment, properties.get("unit_id") or unit_id, variant)
    if change.event_type in CONSENTS:
        purposes = read_decided_purposes(change.event_type, consent, properties)
        change.detail = orjson.dumps(list(purposes)).decode()


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
