"""JSON schemas of the collector's request bodies, for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ml.events.contract import EVENT_TYPES, FIELDS, Field
from serving.collector.authority import SERVICE_TYPES
from serving.collector.protocols.segment import BATCH_PATHS, CALLS, METRICS_PATH, call_paths

TEXT = {"type": "string"}
TIME = {"type": ["string", "number"], "description": "ISO 8601, or seconds or milliseconds since 1970."}
OBJECT = {"type": "object"}
SET_BY_COLLECTOR = ("received_at", "authority")
SENT_TYPES = [name for name in EVENT_TYPES if name not in SERVICE_TYPES]


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
    if field.name == "event_type":
        return {**kind, "minLength": 1, "description": f"One of {', '.join(SENT_TYPES)}, or `custom:<name>`."}
    return {**kind, "description": field.description}


EVENT = {
    "type": "object",
    "description": "Fields of the event contract; others go to"
    " `properties`. Each is accepted or rejected by itself.",
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

# Path → what it is for, and what it takes.
SNOWPLOW_POST: Mapping[str, tuple[str, dict[str, Any]]] = {
    "/com.snowplowanalytics.snowplow/tp2": ("Take events of a Snowplow tracker.", SNOWPLOW),
}
# Path → what it is for, what it takes, and whether it is what a library counts of itself.
SEGMENT_POSTS: Mapping[str, tuple[str, dict[str, Any], bool]] = {
    **{path: ("Take calls of a Segment library.", BATCH, False) for path in BATCH_PATHS},
    **{
        path: (f"Take one {call} call of a Segment library.", MESSAGE, False)
        for call in CALLS
        for path in call_paths(call)
    },
    METRICS_PATH: ("Take the metrics that a Segment library sends about itself, and keep nothing.", OBJECT, True),
}
