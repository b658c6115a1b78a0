"""Examples of what the trackers of others send."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from serving.collector.protocols.segment import BATCH_PATHS, CALLS, METRICS_PATH, call_paths

DEVICE = "device-1"
PAGE = {"url": "https://shop.example/lamp", "title": "Lamp"}
SNOWPLOW_EXAMPLE = {
    "schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
    "data": [{"e": "pv", "duid": DEVICE, "url": PAGE["url"], "page": PAGE["title"], "p": "web"}],
}
PIXEL_EXAMPLE = {"anonymousId": DEVICE, "event": "Lamp Opened", "name": "Lamp", "groupId": "team-1"}


def segment_operation(path: str) -> str:
    """Return the name of the operation that takes calls of the Segment specification at a path."""
    return f"segment_{path.strip('/').replace('/', '_').replace('-', '_')}"


def tracker_body_examples(item: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the examples of bodies by the name of the operation.

    Args:
        item: Id of an item that is viewed.
    """
    calls: Mapping[str, dict[str, Any]] = {
        "track": {"anonymousId": DEVICE, "event": "Product Viewed", "properties": {"product_id": item}},
        "page": {"anonymousId": DEVICE, "name": "Lamp", "properties": PAGE},
        "screen": {"anonymousId": DEVICE, "name": "Lamp"},
        "identify": {"anonymousId": DEVICE, "userId": "user-1"},
        "group": {"anonymousId": DEVICE, "groupId": "team-1"},
        "alias": {"previousId": DEVICE, "userId": "user-1"},
    }
    batch = [{"type": "page", **calls["page"]}, {"type": "track", **calls["track"]}]
    values: dict[str, tuple[str, dict[str, Any]]] = {
        segment_operation(METRICS_PATH): ("No metrics", {"series": []}),
        "collect_snowplow_events": ("A view of a page", SNOWPLOW_EXAMPLE),
    }
    for path in BATCH_PATHS:
        values[segment_operation(path)] = ("A page and a product that is viewed", {"batch": batch})
    for call in CALLS:
        for path in call_paths(call):
            values[segment_operation(path)] = (f"One {call} call", calls[call])
    return {name: {"call": {"summary": summary, "value": value}} for name, (summary, value) in values.items()}


def tracker_parameter_examples() -> Mapping[str, str]:
    """Return the examples of parameters of queries, by their name."""
    return {"data": base64.b64encode(json.dumps(PIXEL_EXAMPLE).encode()).decode(), "e": "pv", "duid": DEVICE}
