"""JSON schemas of the collector's request bodies, for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ml.events.contract import FIELDS, Field
from serving.collector.protocols.segment import BATCH_PATHS, CALLS, METRICS_PATH, call_paths

TEXT = {"type": "string"}
TIME = {"type": ["string", "number"], "description": "ISO 8601, or seconds or milliseconds since 1970."}
OBJECT = {"type": "object"}
SET_BY_COLLECTOR = ("received_at", "authority")


def _schema_of(field: Field) -> dict[str, Any]:
    if field.name == "properties":
        kind: dict[str, Any] = OBJECT
    elif pa.types.is_timestamp(field.type):
        kind = TIME
    elif pa.types.is_list(field.type):
        kind = {"type": "array", "items": TEXT}
    elif pa.types.is_string(field.type):
        kind = TEXT
    else:
        kind = {"type": "integer" if pa.types.is_integer(field.type) else "number"}
    return {**kind, "description": field.description}


EVENT = {
    "type": "object",
    "description": "Fields of the event contract; others go to `properties`. Each is taken or rejected by itself.",
    "required": ["event_type"],
    "properties": {
        **{field.name: _schema_of(field) for field in FIELDS if field.name not in SET_BY_COLLECTOR},
        "sent_at": {**TIME, "description": "The client's clock when it sent; corrects `occurred_at`."},
    },
}
EVENTS = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {"type": "array", "items": EVENT},
        "sent_at": TIME,
        "identity_token": {
            **TEXT,
            "description": "A token of the site's server that names the user, for events with a browser key.",
        },
    },
}
SNOWPLOW = {
    "type": "object",
    "description": "An envelope of payloads, as Snowplow trackers send it.",
    "required": ["data"],
    "properties": {
        "schema": TEXT,
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["e"],
                "properties": {"e": {"enum": ["pv", "pp", "se", "ue", "tr", "ti"]}},
                "additionalProperties": TEXT,
            },
        },
    },
}
MESSAGE = {
    "type": "object",
    "description": "A call of the Segment specification.",
    "properties": {
        **dict.fromkeys(("userId", "anonymousId", "messageId", "event", "name", "timestamp", "sentAt"), TEXT),
        **dict.fromkeys(("context", "properties", "traits"), OBJECT),
    },
}
BATCH = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {
            "type": "array",
            "items": {**MESSAGE, "properties": {**MESSAGE["properties"], "type": {"enum": list(CALLS)}}},  # type: ignore[dict-item]
        },
        "context": OBJECT,
        "sentAt": TEXT,
    },
}

# Path → what it is for, the status of success, and what it takes.
POSTS: Mapping[str, tuple[str, int, dict[str, Any]]] = {
    "/v1/events": ("Take events; accepted means on disk.", 202, EVENTS),
    "/com.snowplowanalytics.snowplow/tp2": ("Take events of a Snowplow tracker.", 200, SNOWPLOW),
    **{path: ("Take calls of a Segment library.", 200, BATCH) for path in BATCH_PATHS},
    METRICS_PATH: ("Take what a Segment library counts of itself, and keep nothing.", 200, OBJECT),
    **{
        path: (f"Take one `{call}` call of a Segment library.", 200, MESSAGE)
        for call in CALLS
        for path in call_paths(call)
    },
}
